import type { Clock } from "@cairn/env";

const readsKept = 128;
/** Fewer reads than this say nothing about how busy a disk is. */
const readsMin = 16;
const keptMs = 30_000;
/** Reads of clients that are slower than this let housekeeping step back. */
const slowReadMs = 50;

/** How long the last reads of a disk took, so that housekeeping can step back while clients wait. */
export class ReadLatency {
  readonly #clock: Clock;
  readonly #took = new Float64Array(readsKept);
  readonly #at = new Float64Array(readsKept).fill(Number.NEGATIVE_INFINITY);
  #next = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  note(ms: number): void {
    this.#took[this.#next] = ms;
    this.#at[this.#next] = this.#clock.monotonic();
    this.#next = (this.#next + 1) % readsKept;
  }

  /** What housekeeping keeps of its pace: half of it while clients wait for their reads. */
  yielding(bytesPerSecond: number): number {
    return this.p95() > slowReadMs ? bytesPerSecond / 2 : bytesPerSecond;
  }

  /** 95 of 100 reads of the last half minute were no slower than this, ms; 0 when there were too few to tell. */
  p95(): number {
    const since = this.#clock.monotonic() - keptMs;
    const recent = this.#took.filter((_, index) => (this.#at[index] as number) >= since).sort();
    return recent.length < readsMin ? 0 : (recent[Math.ceil(recent.length * 0.95) - 1] as number);
  }
}
