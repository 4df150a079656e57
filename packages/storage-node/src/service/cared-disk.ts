import type { ChunkId, Generation, GroupDigest, GroupId, Outcome } from "@cairn/protocol";
import type { DiskIdentity, DiskSpace, EnginePut, QuarantinedPlace } from "../engine/index.ts";

/** What a check of one record on its disk found. */
export type CopyFinding = "sound" | "missing" | "damaged" | "deleted";

/** What a disk's engine does for its upkeep; DiskEngine says how. */
export interface CaredDisk {
  readonly identity: DiskIdentity;
  digests(): readonly GroupDigest[];
  holds(group: GroupId): boolean;
  quarantined(group: GroupId): readonly QuarantinedPlace[];
  space(): Promise<DiskSpace>;
  check(group: GroupId, id: ChunkId, generation: Generation): Promise<CopyFinding>;
  adopt(copy: EnginePut): Promise<Outcome<void>>;
  scrubStep(step: ScrubStep): Promise<ScrubbedStep>;
  readScrubState(): Promise<unknown>;
  writeScrubState(state: unknown): Promise<void>;
  compactable(wish: { readonly trashMs: number; readonly urgent: boolean }): Promise<readonly Compactable[]>;
  compact(order: CompactionOrder): Promise<{ readonly freedBytes: number }>;
  dropGroup(group: GroupId): Promise<void>;
  trashed(): Promise<readonly TrashedGroup[]>;
  emptyTrash(name: string, signal: AbortSignal): Promise<number>;
}

export interface ScrubStep {
  readonly group: GroupId;
  /** Of the step before; undefined at the group's beginning. */
  readonly cursor: string | undefined;
  /** At least one record is read, and no more than these bytes if it can be. */
  readonly bytesMax: number;
  readonly signal: AbortSignal;
}

export interface ScrubbedStep {
  readonly bytes: number;
  readonly records: number;
  readonly damaged: number;
  /** Undefined when the group has been read to its end. */
  readonly cursor: string | undefined;
}

/** A segment that holds dead bytes which may go. */
export interface Compactable {
  readonly group: GroupId;
  readonly segment: number;
  readonly deadBytes: number;
  readonly liveBytes: number;
}

export interface CompactionOrder {
  readonly group: GroupId;
  readonly segment: number;
  /** Dead records whose tombstones are younger than this stay. */
  readonly trashMs: number;
  /** Awaited before so many bytes are copied. */
  readonly pace: (bytes: number) => Promise<void>;
  readonly signal: AbortSignal;
}

/** A group that was dropped and whose files are still there. */
export interface TrashedGroup {
  readonly name: string;
  /** Wall clock ms. */
  readonly droppedAt: number;
  readonly bytes: number;
}
