import type { Clock, Sql } from "@cairn/env";
import { type NodeDuty, type NodeId, StorageError } from "@cairn/protocol";
import { type ClusterMap, type NodeRecord, nodeDutyNumber } from "../cluster/cluster-map.ts";
import type { LeaderWrites } from "../healing/leader-writes.ts";

export interface DutyWorld {
  readonly clock: Clock;
  readonly map: ClusterMap;
  readonly leaderWrites: LeaderWrites;
}

/** A node's duty as it counts at a time, wall clock ms: maintenance that has run over its time is none. */
export function dutyAt(node: NodeRecord, now: number): NodeDuty {
  return node.duty === "maintenance" && node.dutyUntil !== undefined && node.dutyUntil <= now ? "active" : node.duty;
}

/** Changes what nodes are there for. Removal is for good. */
export class NodeDuties {
  readonly #world: DutyWorld;

  constructor(world: DutyWorld) {
    this.#world = world;
  }

  /** Of a node that is not known: removed. */
  of(node: NodeId): NodeDuty {
    const record = this.#world.map.node(node);
    return record ? dutyAt(record, this.#world.clock.now()) : "removed";
  }

  /**
   * Durable when it returns. `until`: wall clock ms, for maintenance. Throws not-found, conflict (the node is removed, or
   * is to be removed while groups live on it).
   */
  async set(node: NodeId, duty: NodeDuty, until?: number): Promise<void> {
    const { map, leaderWrites } = this.#world;
    const record = map.node(node);
    if (!record) throw new StorageError("not-found", "change node", node, { hint: "List them with: cairn node list" });
    if (record.duty === "removed" && duty !== "removed") {
      throw new StorageError("conflict", "change node", `${node} is removed for good`, {
        hint: "Let the machine join anew with an empty data folder; it gets a new name.",
      });
    }
    const dutyUntil = duty === "maintenance" ? until : undefined;
    await leaderWrites.run(async (sql) => {
      if (duty === "removed") await assertEmpty(sql, node);
      await sql.run(
        "UPDATE node SET duty = ?, duty_until = ? WHERE name = ?",
        nodeDutyNumber(duty),
        dutyUntil ?? null,
        node,
      );
    });
    // The node may have registered meanwhile: only the duty is ours.
    map.putNode({ ...(map.node(node) ?? record), duty, dutyUntil });
  }

  /** Ends maintenance that has run over its time, and tells so: from then on its groups are repaired like any. */
  async endMaintenance(): Promise<void> {
    const { clock, map, leaderWrites } = this.#world;
    for (const node of [...map.nodes()]) {
      if (node.duty !== "maintenance" || dutyAt(node, clock.now()) === "maintenance") continue;
      await leaderWrites.run(async (sql, tell) => {
        await sql.run("UPDATE node SET duty = 0, duty_until = NULL WHERE name = ? AND duty = 2", node.node);
        const message = `the time of maintenance of ${node.node} is over`;
        await tell({ severity: "info", kind: "node.maintenance-over", subject: node.node, message });
      });
      const latest = map.node(node.node) ?? node;
      if (latest.duty === "maintenance") map.putNode({ ...latest, duty: "active", dutyUntil: undefined });
    }
  }
}

/** Copies on a removed node count for nothing: none may be a member when it goes. */
async function assertEmpty(sql: Sql, node: NodeId): Promise<void> {
  const held = await sql.get<{ groups: number }>(
    `SELECT COUNT(*) AS "groups" FROM grp_slot JOIN disk ON disk.id = grp_slot.disk WHERE disk.node = ?`,
    node,
  );
  if ((held?.groups ?? 0) > 0) {
    throw new StorageError("conflict", "remove node", `${held?.groups} copies of groups are on ${node}`, {
      hint: `Drain it first: cairn node drain ${node}`,
    });
  }
  await sql.run("DELETE FROM extra_copy WHERE disk IN (SELECT id FROM disk WHERE node = ?)", node);
}
