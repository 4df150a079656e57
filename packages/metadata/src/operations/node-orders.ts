import { type NodeCommandService, type NodeCommandsAt, StorageError } from "@cairn/protocol";
import type { ClusterMap } from "../cluster/cluster-map.ts";
import type { HealthBoard } from "../membership/health-board.ts";
import type { TokenSigner } from "../membership/token-signer.ts";

export interface NodeOrdersWorld {
  readonly map: ClusterMap;
  readonly health: HealthBoard;
  readonly signer: TokenSigner;
  readonly commandsAt: NodeCommandsAt;
}

/**
 * Gives all nodes that are online one order, under the leader's command. Answers how many took it; throws unavailable when
 * none did.
 */
export async function orderNodes(
  { map, health, signer, commandsAt }: NodeOrdersWorld,
  operation: string,
  order: (node: NodeCommandService, command: string) => Promise<void>,
): Promise<number> {
  const online = [...map.nodes()].filter(({ node }) => health.health(node) === "online");
  const told = await Promise.allSettled(online.map(({ node, url }) => order(commandsAt(url), signer.command(node))));
  const count = told.filter(({ status }) => status === "fulfilled").length;
  if (count > 0) return count;
  const failure = told.find((outcome) => outcome.status === "rejected");
  throw new StorageError("unavailable", operation, "no node could be told", { cause: failure?.reason });
}
