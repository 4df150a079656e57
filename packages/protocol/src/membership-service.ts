import type { GroupDigest } from "./chunk-service.ts";
import type { ChunkId, DiskId, Generation, GroupId, NodeId } from "./ids.ts";
import type { DiskState } from "./metadata-service.ts";
import type { ScrubStatus } from "./node-commands.ts";

export interface RegisterRequest {
  /** A join token the first time, the node's own credential ever after. */
  readonly secret: string;
  /** The name the node wants or has; absent: the server picks the next free `node-N`. */
  readonly node?: NodeId | undefined;
  readonly bootNonce: string;
  /** Base URL under which clients and the metadata server reach the node. */
  readonly url: string;
  readonly version: string;
  readonly disks: readonly { readonly uuid: string; readonly totalBytes: number; readonly freeBytes: number }[];
}

export interface Registration {
  readonly cluster: string;
  readonly node: NodeId;
  /** The node's own credential; keep it 0600. */
  readonly credential: string;
  /** base64url of 32 bytes: checks tokens. */
  readonly tokenKey: string;
  /** base64url of 32 bytes: signs this node's receipts. */
  readonly receiptKey: string;
  readonly disks: readonly { readonly uuid: string; readonly disk: DiskId }[];
  readonly incarnation: number;
  readonly heartbeatMs: number;
}

export interface HeartbeatRequest {
  readonly node: NodeId;
  readonly credential: string;
  readonly bootNonce: string;
  /** Rises with every heartbeat of one boot. */
  readonly sequence: number;
  readonly disks: readonly DiskReport[];
  /** Groups that changed since the last acknowledged heartbeat: what is not in it has not changed. */
  readonly groups: readonly GroupDigest[];
  /** Copies that the node itself found damaged and that no answered heartbeat has told of; at most badCopiesPerHeartbeatMax. */
  readonly damaged?: readonly DamagedCopy[] | undefined;
  /** Groups whose every record was read and checked since the last answered heartbeat. */
  readonly verified?: readonly VerifiedGroup[] | undefined;
  readonly scrub?: readonly ScrubStatus[] | undefined;
  /** True when `groups` names every group on the node's disks: then a disk does not hold what is not in it. */
  readonly everything?: boolean | undefined;
}

/** A copy that its own node can no longer read or whose bytes are not what they were. */
export interface DamagedCopy {
  readonly group: GroupId;
  readonly disk: DiskId;
  readonly id: ChunkId;
  readonly generation: Generation;
}

export interface VerifiedGroup {
  readonly group: GroupId;
  readonly disk: DiskId;
  /** Wall clock ms of the node at the end of the check. */
  readonly at: number;
}

/** How fast a node may do its housekeeping. All of it may be changed at any time. */
export interface NodeSettings {
  /** Bytes per second and disk; 0 stands still. */
  readonly scrubBytesPerSecond: number;
  readonly compactionBytesPerSecond: number;
  readonly repairBytesPerSecond: number;
  /** A full scrub pass is begun this long after the last one began. */
  readonly scrubEveryMs: number;
  /** How long deleted bytes stay on the disk before compaction may drop them. */
  readonly trashMs: number;
}

export interface DiskReport {
  readonly disk: DiskId;
  readonly state: DiskState;
  readonly totalBytes: number;
  readonly freeBytes: number;
  readonly chunks: number;
  readonly chunkBytes: number;
}

export interface HeartbeatReply {
  readonly incarnation: number;
  /** Groups that take no more chunks; the node seals them. */
  readonly seal: readonly GroupId[];
  /** Absent: the node goes on with what it has. */
  readonly settings?: NodeSettings | undefined;
  /** True: the next heartbeat is to tell of all groups, since the server has started anew and knows of none. */
  readonly everything?: boolean | undefined;
}

/** What the metadata server does for storage nodes. */
export interface MembershipService {
  /** Throws unauthenticated, conflict (another live process has this name, or a disk belongs elsewhere). */
  register(request: RegisterRequest): Promise<Registration>;
  /** Throws stale when the node must register again. */
  heartbeat(request: HeartbeatRequest): Promise<HeartbeatReply>;
}
