import {
  type DiskId,
  type GroupId,
  type InventoryPage,
  isKind,
  type NodeCommandService,
  StorageError,
} from "@cairn/protocol";
import type { NodeRecord } from "../cluster/cluster-map.ts";
import type { HealingWorld } from "./healing-world.ts";

/** The way to command the node of a disk. */
export interface NodeOrder {
  readonly node: NodeRecord;
  readonly service: NodeCommandService;
  /** A fresh token: it lives for a minute. */
  readonly command: () => string;
}

/** Finds who is to be told about a disk. */
export class NodeOrders {
  readonly #world: HealingWorld;

  constructor(world: HealingWorld) {
    this.#world = world;
  }

  /** Throws unavailable for a disk that is not known. */
  of(disk: DiskId): NodeOrder {
    const { core, nodes } = this.#world;
    const name = core.map.disk(disk)?.node;
    const node = name && core.map.node(name);
    if (!node) throw new StorageError("unavailable", "command node", `disk ${disk} is not known`);
    return { node, service: nodes(node.url), command: () => core.signer.command(node.node) };
  }

  /**
   * What a disk holds of a group, page by page in order of (id, generation); nothing when its node does not have the group
   * at all. Throws as `inventory` does.
   */
  async *inventory(group: GroupId, disk: DiskId, signal: AbortSignal): AsyncGenerator<InventoryPage["chunks"]> {
    let cursor: string | undefined;
    do {
      const page = await this.#page({ group, disk, cursor }, signal);
      yield page.chunks;
      cursor = page.cursor;
    } while (cursor !== undefined);
  }

  async #page(
    { group, disk, cursor }: { readonly group: GroupId; readonly disk: DiskId; readonly cursor: string | undefined },
    signal: AbortSignal,
  ): Promise<InventoryPage> {
    const { service, command } = this.of(disk);
    try {
      return await service.inventory(group, cursor, command(), signal);
    } catch (error) {
      if (isKind(error, "not-found")) return { chunks: [], cursor: undefined };
      throw error;
    }
  }
}
