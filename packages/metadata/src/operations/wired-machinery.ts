import type { NodeCommandsAt } from "@cairn/protocol";
import { Collection } from "../collection/collection.ts";
import { Healing } from "../healing/healing.ts";
import { Lifecycle } from "../lifecycle/lifecycle.ts";
import { Deliveries } from "../notification/deliveries.ts";
import type { ClusterCore } from "../service/cluster-core.ts";
import type { Store } from "../sql/store.ts";
import type { RunningMachinery } from "./machinery.ts";
import { NodeCompaction } from "./node-compaction.ts";
import { NodeScrub } from "./node-scrub.ts";
import type { OperationsWorld } from "./operations-world.ts";

interface WiringWorld {
  readonly env: OperationsWorld["env"];
  readonly store: Store;
  readonly core: ClusterCore;
  readonly nodes: NodeCommandsAt;
}

/** What heals, collects and scrubs a cluster whose nodes can be commanded. */
export function wiredMachinery(world: WiringWorld): RunningMachinery {
  const { core, nodes } = world;
  const { map, health, signer, readiness, scrubs } = core;
  const healing = new Healing({ ...world, database: world.store.database });
  const collection = new Collection({ ...world, readiness });
  const lifecycle = new Lifecycle(world);
  const deliveries = new Deliveries(world);
  const orders = { map, health, signer, commandsAt: nodes };
  const scrub = new NodeScrub({ ...orders, reported: () => scrubs.all() });
  return {
    machinery: { healing, collection, scrub, compaction: new NodeCompaction(orders), lifecycle },
    jobs: [...healing.jobs(), ...collection.jobs(), ...deliveries.jobs()],
    stop: async () => {
      await deliveries[Symbol.asyncDispose]();
      await healing[Symbol.asyncDispose]();
    },
  };
}
