import type { ChunkId, DiskId, Generation, GroupId, NodeId } from "./ids.ts";
import type { Outcome } from "./outcome.ts";
import type { Receipt } from "./receipt.ts";

/** One chunk on its way to one node. The bytes must not change until the call has ended. */
export interface ChunkWrite {
  readonly id: ChunkId;
  readonly generation: Generation;
  readonly bytes: Uint8Array;
  /** A write token; names the group, the epoch and the lease. */
  readonly token: string;
}

export interface ChunkRead {
  readonly id: ChunkId;
  readonly group: GroupId;
  /** A read token of the group. */
  readonly token: string;
  /** Bytes [offset, offset + length) of the chunk; absent: all of it. */
  readonly range?: { readonly offset: number; readonly length: number };
}

export interface ChunkStat {
  readonly id: ChunkId;
  readonly group: GroupId;
  readonly generation: Generation;
  readonly length: number;
  readonly disk: DiskId;
}

/** Where the record of a chunk stands (docs/formats/segment.md). It may have moved by the time somebody looks. */
export interface ChunkPlace {
  readonly disk: DiskId;
  readonly segment: number;
  /** Byte of the segment at which the record begins. */
  readonly offset: number;
  /** Bytes of the chunk. */
  readonly length: number;
  readonly generation: Generation;
}

/** For who shares a machine with a node, and reads the same files. */
export interface ChunkLocator {
  /** The newest copy that is not known to be damaged. Throws as ChunkService.stat. */
  locate(read: ChunkRead, signal?: AbortSignal): Promise<ChunkPlace>;
}

/** A record to delete: exactly this write of this chunk. */
export interface ExactChunk {
  readonly group: GroupId;
  readonly id: ChunkId;
  readonly generation: Generation;
}

/** One page of what a disk holds of a group, in order of (id, generation). */
export interface InventoryPage {
  readonly chunks: readonly { readonly id: ChunkId; readonly generation: Generation; readonly length: number }[];
  /** Pass it to get the next page; undefined after the last. */
  readonly cursor: string | undefined;
}

/** Count, bytes and XOR of (id, generation) of all live records: equal on all members of a group. */
export interface GroupDigest {
  readonly group: GroupId;
  readonly disk: DiskId;
  readonly records: number;
  readonly bytes: number;
  /** 16 hex digits. */
  readonly digest: string;
  readonly sealed: boolean;
}

export interface NodeIdentity {
  readonly cluster: string;
  readonly node: NodeId;
  /** Drawn anew at every start of the process; tells a restart from a clone. */
  readonly bootNonce: string;
  readonly disks: readonly { readonly disk: DiskId; readonly uuid: string }[];
  readonly version: string;
}

/**
 * What a storage node does for others: keeps chunks, checks them on the way in and out, knows no file names.
 * A write is answered after its record is synced to the disk, never before. Batch calls keep the order of
 * their items and give each item its own outcome; they throw only when the whole batch could not be handed over.
 */
export interface ChunkService {
  /**
   * Stores one chunk and proves it. Repeating the same (id, generation) syncs again and gives the same receipt.
   * Throws invalid (hash differs), unauthenticated, forbidden (not this node's group), stale (epoch), too-large,
   * no-space, overloaded, unavailable.
   */
  put(write: ChunkWrite, signal?: AbortSignal): Promise<Receipt>;
  /** At most batchChunksMax chunks and batchBytesMax bytes. */
  putMany(writes: readonly ChunkWrite[], signal?: AbortSignal): Promise<readonly Outcome<Receipt>[]>;
  /**
   * Bytes of a chunk whose CRCs the node has checked. Of a range the receiver has checked them too; a whole chunk is for
   * the caller to check against its id, which says more. The buffer is the caller's. Throws not-found, corrupt, range, unauthenticated, forbidden, unavailable.
   */
  get(read: ChunkRead, signal?: AbortSignal): Promise<Uint8Array>;
  /**
   * At most batchChunksMax chunks, whole ones, and batchBytesMax bytes; a chunk over that answers too-large. The caller
   * checks each against its id.
   */
  getMany(reads: readonly ChunkRead[], signal?: AbortSignal): Promise<readonly Outcome<Uint8Array>[]>;
  /** Throws not-found and as get. */
  stat(read: ChunkRead, signal?: AbortSignal): Promise<ChunkStat>;
}

/** The chunk service of the node behind a base URL. */
export type ChunkServiceAt = (url: string) => ChunkService;
