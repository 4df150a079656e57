import type { NodeCommandsAt } from "@cairn/protocol";
import { Collection } from "../collection/collection.ts";
import type { ClusterCore } from "../service/cluster-core.ts";
import type { MaintenanceJob } from "../service/maintenance.ts";
import type { Store } from "../sql/store.ts";
import type { Machinery } from "./machinery.ts";
import { NodeScrub } from "./node-scrub.ts";
import type { OperationsWorld } from "./operations-world.ts";
import { unwiredMachinery } from "./unwired-machinery.ts";

interface WiringWorld {
  readonly env: OperationsWorld["env"];
  readonly store: Store;
  readonly core: ClusterCore;
  readonly nodes: NodeCommandsAt;
}

/** What heals, collects and scrubs a cluster whose nodes can be commanded, and its jobs for startMaintenance. */
export function wiredMachinery(world: WiringWorld): {
  readonly machinery: Machinery;
  readonly jobs: readonly MaintenanceJob[];
} {
  const { core, nodes } = world;
  const { map, health, signer, readiness, duties, scrubs } = core;
  const { machinery: unwired } = unwiredMachinery();
  const collection = new Collection({ ...world, readiness });
  const scrub = new NodeScrub({ map, health, signer, commandsAt: nodes, reported: () => scrubs.all() });
  return {
    machinery: {
      healing: {
        ...unwired.healing,
        duty: (node) => duties.of(node),
        setDuty: (node, duty, until) => duties.set(node, duty, until),
      },
      collection: {
        ...unwired.collection,
        status: () => collection.status(),
        runNow: (signal) => collection.runNow(signal),
      },
      scrub,
    },
    jobs: collection.jobs(),
  };
}
