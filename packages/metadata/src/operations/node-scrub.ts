import { type NodeCommandsAt, type NodeId, type ScrubStatus, StorageError } from "@cairn/protocol";
import type { ClusterMap } from "../cluster/cluster-map.ts";
import type { HealthBoard } from "../membership/health-board.ts";
import type { TokenSigner } from "../membership/token-signer.ts";
import type { ScrubMachinery } from "./machinery.ts";

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
  async start(): Promise<number> {
    const { map, health, signer, commandsAt } = this.#world;
    const online = [...map.nodes()].filter(({ node }) => health.health(node) === "online");
    const told = await Promise.allSettled(
      online.map(({ node, url }) => commandsAt(url).startScrub(signer.command(node))),
    );
    const count = told.filter(({ status }) => status === "fulfilled").length;
    if (count > 0) return count;
    const failure = told.find((outcome) => outcome.status === "rejected");
    throw new StorageError("unavailable", "start scrub", "no node could be told", { cause: failure?.reason });
  }
}

interface NodeScrubWorld {
  readonly map: ClusterMap;
  readonly health: HealthBoard;
  readonly signer: TokenSigner;
  readonly commandsAt: NodeCommandsAt;
  /** What the last heartbeats told. */
  readonly reported: () => readonly (ScrubStatus & { readonly node: NodeId })[];
}
