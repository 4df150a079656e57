import type { GroupId, NodeId } from "@cairn/protocol";

const sealsPerReply = 256;
const timesTold = 3;

/**
 * Which nodes are still to be told that a group takes no more chunks. A seal is repeated until the node reports the group
 * as sealed, a few times at most: it saves a node work and is no guard, since nobody gets a token for a sealed group.
 */
export class SealBoard {
  readonly #pending = new Map<NodeId, Map<GroupId, number>>();

  add(group: GroupId, nodes: Iterable<NodeId>): void {
    for (const node of nodes) {
      const groups = this.#pending.get(node) ?? new Map<GroupId, number>();
      groups.set(group, 0);
      this.#pending.set(node, groups);
    }
  }

  /** The node has reported it as sealed. */
  done(group: GroupId, node: NodeId): void {
    this.#pending.get(node)?.delete(group);
  }

  /** The seals for one reply. */
  take(node: NodeId): GroupId[] {
    const groups = this.#pending.get(node);
    if (!groups) return [];
    const seal = [...groups.keys()].slice(0, sealsPerReply);
    for (const group of seal) {
      const times = (groups.get(group) ?? 0) + 1;
      if (times >= timesTold) groups.delete(group);
      else groups.set(group, times);
    }
    return seal;
  }
}
