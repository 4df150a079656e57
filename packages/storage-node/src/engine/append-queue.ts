import { asStorageError, type Outcome, type StorageError, succeeded } from "@cairn/protocol";

/** One record on its way to the disk. */
export interface PendingAppend<Item> {
  readonly item: Item;
  readonly bytes: number;
}

interface Waiting<Item> extends PendingAppend<Item> {
  readonly settle: (outcome: Outcome<void>) => void;
}

export interface BatchLimits {
  readonly recordsMax: number;
  readonly bytesMax: number;
}

/**
 * Group commit: what arrives while one batch is being written and synced becomes the next batch. A lone writer never
 * waits for a timer, and many writers share one sync.
 */
export class AppendQueue<Item> {
  readonly #limits: BatchLimits;
  readonly #flush: (items: readonly Item[]) => Promise<void>;
  #waiting: Waiting<Item>[] = [];
  #running: Promise<void> | undefined;

  constructor(limits: BatchLimits, flush: (items: readonly Item[]) => Promise<void>) {
    this.#limits = limits;
    this.#flush = flush;
  }

  /** Answers when the batch that held the item is on the disk, or with why it is not. Never throws. */
  add(append: PendingAppend<Item>): Promise<Outcome<void>> {
    return new Promise((settle) => {
      this.#waiting.push({ ...append, settle });
      this.#running ??= this.#run();
    });
  }

  /** Ends when nothing is waiting any more. */
  async idle(): Promise<void> {
    while (this.#running) await this.#running;
  }

  async #run(): Promise<void> {
    // One turn of the microtask queue lets all writes of the same request join the first batch.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const batch = this.#takeBatch();
      let failure: StorageError | undefined;
      try {
        await this.#flush(batch.map(({ item }) => item));
      } catch (error) {
        failure = asStorageError(error, "append records");
      }
      for (const { settle } of batch) settle(failure ? { ok: false, error: failure } : succeeded(undefined));
    }
    this.#running = undefined;
  }

  #takeBatch(): Waiting<Item>[] {
    let bytes = 0;
    let count = 0;
    for (const append of this.#waiting) {
      if (count > 0 && (count >= this.#limits.recordsMax || bytes + append.bytes > this.#limits.bytesMax)) break;
      bytes += append.bytes;
      count++;
    }
    return this.#waiting.splice(0, count);
  }
}
