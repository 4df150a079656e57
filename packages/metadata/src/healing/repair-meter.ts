import type { Clock, Counter, Metrics } from "@cairn/env";

/** The rate is that of the last so many ms. */
const windowMs = 30_000;
const samplesMax = 512;

/** What repair and moves really moved: for the rate and for Prometheus. */
export class RepairMeter {
  readonly #clock: Clock;
  readonly #bytesTotal: Counter;
  readonly #chunksTotal: Counter;
  #samples: { readonly at: number; readonly bytes: number }[] = [];
  /** Of the stretch of work under way: since there was last nothing to do. */
  #doneBytes = 0;
  #startedAt: number | undefined;

  constructor(clock: Clock, metrics: Metrics) {
    this.#clock = clock;
    this.#bytesTotal = metrics.counter("cairn_repair_bytes_total", "Bytes that repair and moves copied.");
    this.#chunksTotal = metrics.counter("cairn_repair_chunks_total", "Chunks that repair and moves copied.");
  }

  get doneBytes(): number {
    return this.#doneBytes;
  }

  /** `doneBytes`: of the chunks that are on their disk now; `fetchedBytes`: of those that had to be sent. */
  note(copied: { readonly chunks: number; readonly doneBytes: number; readonly fetchedBytes: number }): void {
    const now = this.#clock.monotonic();
    this.#startedAt ??= now;
    this.#doneBytes += copied.doneBytes;
    this.#bytesTotal.add(copied.fetchedBytes);
    this.#chunksTotal.add(copied.chunks);
    this.#samples.push({ at: now, bytes: copied.doneBytes });
    if (this.#samples.length > samplesMax) this.#samples = this.#samples.slice(samplesMax / 2);
  }

  /** Bytes per second of the last half minute; 0 when nothing was moved in it. */
  rate(): number {
    const now = this.#clock.monotonic();
    this.#samples = this.#samples.filter((sample) => sample.at > now - windowMs);
    const [first] = this.#samples;
    if (!first || this.#startedAt === undefined) return 0;
    const seconds = Math.max(now - Math.max(this.#startedAt, now - windowMs), 1000) / 1000;
    return this.#samples.reduce((sum, sample) => sum + sample.bytes, 0) / seconds;
  }

  /** Everything is done: the next stretch counts anew. */
  reset(): void {
    this.#doneBytes = 0;
    this.#startedAt = undefined;
    this.#samples = [];
  }
}
