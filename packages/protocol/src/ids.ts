import { assert } from "./assert.ts";
import { fromHex, toHex } from "./bytes.ts";
import { StorageError } from "./errors.ts";

declare const brand: unique symbol;
type Brand<Base, Name extends string> = Base & { readonly [brand]: Name };

/** SHA-256 of a chunk's bytes, 64 lower-case hex digits. */
export type ChunkId = Brand<string, "ChunkId">;
/** A placement group; a positive integer that is never reused. */
export type GroupId = Brand<number, "GroupId">;
/** One disk of one storage node; a positive integer that is never reused. */
export type DiskId = Brand<number, "DiskId">;
/** Number of a job that an operator asked for. */
export type JobId = Brand<number, "JobId">;
/** A storage node's name, such as `node-1`: 1–63 of a–z, 0–9 and `-`, never reused. */
export type NodeId = Brand<string, "NodeId">;
/** A write lease; a positive integer below 2^29 that is never reused. */
export type LeaseId = Brand<number, "LeaseId">;
/** Which write of a chunk this is: lease × 2^24 + counter, always below 2^53. */
export type Generation = Brand<number, "Generation">;
/** A drive: `dr_` and a ULID. */
export type DriveId = Brand<string, "DriveId">;
/** A file or folder: `f_` and a ULID. */
export type EntryId = Brand<string, "EntryId">;
/** One version of a file: `v_` and a ULID. */
export type VersionId = Brand<string, "VersionId">;
/** An upload session: `up_` and a ULID. */
export type UploadId = Brand<string, "UploadId">;
/** Names one change so that a retry gets the first answer: `cm_` and a ULID. */
export type CommitId = Brand<string, "CommitId">;

/** Counters of one lease run from 0 up to this, exclusive. */
export const generationsPerLease: number = 2 ** 24;
const leaseIdMax = 2 ** 29 - 1;

/** Throws invalid unless the text is 64 lower-case hex digits. */
export function parseChunkId(text: string): ChunkId {
  if (!/^[0-9a-f]{64}$/.test(text)) throw new StorageError("invalid", "parse chunk id", clip(text));
  return text as ChunkId;
}

/** The chunk id of a 32-byte SHA-256. */
export function chunkIdFromHash(hash: Uint8Array): ChunkId {
  assert(hash.length === 32, "a SHA-256 has 32 bytes");
  return toHex(hash) as ChunkId;
}

/** The 32-byte SHA-256 that a chunk id spells. */
export function hashOfChunkId(id: ChunkId): Uint8Array {
  return fromHex(id);
}

/** Throws invalid unless the text is a storage node's name. */
export function parseNodeId(text: string): NodeId {
  if (!/^[a-z0-9](?:[a-z0-9-]{0,62})$/.test(text)) {
    throw new StorageError("invalid", "parse node name", clip(text), {
      hint: "A node's name is 1–63 of a–z, 0–9 and '-', such as node-1.",
    });
  }
  return text as NodeId;
}

export function parseGroupId(value: number): GroupId {
  return positiveInteger(value, Number.MAX_SAFE_INTEGER, "group") as GroupId;
}

export function parseJobId(value: number): JobId {
  return positiveInteger(value, Number.MAX_SAFE_INTEGER, "job") as JobId;
}

export function parseDiskId(value: number): DiskId {
  return positiveInteger(value, Number.MAX_SAFE_INTEGER, "disk") as DiskId;
}

export function parseLeaseId(value: number): LeaseId {
  return positiveInteger(value, leaseIdMax, "lease") as LeaseId;
}

export function parseGeneration(value: number): Generation {
  return positiveInteger(value, Number.MAX_SAFE_INTEGER, "generation") as Generation;
}

/** The generation of a lease's counter-th write. */
export function generationOf(lease: LeaseId, counter: number): Generation {
  assert(Number.isSafeInteger(counter) && counter >= 0 && counter < generationsPerLease, "a lease has 2^24 counters");
  return (lease * generationsPerLease + counter) as Generation;
}

/** The lease under which a generation was written. */
export function leaseOfGeneration(generation: Generation): LeaseId {
  return Math.floor(generation / generationsPerLease) as LeaseId;
}

function positiveInteger(value: number, max: number, what: string): number {
  if (!Number.isSafeInteger(value) || value < 1 || value > max) {
    throw new StorageError("invalid", `parse ${what} id`, String(value));
  }
  return value;
}

function clip(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
