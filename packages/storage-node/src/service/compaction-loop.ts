import type { Clock, Counter, Log, Metrics } from "@cairn/env";
import { asStorageError, type DiskId, isKind } from "@cairn/protocol";
import type { Bell } from "./bell.ts";
import type { CaredDisk, Compactable } from "./cared-disk.ts";
import type { LiveSettings } from "./live-settings.ts";
import { Pacer } from "./pacer.ts";
import type { ReadLatency } from "./read-latency.ts";

/** How often a disk is looked at for what may be freed. */
const lookEveryMs = 60_000;
/** A disk that is fuller than this keeps nothing in its trash. */
const tightFraction = 0.9;

export interface CompactionParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly meters: CompactionMeters;
  readonly bell: Bell;
  readonly settings: LiveSettings;
  readonly latency: ReadLatency;
}

/**
 * Frees what the leader has let go and whose trash time is over on one disk: groups that were dropped, and dead records by
 * rewriting segments. What a record needs to be dropped the engine decides, by its tombstone and nothing else.
 */
export class CompactionLoop implements AsyncDisposable {
  readonly #disk: CaredDisk;
  readonly #parts: CompactionParts;
  readonly #pacer: Pacer;
  readonly #stop = new AbortController();
  #ordered = false;
  #running: Promise<void> | undefined;

  constructor(disk: CaredDisk, parts: CompactionParts) {
    this.#disk = disk;
    this.#parts = parts;
    const { clock, bell, settings, latency } = parts;
    const rate = (): number => latency.yielding(settings.current?.compactionBytesPerSecond ?? 0);
    this.#pacer = new Pacer({ clock, bell, rate });
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Frees all that may be freed, worth it or not, without waiting for the next look. */
  order(): void {
    this.#ordered = true;
    this.#parts.bell.ring();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock, bell, settings } = this.#parts;
    const { signal } = this.#stop;
    let lookedAt = Number.NEGATIVE_INFINITY;
    while (!signal.aborted) {
      const waitMs = settings.current ? lookedAt + lookEveryMs - clock.monotonic() : Number.POSITIVE_INFINITY;
      if (waitMs > 0 && !(this.#ordered && settings.current)) {
        await bell.sleep(waitMs, signal);
        continue;
      }
      const ordered = this.#ordered;
      this.#ordered = false;
      await this.#attempt("look for what may be freed", () => this.#free(ordered));
      lookedAt = clock.monotonic();
    }
  }

  async #free(ordered: boolean): Promise<void> {
    await this.#emptyTrash();
    const urgent = ordered || (await this.#isTight());
    const candidates = await this.#disk.compactable({ trashMs: await this.#trashMs(), urgent });
    for (const candidate of candidates) {
      if (this.#stop.signal.aborted) return;
      await this.#attempt("compact segment", () => this.#compact(candidate));
    }
  }

  async #compact({ group, segment }: Compactable): Promise<void> {
    const { meters } = this.#parts;
    const { signal } = this.#stop;
    const { freedBytes } = await this.#disk.compact({
      group,
      segment,
      trashMs: await this.#trashMs(),
      pace: (bytes) => this.#pacer.spend(bytes, signal),
      signal,
    });
    meters.compacted(this.#disk.identity.disk, freedBytes);
  }

  /** Oldest first; on a tight disk only as much as it needs. */
  async #emptyTrash(): Promise<void> {
    const { clock, meters } = this.#parts;
    const { signal } = this.#stop;
    const trashed = await this.#disk.trashed();
    for (const { name, droppedAt } of [...trashed].sort((a, b) => a.droppedAt - b.droppedAt)) {
      if (signal.aborted) return;
      if (clock.now() - droppedAt < (await this.#trashMs())) continue;
      await this.#attempt("empty trash", async () => {
        meters.emptied(this.#disk.identity.disk, await this.#disk.emptyTrash(name, signal));
      });
    }
  }

  /** How long things stay at least. Without the leader's word nothing goes. */
  async #trashMs(): Promise<number> {
    const trashMs = this.#parts.settings.current?.trashMs ?? Number.POSITIVE_INFINITY;
    return trashMs > 0 && (await this.#isTight()) ? 0 : trashMs;
  }

  async #isTight(): Promise<boolean> {
    const { totalBytes, freeBytes } = await this.#disk.space();
    return totalBytes > 0 && freeBytes < totalBytes * (1 - tightFraction);
  }

  /** One thing that cannot be freed stays; the others are freed all the same, and it is tried again with the next look. */
  async #attempt(operation: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (this.#stop.signal.aborted || isKind(error, "cancelled")) return;
      const { disk } = this.#disk.identity;
      this.#parts.log.warn(
        { err: asStorageError(error, operation), disk },
        "nothing was freed here; it is tried again",
      );
      this.#parts.meters.failed(disk);
    }
  }
}

/** What compaction does, as measurements. */
export class CompactionMeters {
  readonly #segments: Counter;
  readonly #freed: Counter;
  readonly #trash: Counter;
  readonly #failures: Counter;

  constructor(metrics: Metrics) {
    this.#segments = metrics.counter("cairn_compaction_segments_total", "Segments that were rewritten", ["disk"]);
    this.#freed = metrics.counter("cairn_compaction_freed_bytes_total", "Bytes that compaction gave back", ["disk"]);
    this.#trash = metrics.counter("cairn_trash_freed_bytes_total", "Bytes of dropped groups that were freed", ["disk"]);
    this.#failures = metrics.counter("cairn_compaction_failures_total", "Things that could not be freed", ["disk"]);
  }

  compacted(disk: DiskId, freedBytes: number): void {
    this.#segments.add(1, { disk: String(disk) });
    this.#freed.add(freedBytes, { disk: String(disk) });
  }

  emptied(disk: DiskId, freedBytes: number): void {
    this.#trash.add(freedBytes, { disk: String(disk) });
  }

  failed(disk: DiskId): void {
    this.#failures.add(1, { disk: String(disk) });
  }
}
