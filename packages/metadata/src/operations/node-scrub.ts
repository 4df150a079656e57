import type { NodeId, ScrubStatus } from "@cairn/protocol";
import type { ScrubMachinery } from "./machinery.ts";
import { type NodeOrdersWorld, orderNodes } from "./node-orders.ts";

/** The scrub as the nodes do it: they tell how far they are with their heartbeats, and begin anew when told to. */
export class NodeScrub implements ScrubMachinery {
  readonly #world: NodeScrubWorld;

  constructor(world: NodeScrubWorld) {
    this.#world = world;
  }

  status(): readonly (ScrubStatus & { readonly node: NodeId })[] {
    return this.#world.reported();
  }

  /** Throws unavailable when no node could be told; a node that could not is read when its turn comes by itself. */
  start(): Promise<number> {
    return orderNodes(this.#world, "start scrub", (node, command) => node.startScrub(command));
  }
}

interface NodeScrubWorld extends NodeOrdersWorld {
  /** What the last heartbeats told. */
  readonly reported: () => readonly (ScrubStatus & { readonly node: NodeId })[];
}
