import { asStorageError, type Outcome, StorageError, succeeded } from "@cairn/protocol";

/** One record on its way to the disk. */
export interface PendingAppend<Item> {
  readonly item: Item;
  /** Bytes of its payload. */
  readonly bytes: number;
}

interface Waiting<Item> extends PendingAppend<Item> {
  readonly settle: (outcome: Outcome<void>) => void;
}

export interface BatchLimits {
  /** A batch takes at most so many records and payload bytes, but always one record. */
  readonly recordsMax: number;
  readonly bytesMax: number;
  /** What waits beyond so many records or payload bytes is refused. */
  readonly waitingRecordsMax: number;
  readonly waitingBytesMax: number;
}

/**
 * Group commit: what arrives while one batch is being written and synced becomes the next batch. A lone writer never
 * waits for a timer, and many writers share one sync.
 */
export class AppendQueue<Item> {
  readonly #limits: BatchLimits;
  readonly #flush: (items: readonly Item[]) => Promise<void>;
  #waiting: Waiting<Item>[] = [];
  #waitingBytes = 0;
  #running: Promise<void> | undefined;

  constructor(limits: BatchLimits, flush: (items: readonly Item[]) => Promise<void>) {
    this.#limits = limits;
    this.#flush = flush;
  }

  /** Answers when the batch that held the item is on the disk, or with why it is not. Never throws. */
  async add(append: PendingAppend<Item>): Promise<Outcome<void>> {
    const { waitingRecordsMax, waitingBytesMax } = this.#limits;
    const full = this.#waiting.length >= waitingRecordsMax || this.#waitingBytes + append.bytes > waitingBytesMax;
    if (full && this.#waiting.length > 0) {
      const hint = "The disk is slower than its writers. Send again in a moment, or to another group.";
      return { ok: false, error: new StorageError("overloaded", "append records", "too many wait", { hint }) };
    }
    return new Promise((settle) => {
      this.#waiting.push({ ...append, settle });
      this.#waitingBytes += append.bytes;
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
    this.#waitingBytes -= bytes;
    return this.#waiting.splice(0, count);
  }
}
