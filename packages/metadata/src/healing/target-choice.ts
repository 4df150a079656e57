import type { DiskId, NodeId } from "@cairn/protocol";
import type { GroupRecord } from "../cluster/cluster-map.ts";
import { type DiskStanding, type Standings, takesCopies } from "./disk-standing.ts";

/** A copy fills a disk no further than to this share of its size: beyond it even deletes get tight. */
const fillMax = 0.9;

export interface TargetQuestion {
  readonly group: GroupRecord;
  /** The disk that leaves; undefined: none does. */
  readonly from: DiskId | undefined;
  readonly standings: Standings;
  /** Disks that have a copy of the group already although they are no members. */
  readonly holders: ReadonlySet<DiskId>;
  /** Bytes that are on their way to a disk already. */
  readonly incomingBytes: (disk: DiskId) => number;
  /** Disks that must not be chosen now. */
  readonly isBusy: (disk: DiskId) => boolean;
  /** Sets of nodes that groups of so many copies should live on. */
  readonly copysets: readonly (readonly NodeId[])[];
}

/**
 * The disk that is to get a copy of a group: on a node that has none of its copies, with room, and not busy. A disk that
 * holds an old copy comes first, since most of it need not be sent; then nodes that make a copyset with those that
 * stay; then the one with the most free space. Undefined: there is none now.
 */
export function chooseTarget(question: TargetQuestion): DiskId | undefined {
  const { group, from, standings, holders } = question;
  const taken = new Set(group.slots.map((slot) => standings.get(slot.disk)?.node));
  const staying = group.slots
    .filter((slot) => slot.disk !== from && slot.state !== "joining")
    .flatMap((slot) => standings.get(slot.disk)?.node ?? []);
  const holdingNodes = new Set([...holders].map((disk) => standings.get(disk)?.node));
  let best: { readonly disk: DiskId; readonly rank: readonly number[] } | undefined;
  for (const standing of standings.values()) {
    const { disk } = standing.disk;
    const holds = holders.has(disk);
    if (!takesCopies(standing) || taken.has(standing.node) || question.isBusy(disk)) continue;
    // A node keeps a group on one of its disks only.
    if (holdingNodes.has(standing.node) && !holds) continue;
    const free = freeBytes(standing, question.incomingBytes(disk));
    if (!holds && free < group.bytes + (1 - fillMax) * standing.disk.totalBytes) continue;
    const rank = [Number(holds), Number(isCopyset([...staying, standing.node], question.copysets)), free, -disk];
    if (!best || compareRanks(rank, best.rank) > 0) best = { disk, rank };
  }
  return best?.disk;
}

function freeBytes({ disk }: DiskStanding, incoming: number): number {
  return disk.freeBytes - incoming;
}

function isCopyset(nodes: readonly NodeId[], copysets: readonly (readonly NodeId[])[]): boolean {
  return copysets.some((set) => nodes.every((node) => set.includes(node)));
}

function compareRanks(a: readonly number[], b: readonly number[]): number {
  for (const [index, value] of a.entries()) {
    const difference = value - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
