import type { DiskId, GroupId } from "@cairn/protocol";
import { queueBadCopy } from "../cluster/bad-copies.ts";
import type { NeededChunk } from "./group-chunks.ts";
import type { HealingWorld } from "./healing-world.ts";

/** Queues the repair of chunks that a member was found not to have. */
export async function queueMissing(
  { core, env }: HealingWorld,
  { group, disk }: { readonly group: GroupId; readonly disk: DiskId },
  chunks: readonly NeededChunk[],
): Promise<void> {
  const slots = (core.map.group(group)?.slots ?? []).map((slot) => slot.disk);
  await core.leaderWrites.run(async (sql) => {
    for (const { id, generation } of chunks) {
      const copy = { group, disk, what: "missing", id, generation } as const;
      await queueBadCopy(sql, copy, { slots, now: env.clock.now() });
    }
  });
}
