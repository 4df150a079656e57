import type { Clock, Sql } from "@cairn/env";
import type { DamagedCopy, HeartbeatRequest } from "@cairn/protocol";
import { queueBadCopy } from "../cluster/bad-copies.ts";
import type { ClusterMap } from "../cluster/cluster-map.ts";
import type { EventLog } from "../events/event-log.ts";

/**
 * Keeps what a node found when it read its disks, in the caller's transaction: damaged copies are queued for repair, and
 * groups that were read to their end get their time. True when an event was recorded.
 */
export async function recordCare(
  sql: Sql,
  { node, damaged, verified }: HeartbeatRequest,
  world: { readonly clock: Clock; readonly events: EventLog; readonly map: ClusterMap },
): Promise<boolean> {
  const now = world.clock.now();
  for (const { group, disk, at } of verified ?? []) {
    await sql.run(
      `INSERT INTO group_copy (grp, disk, verified_at) VALUES (?, ?, ?) ON CONFLICT (grp, disk) DO UPDATE SET
       verified_at = CASE WHEN group_copy.verified_at > excluded.verified_at THEN group_copy.verified_at ELSE excluded.verified_at END`,
      group,
      disk,
      // A node whose clock is ahead must not make a copy look checked for years to come.
      Math.min(at, now),
    );
  }
  const queued: DamagedCopy[] = [];
  for (const copy of damaged ?? []) {
    const slots = (world.map.group(copy.group)?.slots ?? []).map((slot) => slot.disk);
    if (!slots.includes(copy.disk)) continue;
    if (await queueBadCopy(sql, { ...copy, what: "corrupt" }, { slots, now })) queued.push(copy);
  }
  const [first] = queued;
  if (!first) return false;
  await world.events.record(sql, {
    severity: "warning",
    kind: "copies.damaged",
    subject: node,
    message: `${node} found ${queued.length} damaged ${queued.length === 1 ? "copy" : "copies"} on its disks; they are replaced from good ones`,
    details: { node, disks: [...new Set(queued.map(({ disk }) => disk))], chunks: queued.map(({ id }) => id) },
  });
  return true;
}
