const samplesMax = 128;
const samplesPerSort = 16;

/** The last 128 durations of one kind of request to one node, in ms. */
export class LatencyWindow {
  readonly #samples = new Float64Array(samplesMax);
  #sorted = new Float64Array(0);
  #count = 0;

  add(ms: number): void {
    this.#samples[this.#count % samplesMax] = ms;
    this.#count++;
    if (this.#count % samplesPerSort === 0) {
      this.#sorted = this.#samples.slice(0, Math.min(this.#count, samplesMax)).sort();
    }
  }

  /** The duration that this share of the requests stays below; undefined while there are too few to tell. */
  quantile(share: number): number | undefined {
    return this.#sorted[Math.min(this.#sorted.length - 1, Math.floor(this.#sorted.length * share))];
  }
}
