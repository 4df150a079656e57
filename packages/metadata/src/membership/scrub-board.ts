import type { NodeId, ScrubStatus } from "@cairn/protocol";

/** How far nodes have read their disks, as their last heartbeats told; in memory only. */
export class ScrubBoard {
  readonly #byNode = new Map<NodeId, readonly ScrubStatus[]>();

  note(node: NodeId, disks: readonly ScrubStatus[]): void {
    this.#byNode.set(node, disks);
  }

  all(): readonly (ScrubStatus & { readonly node: NodeId })[] {
    return [...this.#byNode].flatMap(([node, disks]) => disks.map((disk) => ({ node, ...disk })));
  }
}
