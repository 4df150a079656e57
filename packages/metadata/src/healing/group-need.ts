import type { DiskId, MoveReason } from "@cairn/protocol";
import type { GroupRecord } from "../cluster/cluster-map.ts";
import { type DiskStanding, isGood, isReachable, type Standings } from "./disk-standing.ts";

/** A copy that a group should get. */
export interface GroupNeed {
  readonly group: GroupRecord;
  /** The disk whose place is to be taken; undefined: the group has fewer copies than it is to have. */
  readonly from: DiskId | undefined;
  readonly reason: MoveReason;
  /** Copies that can be read right now. */
  readonly goodCopies: number;
  /** ms until it is time; 0: now. */
  readonly dueInMs: number;
}

export interface RepairDelays {
  /** ms of silence while at least two good copies are left. */
  readonly usualMs: number;
  /** … while one is. */
  readonly singleMs: number;
}

/**
 * What a group needs most, or undefined when it lacks nothing. A copy counts as lost when its disk has failed or its node
 * was removed, at once, and when its node has been silent for the delay; never while the node is in maintenance.
 */
export function needOf(group: GroupRecord, standings: Standings, delays: RepairDelays): GroupNeed | undefined {
  const slots = group.slots.filter((slot) => slot.state !== "joining");
  const goodCopies = slots.filter((slot) => isGood(standings.get(slot.disk))).length;
  const delayMs = goodCopies <= 1 ? delays.singleMs : delays.usualMs;
  const need = (from: DiskId | undefined, reason: MoveReason, dueInMs: number): GroupNeed => ({
    group,
    from,
    reason,
    goodCopies,
    dueInMs,
  });
  let next: GroupNeed | undefined;
  for (const { disk } of slots) {
    const dueInMs = lostIn(standings.get(disk), delayMs);
    if (dueInMs !== undefined && dueInMs < (next?.dueInMs ?? Number.POSITIVE_INFINITY)) {
      next = need(disk, "lost", dueInMs);
    }
  }
  if (next?.dueInMs === 0) return next;
  const leaving = slots.find(({ disk }) => standings.get(disk)?.duty === "draining");
  if (leaving) return need(leaving.disk, "drain", 0);
  if (slots.length < group.copies) return need(undefined, "more-copies", 0);
  return next;
}

/** Whether there is anybody to copy from. */
export function hasSource(group: GroupRecord, standings: Standings): boolean {
  return group.slots.some((slot) => slot.state !== "joining" && isReachable(standings.get(slot.disk)));
}

/** The most urgent first: fewest good copies, then what was lost before what somebody wants, then the small ones. */
export function compareNeeds(a: GroupNeed, b: GroupNeed): number {
  return (
    a.goodCopies - b.goodCopies ||
    Number(a.reason !== "lost") - Number(b.reason !== "lost") ||
    a.group.bytes - b.group.bytes ||
    a.group.id - b.group.id
  );
}

/** ms until the copy on a disk counts as lost; undefined while nothing is wrong with it. */
export function lostIn(standing: DiskStanding | undefined, delayMs: number): number | undefined {
  if (!standing || standing.duty === "removed") return 0;
  if (standing.duty === "maintenance") return undefined;
  if (standing.disk.state === "failed") return 0;
  if (standing.health === "online") return undefined;
  return Math.max(0, delayMs - standing.awayMs);
}
