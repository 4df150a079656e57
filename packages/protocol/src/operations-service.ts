import type { NodeDuty, NodeHealth } from "./group.ts";
import type { DiskId, DriveId, GroupId, JobId, NodeId } from "./ids.ts";
import type { ClusterStatus, NodeStatus } from "./metadata-service.ts";
import type { Page } from "./namespace.ts";
import type { ScrubStatus } from "./node-commands.ts";

/** One sentence about the cluster, with what it rests on and how old that is. */
export interface HealthClaim {
  /** Stable name, such as `redundancy` or `scrub`. */
  readonly name: string;
  readonly verdict: "good" | "attention" | "bad";
  readonly message: string;
  /** What was looked at, in words a person can check. */
  readonly evidence: string;
  /** Wall clock ms of the evidence. */
  readonly asOf: number;
  readonly hint?: string | undefined;
}

/** What an operator asks first, in this order: is my data safe, how many failures can it take, when is it full, what runs. */
export interface ClusterHealth {
  readonly safe: "yes" | "reduced" | "no";
  readonly canLoseNodes: number;
  /** Bytes that still fit with the drive's copies, and days until then at the rate of the last week; undefined: not to be told. */
  readonly freeBytes: number;
  readonly fullInDays: number | undefined;
  readonly claims: readonly HealthClaim[];
  readonly repair: RepairStatus;
  readonly scrub: readonly (ScrubStatus & { readonly node: NodeId })[];
  readonly collection: CollectionStatus;
  readonly jobs: readonly Job[];
  readonly status: ClusterStatus;
}

export type Severity = "info" | "warning" | "error";

/** Something that happened to the cluster and that an operator may want to know later. */
export interface ClusterEvent {
  readonly sequence: number;
  readonly at: number;
  readonly severity: Severity;
  /** Stable and dotted: `node.down`, `repair.started`, `chunk.lost`. */
  readonly kind: string;
  /** What it is about: a node, a disk, a group, a job. */
  readonly subject: string;
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
}

/** One threshold of maintenance. */
export interface Setting {
  readonly name: string;
  readonly value: number;
  readonly default: number;
  readonly unit: "ms" | "bytes/s" | "bytes" | "count" | "percent" | "switch";
  readonly min: number;
  readonly max: number;
  readonly description: string;
}

export type JobKind = "drain" | "rebalance" | "change-copies" | "collect" | "scrub" | "remove" | "lifecycle";
export type JobState = "running" | "paused" | "done" | "failed" | "cancelled";

/** Long work that somebody asked for, or that the rules of a bucket did. */
export interface Job {
  readonly id: JobId;
  readonly kind: JobKind;
  readonly state: JobState;
  /** A node, a drive, or `cluster`. */
  readonly subject: string;
  readonly doneItems: number;
  readonly totalItems: number;
  readonly doneBytes: number;
  readonly totalBytes: number;
  readonly bytesPerSecond: number;
  readonly etaMs: number | undefined;
  readonly message: string;
  readonly createdAt: number;
  readonly finishedAt: number | undefined;
}

export interface RepairStatus {
  readonly state: "idle" | "waiting" | "running" | "paused" | "safe-mode" | "storm-brake";
  /** Why it is so, in a sentence. */
  readonly reason: string;
  /** When waiting: ms until the next group may be repaired. */
  readonly startsInMs: number | undefined;
  readonly groupsWaiting: number;
  readonly groupsMoving: number;
  readonly chunksWaiting: number;
  readonly doneBytes: number;
  readonly totalBytes: number;
  readonly bytesPerSecond: number;
  readonly etaMs: number | undefined;
  readonly moves: readonly GroupMove[];
}

export type MoveReason = "lost" | "drain" | "rebalance" | "more-copies";

/** A group that is getting a copy on another disk. */
export interface GroupMove {
  readonly group: GroupId;
  readonly reason: MoveReason;
  /** The disk that leaves when the new copy is complete; undefined: none does. */
  readonly from: DiskId | undefined;
  readonly to: DiskId;
  readonly job: JobId | undefined;
  readonly doneBytes: number;
  readonly totalBytes: number;
  readonly startedAt: number;
}

/** What collection has found and freed. */
export interface CollectionStatus {
  readonly state: "idle" | "running" | "paused" | "no-delete" | "safe-mode";
  readonly reason: string;
  /** Chunks without references that are still inside their grace. */
  readonly inGraceChunks: number;
  readonly inGraceBytes: number;
  /** Condemned, and not yet deleted everywhere. */
  readonly condemnedChunks: number;
  readonly orphansDeleted: number;
  readonly deletedChunks: number;
  readonly deletedBytes: number;
  readonly lastRunAt: number | undefined;
  readonly lastAuditAt: number | undefined;
}

/** What a run of the collection would delete, and why; nothing was changed. */
export interface CollectionPreview {
  readonly classes: readonly {
    readonly why: "unreferenced" | "orphan" | "extra-copy";
    readonly chunks: number;
    readonly bytes: number;
    readonly explanation: string;
  }[];
}

/** A change of who stores what. */
export type MembershipChange =
  | { readonly kind: "drain" | "undrain" | "remove"; readonly node: NodeId }
  | {
      readonly kind: "maintenance";
      readonly node: NodeId;
      readonly on: boolean;
      readonly durationMs?: number | undefined;
    }
  | { readonly kind: "rebalance" }
  | { readonly kind: "change-copies"; readonly drive: DriveId; readonly copies: number };

/** What a change would do. Refusals say why it would reduce safety; then it cannot be applied. */
export interface ChangePlan {
  readonly change: MembershipChange;
  readonly refusals: readonly string[];
  readonly warnings: readonly string[];
  readonly groupsToMove: number;
  readonly bytesToMove: number;
  readonly etaMs: number | undefined;
  /** What each disk holds now and would hold after it. */
  readonly disks: readonly {
    readonly disk: DiskId;
    readonly node: NodeId;
    readonly beforeBytes: number;
    readonly afterBytes: number;
  }[];
  /** How many node failures the data survives now, during the change and after it. */
  readonly canLoseNodes: { readonly now: number; readonly during: number; readonly after: number };
}

/** What stands and falls with one node. */
export interface NodeImpact {
  readonly node: NodeStatus;
  readonly duty: NodeDuty;
  readonly health: NodeHealth;
  readonly groups: number;
  readonly chunks: number;
  readonly bytes: number;
  /** Chunks whose only reachable copy is on this node. */
  readonly onlyCopyChunks: number;
  readonly canLoseNodesWithout: number;
}

/** What an operator asks and orders. Orders need the scope admin. */
export interface OperationsService {
  health(): Promise<ClusterHealth>;
  /**
   * Oldest first after a sequence number; a negative one counts from the end, −50 for the last 50. `waitMs` > 0 waits so
   * long for the first one. At most 1,000.
   */
  events(
    after: number,
    options: { readonly limit: number; readonly waitMs?: number | undefined; readonly severity?: Severity | undefined },
  ): Promise<readonly ClusterEvent[]>;
  settings(): Promise<readonly Setting[]>;
  /** All or none. Throws invalid for an unknown name or a value out of range. */
  changeSettings(changes: Readonly<Record<string, number>>): Promise<readonly Setting[]>;
  jobs(cursor: string | undefined, limit: number): Promise<Page<Job>>;
  /** Throws not-found. */
  job(id: JobId): Promise<Job>;
  /** Ends a job in order; what it has moved stays moved. Throws not-found, conflict (has ended). */
  cancelJob(id: JobId): Promise<Job>;
  repairStatus(): Promise<RepairStatus>;
  scrubStatus(): Promise<readonly (ScrubStatus & { readonly node: NodeId })[]>;
  startScrub(): Promise<Job>;
  collectionStatus(): Promise<CollectionStatus>;
  previewCollection(): Promise<CollectionPreview>;
  /** Begins a run now; the graces stay as they are set. */
  startCollection(): Promise<Job>;
  /** Leaves no-delete mode: what this database does not know counts as left over from then on. Without that mode nothing changes. */
  resumeCollection(): Promise<CollectionStatus>;
  /** Tells what a change would do, and changes nothing. Throws not-found. */
  planChange(change: MembershipChange): Promise<ChangePlan>;
  /** Throws conflict with the refusals of the plan. Undrain and maintenance answer undefined: they are done at once. */
  applyChange(change: MembershipChange): Promise<Job | undefined>;
  nodeImpact(node: NodeId): Promise<NodeImpact>;
}
