import type { ExactChunk, GroupDigest, InventoryPage, NodeIdentity } from "./chunk-service.ts";
import type { ChunkId, DiskId, Generation, GroupId, NodeId } from "./ids.ts";
import type { Outcome } from "./outcome.ts";

/** A copy that the metadata server wants a disk to have. */
export interface WantedCopy {
  readonly id: ChunkId;
  readonly generation: Generation;
  readonly length: number;
}

/** Copies to fetch from other members of the group; at most copyChunksMax, and copyBytesMax bytes of them. */
export interface CopyOrder {
  readonly group: GroupId;
  /** The group's epoch under which the copies are made. */
  readonly epoch: number;
  /** A disk of the node that is asked. */
  readonly disk: DiskId;
  /** Members that have the chunks, best first: the node asks the next one for what a source lacks or has damaged. */
  readonly sources: readonly { readonly node: NodeId; readonly disk: DiskId; readonly url: string }[];
  /** A read token of the group. */
  readonly readToken: string;
  readonly chunks: readonly WantedCopy[];
}

/** What became of one wanted copy: whence it came, and which sources turned out not to have it. */
export interface CopyResult {
  /** Bytes that were fetched; 0 when the disk had a good copy already. */
  readonly fetchedBytes: number;
  readonly badSources: readonly { readonly disk: DiskId; readonly what: "corrupt" | "missing" }[];
}

/** How far a node has read its disk to check it. */
export interface ScrubStatus {
  readonly disk: DiskId;
  /** Wall clock ms of the end of the last full pass; undefined before the first. */
  readonly passFinishedAt: number | undefined;
  readonly passStartedAt: number | undefined;
  /** Of the pass under way. */
  readonly checkedBytes: number;
  readonly totalBytes: number;
}

/**
 * What the one leader of maintenance may tell a node to do. Every call carries a command token: it names the leader's
 * fencing epoch, the node refuses one lower than the highest it has seen (stale), and after its end it is not begun.
 * A node does none of this on its own judgement.
 */
export interface NodeCommandService {
  /**
   * Makes copies on one disk: fetched from a source, checked against their SHA-256, appended and synced, each with its own
   * outcome in the order of the chunks. A copy that is there and sound already is not fetched again. Kinds: not-found (no source
   * has it), corrupt (no source has a sound one), stale (that generation was deleted here), no-space, unavailable.
   */
  copyIn(order: CopyOrder, command: string, signal?: AbortSignal): Promise<readonly Outcome<CopyResult>[]>;
  /** Deletes exactly these generations; one that is not there counts as deleted. At most commitEntriesMax. */
  deleteExact(chunks: readonly ExactChunk[], command: string, signal?: AbortSignal): Promise<readonly Outcome<void>[]>;
  /** Moves a disk's copy of a whole group to the disk's trash. One that is not there counts as dropped. */
  dropGroup(group: GroupId, disk: DiskId, command: string, signal?: AbortSignal): Promise<void>;
  inventory(group: GroupId, cursor: string | undefined, command: string, signal?: AbortSignal): Promise<InventoryPage>;
  /** Digests of all groups on the node. */
  digests(command: string, signal?: AbortSignal): Promise<readonly GroupDigest[]>;
  /** Begins a scrub of all disks anew and at once; it goes on in the background. */
  startScrub(command: string, signal?: AbortSignal): Promise<void>;
  /** Frees what the trash time is over for, without waiting for its turn; it goes on in the background. */
  startCompaction(command: string, signal?: AbortSignal): Promise<void>;
  identity(command: string, signal?: AbortSignal): Promise<NodeIdentity>;
}

/** The commands of the node behind a base URL. */
export type NodeCommandsAt = (url: string) => NodeCommandService;
