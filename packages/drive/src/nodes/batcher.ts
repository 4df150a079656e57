import { asStorageError, assert, type Outcome } from "@cairn/protocol";
import { cancelled } from "./deadline.ts";

export interface BatcherOptions<Item, Result> {
  readonly operation: string;
  /** Batches under way at once. What comes meanwhile waits and leaves together. */
  readonly inFlightMax: number;
  readonly itemsMax: number;
  readonly bytesMax?: number;
  readonly bytesOf?: (item: Item) => number;
  /** One outcome an item, in order; a throw is the outcome of all. */
  readonly send: (items: readonly Item[]) => Promise<readonly Outcome<Result>[]>;
}

interface Waiting<Item, Result> {
  readonly item: Item;
  readonly bytes: number;
  readonly signal: AbortSignal | undefined;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

/** Gathers items of concurrent callers. A batch closes when one before has finished, never by a timer: a lonely caller waits for nobody. */
export class Batcher<Item, Result> {
  readonly #options: BatcherOptions<Item, Result>;
  #queue: Waiting<Item, Result>[] = [];
  #inFlight = 0;
  #scheduled = false;

  constructor(options: BatcherOptions<Item, Result>) {
    this.#options = options;
  }

  /** An item whose signal aborts before its batch leaves is not sent. */
  add(item: Item, signal?: AbortSignal): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ item, bytes: this.#options.bytesOf?.(item) ?? 0, signal, resolve, reject });
      if (this.#scheduled || this.#inFlight >= this.#options.inFlightMax) return;
      // Whoever adds in the same turn still catches this batch.
      this.#scheduled = true;
      queueMicrotask(() => {
        this.#scheduled = false;
        this.#pump();
      });
    });
  }

  #pump(): void {
    while (this.#inFlight < this.#options.inFlightMax && this.#queue.length > 0) {
      const batch = this.#take();
      if (batch.length === 0) continue;
      this.#inFlight++;
      void this.#run(batch);
    }
  }

  #take(): Waiting<Item, Result>[] {
    const { itemsMax, bytesMax = Number.POSITIVE_INFINITY, operation } = this.#options;
    const batch: Waiting<Item, Result>[] = [];
    let bytes = 0;
    let taken = 0;
    for (const waiting of this.#queue) {
      if (batch.length >= itemsMax || (batch.length > 0 && bytes + waiting.bytes > bytesMax)) break;
      taken++;
      if (waiting.signal?.aborted) {
        waiting.reject(cancelled(operation));
        continue;
      }
      bytes += waiting.bytes;
      batch.push(waiting);
    }
    this.#queue = this.#queue.slice(taken);
    return batch;
  }

  async #run(batch: readonly Waiting<Item, Result>[]): Promise<void> {
    try {
      const outcomes = await this.#options.send(batch.map(({ item }) => item));
      assert(outcomes.length === batch.length, "a batch has one outcome for each of its items");
      batch.forEach(({ resolve, reject }, index) => {
        const outcome = outcomes[index];
        if (outcome?.ok) resolve(outcome.value);
        else reject(outcome?.error);
      });
    } catch (error) {
      const known = asStorageError(error, this.#options.operation);
      for (const { reject } of batch) reject(known);
    } finally {
      this.#inFlight--;
      this.#pump();
    }
  }
}
