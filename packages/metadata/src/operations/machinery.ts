import type {
  CollectionPreview,
  CollectionStatus,
  DiskId,
  DriveId,
  GroupId,
  JobId,
  NodeDuty,
  NodeId,
  RepairStatus,
  ScrubStatus,
} from "@cairn/protocol";
import type { MaintenanceJob } from "../service/maintenance.ts";

/** A group's copy that is wanted on another disk. */
export interface WantedMove {
  readonly group: GroupId;
  readonly from: DiskId;
  readonly to: DiskId;
  readonly job: JobId;
}

/** What moves groups between disks, as the orders of an operator need it. */
export interface HealingMachinery {
  repairStatus(): Promise<RepairStatus>;
  duty(node: NodeId): NodeDuty;
  /** Durable when it returns. Groups leave a draining node without further orders. `until`: wall clock ms, for maintenance. */
  setDuty(node: NodeId, duty: NodeDuty, until?: number): Promise<void>;
  /** False: not now, because the group is on the move already or no disk has a stream free. */
  startMove(move: WantedMove): Promise<boolean>;
  /** Ends the moves of a job in order; what was moved stays moved. Tells how many were ended. */
  cancelMoves(job: JobId): Promise<number>;
  /** More copies are made in the background, one too many goes when enough verified ones are left. False: not now. */
  setGroupCopies(group: GroupId, copies: number): Promise<boolean>;
}

/** What finds and deletes what nobody needs. */
export interface CollectionMachinery {
  status(): Promise<CollectionStatus>;
  preview(): Promise<CollectionPreview>;
  /** One whole run. The graces stay as they are set. */
  runNow(signal: AbortSignal): Promise<{ readonly deletedChunks: number; readonly deletedBytes: number }>;
}

/** What reads disks to check them. */
export interface ScrubMachinery {
  /** As the nodes last told. */
  status(): readonly (ScrubStatus & { readonly node: NodeId })[];
  /** Tells the nodes that are online to begin anew. Answers how many were told. */
  start(): Promise<number>;
}

/** What carries out the lifecycle rules of buckets. */
export interface LifecycleMachinery {
  /** Drives whose rules were not carried out today. */
  due(): Promise<readonly { readonly id: DriveId; readonly name: string }[]>;
  /** A bounded part of it, and how far it is then. */
  round(
    drive: DriveId,
    signal: AbortSignal,
  ): Promise<{ readonly removed: number; readonly message: string; readonly done: boolean }>;
}

/** What frees the bytes of what was deleted. */
export interface CompactionMachinery {
  /** Tells the nodes that are online to free now what may be freed. Answers how many were told; throws unavailable for none. */
  start(): Promise<number>;
}

export interface Machinery {
  readonly healing: HealingMachinery;
  readonly collection: CollectionMachinery;
  readonly scrub: ScrubMachinery;
  readonly compaction: CompactionMachinery;
  readonly lifecycle: LifecycleMachinery;
}

/** Machinery at work. */
export interface RunningMachinery {
  readonly machinery: Machinery;
  /** For startMaintenance. */
  readonly jobs: readonly MaintenanceJob[];
  /** Ends what goes on between the rounds of the jobs; call it when they have ended. */
  readonly stop: () => Promise<void>;
}
