import type { Clock, CrashPoint, Disk, Hasher, Log, Metrics } from "@cairn/env";
import type { DiskIdentity } from "./disk-identity.ts";
import type { FileCache } from "./file-cache.ts";
import type { Crc32c } from "./record-format.ts";

/** What every part of one disk's engine shares. */
export interface EngineParts {
  readonly disk: Disk;
  readonly identity: DiskIdentity;
  readonly clock: Clock;
  readonly hasher: Hasher;
  readonly log: Log;
  readonly crashPoint: CrashPoint;
  readonly crc32c: Crc32c;
  readonly files: FileCache;
  readonly options: EngineOptions;
  readonly meters: EngineMeters;
}

export interface EngineOptions {
  /** A segment is ended when it would grow beyond this. */
  readonly segmentBytes: number;
  /** A batch takes at most so many records and payload bytes. */
  readonly batchRecordsMax: number;
  readonly batchBytesMax: number;
  /** What waits for its batch beyond so many records or payload bytes of a group is refused as overloaded. */
  readonly waitingRecordsMax: number;
  readonly waitingBytesMax: number;
  /** The checkpoint is renewed after so many bytes or so long. */
  readonly checkpointBytes: number;
  readonly checkpointMs: number;
  /** Open files for reading. */
  readonly filesMax: number;
  /** So many failed reads one after the other, and the disk is given up. */
  readonly readErrorsMax: number;
  /** Free space is asked for again after this, or after so many bytes were written. */
  readonly spaceRefreshMs: number;
  readonly spaceRefreshBytes: number;
  /** The disk counts as full below this many free bytes, or below fullFraction of its size, whichever is less. */
  readonly reserveBytes: number;
  readonly fullFraction: number;
}

export const engineOptions: EngineOptions = {
  segmentBytes: 268_435_456,
  batchRecordsMax: 128,
  batchBytesMax: 4_194_304,
  waitingRecordsMax: 4096,
  waitingBytesMax: 67_108_864,
  checkpointBytes: 67_108_864,
  checkpointMs: 10_000,
  filesMax: 256,
  readErrorsMax: 8,
  spaceRefreshMs: 1000,
  spaceRefreshBytes: 67_108_864,
  reserveBytes: 2_147_483_648,
  fullFraction: 0.03,
};

/** The names of all crash points of the engine; a test sees that each is reached. */
export const engineCrashPoints: readonly string[] = [
  "engine.group.after-folder",
  "engine.open.before-reopen",
  "engine.checkpoint.before-write",
  "engine.checkpoint.after-write",
  "engine.segment.before-create",
  "engine.segment.after-header",
  "engine.segment.after-sync",
  "engine.append.before-write",
  "engine.append.before-sync",
  "engine.append.after-sync",
  "engine.append.after-index",
  "engine.seal.before-index",
  "engine.seal.after-index",
  "engine.delete.after-sync",
  "engine.compact.before-sync",
  "engine.compact.before-rename",
  "engine.compact.after-rename",
  "engine.compact.after-checkpoint",
  "engine.drop.before-rename",
  "engine.drop.after-rename",
];

export interface EngineMeters {
  readonly syncs: (records: number, bytes: number, ms: number) => void;
  readonly quarantined: () => void;
}

export function engineMeters(metrics: Metrics, disk: string): EngineMeters {
  const labels = { disk };
  const batches = metrics.counter("cairn_engine_sync_batches_total", "Batches of records that were synced", ["disk"]);
  const records = metrics.counter("cairn_engine_records_total", "Records that were synced", ["disk"]);
  const bytes = metrics.counter("cairn_engine_bytes_total", "Payload bytes that were synced", ["disk"]);
  const bad = metrics.counter("cairn_engine_quarantined_total", "Records that were found damaged", ["disk"]);
  const latency = metrics.histogram(
    "cairn_engine_sync_seconds",
    "Time of a batch from its first write to the end of its sync",
    [0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3],
    ["disk"],
  );
  return {
    syncs: (count, size, ms) => {
      batches.add(1, labels);
      records.add(count, labels);
      bytes.add(size, labels);
      latency.observe(ms / 1000, labels);
    },
    quarantined: () => bad.add(1, labels),
  };
}
