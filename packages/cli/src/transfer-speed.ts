/** Bytes per second as an exponential average, so that the time left does not jump. */
export class TransferSpeed {
  readonly #halfLifeMs: number;
  #lastAt: number | undefined;
  #lastBytes = 0;
  #average: number | undefined;

  constructor(halfLifeMs = 3000) {
    this.#halfLifeMs = halfLifeMs;
  }

  /** Notes that `bytes` had been moved in all at `atMs` (monotonic). */
  observe(bytes: number, atMs: number): void {
    if (this.#lastAt === undefined) {
      this.#lastAt = atMs;
      this.#lastBytes = bytes;
      return;
    }
    const elapsed = atMs - this.#lastAt;
    if (elapsed <= 0) return;
    const current = Math.max(0, ((bytes - this.#lastBytes) * 1000) / elapsed);
    const keep = 0.5 ** (elapsed / this.#halfLifeMs);
    this.#average = this.#average === undefined ? current : this.#average * keep + current * (1 - keep);
    this.#lastAt = atMs;
    this.#lastBytes = bytes;
  }

  /** Undefined until two observations are there. */
  get bytesPerSecond(): number | undefined {
    return this.#average;
  }

  /** Milliseconds until `bytesLeft` are moved; undefined while nobody can tell. */
  timeLeftMs(bytesLeft: number): number | undefined {
    if (this.#average === undefined || this.#average < 1) return undefined;
    return (bytesLeft / this.#average) * 1000;
  }
}
