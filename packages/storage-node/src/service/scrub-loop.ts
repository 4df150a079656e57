import type { Clock, Counter, Gauge, Log, Metrics, Random } from "@cairn/env";
import { asStorageError, type GroupDigest, isKind, type ScrubStatus } from "@cairn/protocol";
import type { Bell } from "./bell.ts";
import type { CaredDisk } from "./cared-disk.ts";
import type { LiveSettings } from "./live-settings.ts";
import { Pacer } from "./pacer.ts";
import type { ReadLatency } from "./read-latency.ts";
import { firstPosition, nextPosition, parseScrubState, type ScrubPosition, type ScrubState } from "./scrub-position.ts";
import type { VerifiedGroups } from "./verified-groups.ts";

/** Bytes that are read before the scrub looks up again. */
const stepBytes = 1_048_576;
const savedEveryMs = 60_000;
/** How long a disk that cannot be read is left alone. */
const retryMs = 60_000;

export interface ScrubParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly meters: ScrubMeters;
  readonly bell: Bell;
  readonly settings: LiveSettings;
  readonly latency: ReadLatency;
  readonly verified: VerifiedGroups;
}

/** Reads one disk from end to end, again and again, slowly, and checks every byte. What is damaged the engine sets aside. */
export class ScrubLoop implements AsyncDisposable {
  readonly #disk: CaredDisk;
  readonly #parts: ScrubParts;
  readonly #pacer: Pacer;
  readonly #stop = new AbortController();
  #state: ScrubState = {};
  #savedAt = 0;
  #ordered = false;
  #failing = false;
  #running: Promise<void> | undefined;

  constructor(disk: CaredDisk, parts: ScrubParts) {
    this.#disk = disk;
    this.#parts = parts;
    const { clock, bell } = parts;
    this.#pacer = new Pacer({ clock, bell, rate: () => this.#rate() });
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Begins a pass anew and at once. */
  restart(): void {
    this.#ordered = true;
    this.#parts.bell.ring();
  }

  status(): ScrubStatus {
    const { startedAt, finishedAt, position } = this.#state;
    return {
      disk: this.#disk.identity.disk,
      passStartedAt: startedAt,
      passFinishedAt: finishedAt,
      checkedBytes: position?.checkedBytes ?? 0,
      totalBytes: this.#disk.digests().reduce((sum, { bytes }) => sum + bytes, 0),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    await this.#load();
    while (!signal.aborted) {
      const dueMs = this.#dueMs();
      if (dueMs > 0) await this.#parts.bell.sleep(dueMs, signal);
      else await this.#pass();
    }
    await this.#save();
  }

  /** How long until a pass is begun or gone on with. */
  #dueMs(): number {
    const { settings, clock } = this.#parts;
    if (!settings.current) return Number.POSITIVE_INFINITY;
    const { startedAt, position } = this.#state;
    if (this.#ordered || position || startedAt === undefined) return 0;
    const sinceMs = clock.now() - startedAt;
    // A wall clock that was put back must not keep a disk from being read.
    return sinceMs < 0 ? 0 : settings.current.scrubEveryMs - sinceMs;
  }

  async #pass(): Promise<void> {
    const { clock, random, meters } = this.#parts;
    const { signal } = this.#stop;
    if (this.#ordered || !this.#state.position) {
      this.#ordered = false;
      const position = firstPosition(this.#groups(), random.fraction());
      this.#state = { ...this.#state, startedAt: clock.now(), position };
      await this.#save();
    }
    while (this.#state.position && !signal.aborted && !this.#ordered) {
      const position = await this.#step(this.#state.position);
      if (signal.aborted) return;
      this.#state = { ...this.#state, position };
      if (clock.monotonic() - this.#savedAt >= savedEveryMs) await this.#save();
    }
    if (this.#state.position || this.#ordered) return;
    this.#state = { ...this.#state, finishedAt: clock.now() };
    meters.finished(this.status());
    await this.#save();
  }

  /** Reads on, and tells where the pass stands then. */
  async #step(position: ScrubPosition): Promise<ScrubPosition | undefined> {
    const { clock, meters, verified } = this.#parts;
    const { signal } = this.#stop;
    const { group, cursor } = position;
    const { disk } = this.#disk.identity;
    try {
      const read = await this.#disk.scrubStep({ group, cursor, bytesMax: stepBytes, signal });
      this.#failing = false;
      const checkedBytes = position.checkedBytes + read.bytes;
      meters.checked(read, this.status());
      await this.#pacer.spend(read.bytes, signal);
      if (read.cursor !== undefined) return { ...position, cursor: read.cursor, checkedBytes };
      if (this.#disk.holds(group)) verified.note(group, disk, clock.now());
      return nextPosition(this.#groups(), { ...position, checkedBytes });
    } catch (error) {
      if (isKind(error, "cancelled")) return position;
      await this.#wait(error);
      return position;
    }
  }

  /** A disk that cannot be read is reported by its engine; here it is only left alone for a while. */
  async #wait(error: unknown): Promise<void> {
    const { log, bell } = this.#parts;
    if (!this.#failing) {
      log.warn({ err: asStorageError(error, "scrub disk"), disk: this.#disk.identity.disk }, "the scrub waits");
    }
    this.#failing = true;
    await bell.sleep(retryMs, this.#stop.signal);
  }

  #rate(): number {
    const { settings, latency } = this.#parts;
    return latency.yielding(settings.current?.scrubBytesPerSecond ?? 0);
  }

  #groups(): readonly GroupDigest["group"][] {
    return this.#disk.digests().map(({ group }) => group);
  }

  async #load(): Promise<void> {
    try {
      this.#state = parseScrubState(await this.#disk.readScrubState());
    } catch (error) {
      // All that is lost is how far the last pass had come: it begins anew.
      this.#parts.log.warn({ err: error, disk: this.#disk.identity.disk }, "the scrub begins anew");
    }
  }

  async #save(): Promise<void> {
    this.#savedAt = this.#parts.clock.monotonic();
    try {
      await this.#disk.writeScrubState(this.#state);
    } catch (error) {
      // A restart reads again what was read since the last time: that harms nobody.
      this.#parts.log.warn({ err: error, disk: this.#disk.identity.disk }, "how far the scrub has come was not kept");
    }
  }
}

/** What the scrub does, as measurements. */
export class ScrubMeters {
  readonly #bytes: Counter;
  readonly #records: Counter;
  readonly #damaged: Counter;
  readonly #progress: Gauge;
  readonly #finished: Gauge;

  constructor(metrics: Metrics) {
    this.#bytes = metrics.counter("cairn_scrub_bytes_total", "Bytes that were read and checked", ["disk"]);
    this.#records = metrics.counter("cairn_scrub_records_total", "Records that were read and checked", ["disk"]);
    this.#damaged = metrics.counter("cairn_scrub_damaged_total", "Records that the scrub found damaged", ["disk"]);
    this.#progress = metrics.gauge("cairn_scrub_pass_ratio", "Part of the disk that this pass has read", ["disk"]);
    this.#finished = metrics.gauge("cairn_scrub_pass_finished_timestamp_seconds", "When the last full pass ended", [
      "disk",
    ]);
  }

  checked(read: { bytes: number; records: number; damaged: number }, status: ScrubStatus): void {
    const disk = { disk: String(status.disk) };
    this.#bytes.add(read.bytes, disk);
    this.#records.add(read.records, disk);
    this.#damaged.add(read.damaged, disk);
    const { checkedBytes, totalBytes } = status;
    this.#progress.set(totalBytes === 0 ? 1 : Math.min((checkedBytes + read.bytes) / totalBytes, 1), disk);
  }

  finished({ disk, passFinishedAt }: ScrubStatus): void {
    this.#progress.set(1, { disk: String(disk) });
    if (passFinishedAt !== undefined) this.#finished.set(passFinishedAt / 1000, { disk: String(disk) });
  }
}
