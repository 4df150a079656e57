import type { CompactionMachinery } from "./machinery.ts";
import { type NodeOrdersWorld, orderNodes } from "./node-orders.ts";

/** The nodes compact by themselves; told to, they free at once all that may be freed, worth it or not. */
export class NodeCompaction implements CompactionMachinery {
  readonly #world: NodeOrdersWorld;

  constructor(world: NodeOrdersWorld) {
    this.#world = world;
  }

  start(): Promise<number> {
    return orderNodes(this.#world, "start compaction", (node, command) => node.startCompaction(command));
  }
}
