import type { GroupMember } from "@cairn/protocol";

export interface ReplicaView {
  /** False while the node is avoided because it failed just now. */
  usable(member: GroupMember): boolean;
  /** Expected cost of one more read. */
  score(member: GroupMember): number;
  /** In [0, 1). */
  fraction(): number;
}

/**
 * The order in which to ask for a chunk: online members first, then suspect ones and those that failed just now, down
 * ones never before the others. Within a class two at random are compared and the cheaper goes first (power of two
 * choices), which spreads load without herding to the one that looks best to everybody.
 */
export function orderReplicas(members: readonly GroupMember[], view: ReplicaView): GroupMember[] {
  const classes: [GroupMember[], GroupMember[], GroupMember[]] = [[], [], []];
  for (const member of members) {
    if (member.health === "down") classes[2].push(member);
    else if (member.health === "suspect" || !view.usable(member)) classes[1].push(member);
    else classes[0].push(member);
  }
  return classes.flatMap((members) => orderClass(members, view));
}

function orderClass(members: GroupMember[], view: ReplicaView): GroupMember[] {
  const order: GroupMember[] = [];
  const left = [...members];
  while (left.length > 0) {
    const one = Math.floor(view.fraction() * left.length);
    const step = 1 + Math.floor(view.fraction() * (left.length - 1));
    const other = left.length === 1 ? one : (one + step) % left.length;
    const first = left[one];
    const second = left[other];
    if (!first || !second) break;
    const better = view.score(second) < view.score(first) ? other : one;
    order.push(...left.splice(better, 1));
  }
  return order;
}
