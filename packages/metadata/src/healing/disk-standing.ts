import type { Clock } from "@cairn/env";
import type { DiskId, NodeDuty, NodeHealth, NodeId } from "@cairn/protocol";
import type { ClusterMap, DiskRecord } from "../cluster/cluster-map.ts";
import type { HealthBoard } from "../membership/health-board.ts";
import { dutyAt } from "../membership/node-duty.ts";

/** How a disk stands at one moment, for whoever decides what to copy from where to where. */
export interface DiskStanding {
  readonly disk: DiskRecord;
  readonly node: NodeId;
  readonly health: NodeHealth;
  readonly duty: NodeDuty;
  /** Monotonic ms since its node was last heard. */
  readonly awayMs: number;
}

export type Standings = ReadonlyMap<DiskId, DiskStanding>;

/** How all disks stand now. */
export function standingsOf(world: {
  readonly clock: Clock;
  readonly map: ClusterMap;
  readonly health: HealthBoard;
}): Standings {
  const { clock, map, health } = world;
  const now = clock.now();
  const standings = new Map<DiskId, DiskStanding>();
  for (const disk of map.disks()) {
    const node = map.node(disk.node);
    if (!node) continue;
    standings.set(disk.disk, {
      disk,
      node: node.node,
      health: health.health(node.node),
      duty: dutyAt(node, now),
      awayMs: health.awayForMs(node.node),
    });
  }
  return standings;
}

/** Its copies can be read now, and nothing says that they will not be in a moment. */
export function isGood(standing: DiskStanding | undefined): boolean {
  return standing !== undefined && standing.health === "online" && standing.disk.state !== "failed";
}

/** It is worth asking it for copies. */
export function isReachable(standing: DiskStanding | undefined): boolean {
  return standing !== undefined && standing.health !== "down" && standing.disk.state !== "failed";
}

/** It may get copies of groups: it is here to stay, and it takes writes. */
export function takesCopies(standing: DiskStanding | undefined): boolean {
  return isGood(standing) && standing?.disk.state === "ok" && standing.duty === "active";
}
