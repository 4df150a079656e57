import type { DiskId, GroupId, GroupMember, NodeId, Redundancy } from "@cairn/protocol";
import type { GroupChunks } from "./group-usage.ts";

/** A group that holds chunks, with its members as they are now. */
export interface HeldGroup {
  readonly copies: number;
  readonly held: GroupChunks;
  readonly members: readonly GroupMember[];
}

/** A chunk that versions need, with the members whose copy of it is known to be bad. */
export interface DamagedChunk {
  readonly group: GroupId;
  readonly bad: readonly DiskId[];
  /** No disk has a sound copy any more. */
  readonly lost?: boolean | undefined;
}

interface Tally {
  full: number;
  reduced: number;
  unreachable: number;
  fewestCopies: number;
  readonly waitingFor: Set<NodeId>;
}

/**
 * How many chunks have how many copies on online nodes. Exact: groups are counted by their members, and chunks with bad
 * copies one by one. Without any data the answer is what the next chunk would survive: `emptyCanLose`.
 */
export function redundancyOf(
  groups: ReadonlyMap<GroupId, HeldGroup>,
  damaged: readonly DamagedChunk[],
  emptyCanLose: number,
): Redundancy {
  const tally: Tally = {
    full: 0,
    reduced: 0,
    unreachable: 0,
    fewestCopies: Number.POSITIVE_INFINITY,
    waitingFor: new Set(),
  };
  const damagedIn = new Map<GroupId, number>();
  for (const chunk of damaged) {
    const group = groups.get(chunk.group);
    if (!group) continue;
    damagedIn.set(chunk.group, (damagedIn.get(chunk.group) ?? 0) + 1);
    count(tally, group, { chunks: 1, bad: chunk.lost ? group.members.map((member) => member.disk) : chunk.bad });
  }
  for (const [id, group] of groups) {
    const whole = group.held.chunks - (damagedIn.get(id) ?? 0);
    if (whole > 0) count(tally, group, { chunks: whole, bad: [] });
  }
  const { full, reduced, unreachable, fewestCopies, waitingFor } = tally;
  const canLoseNodes = fewestCopies === Number.POSITIVE_INFINITY ? emptyCanLose : fewestCopies - 1;
  return { full, reduced, unreachable, canLoseNodes, waitingFor: [...waitingFor].sort() };
}

function count(
  tally: Tally,
  group: HeldGroup,
  what: { readonly chunks: number; readonly bad: readonly DiskId[] },
): void {
  const sound = group.members.filter((member) => !what.bad.includes(member.disk));
  const nodes = new Set(sound.filter((member) => member.health === "online").map((member) => member.node));
  if (nodes.size >= group.copies) tally.full += what.chunks;
  else if (nodes.size > 0) tally.reduced += what.chunks;
  else tally.unreachable += what.chunks;
  tally.fewestCopies = Math.min(tally.fewestCopies, nodes.size);
  if (nodes.size >= group.copies) return;
  for (const member of sound) if (member.health !== "online") tally.waitingFor.add(member.node);
}
