import { type CollectionStatus, type NodeId, type RepairStatus, StorageError } from "@cairn/protocol";
import type { Machinery, RunningMachinery } from "./machinery.ts";

const reason = "this metadata server has no way to command storage nodes";

/** For a metadata server that was opened without a way to reach its nodes: it says so, and orders are refused. */
export function unwiredMachinery(): RunningMachinery {
  const refuse = (operation: string): Promise<never> =>
    Promise.reject(new StorageError("unavailable", operation, reason));
  const machinery: Machinery = {
    healing: {
      repairStatus: async () => idleRepair,
      duty: () => "active",
      setDuty: (node: NodeId) => refuse(`change ${node}`),
      startMove: async () => false,
      cancelMoves: async () => 0,
      setGroupCopies: async () => false,
    },
    collection: {
      status: async () => idleCollection,
      preview: async () => ({ classes: [] }),
      runNow: () => refuse("collect"),
    },
    scrub: { status: () => [], start: () => refuse("scrub") },
  };
  return { machinery, jobs: [], stop: async () => undefined };
}

const idleRepair: RepairStatus = {
  state: "paused",
  reason,
  startsInMs: undefined,
  groupsWaiting: 0,
  groupsMoving: 0,
  chunksWaiting: 0,
  doneBytes: 0,
  totalBytes: 0,
  bytesPerSecond: 0,
  etaMs: undefined,
  moves: [],
};

const idleCollection: CollectionStatus = {
  state: "paused",
  reason,
  inGraceChunks: 0,
  inGraceBytes: 0,
  condemnedChunks: 0,
  orphansDeleted: 0,
  deletedChunks: 0,
  deletedBytes: 0,
  lastRunAt: undefined,
  lastAuditAt: undefined,
};
