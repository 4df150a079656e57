import type { Sql } from "@cairn/env";
import {
  type BadCopy,
  type ChunkId,
  chunkIdFromHash,
  type DiskId,
  type Generation,
  type GroupId,
  hashOfChunkId,
  limits,
  StorageError,
} from "@cairn/protocol";
import type { ClusterMap } from "./cluster-map.ts";
import type { GroupedWrites } from "./grouped-writes.ts";
import type { DamagedChunk } from "./redundancy.ts";

/** Repair goes first to what has one good copy left, then to what is known to be bad. */
const singleCopyPriority = 0;
const badCopyPriority = 1;

/**
 * Queues the repair of copies that readers found bad. A report that names no copy the cluster knows is left out: the
 * chunk may have been deleted or moved since. Reporting twice is the same as once. Throws too-large.
 */
export async function reportBadCopies(
  world: { readonly writes: GroupedWrites; readonly map: ClusterMap },
  copies: readonly BadCopy[],
  now: number,
): Promise<void> {
  if (copies.length > limits.lookupHashesMax) {
    throw new StorageError("too-large", "report bad copies", `${copies.length} copies`, {
      hint: `Report at most ${limits.lookupHashesMax} at once.`,
    });
  }
  const members = copies.filter((copy) => slotsOf(world.map, copy.group).includes(copy.disk));
  if (members.length === 0) return;
  await world.writes.run(async (sql) => {
    for (const copy of members) await queueBadCopy(sql, copy, { slots: slotsOf(world.map, copy.group), now });
  });
}

/** Reports on copies of a chunk: by disk. */
export async function badCopiesOf(
  sql: Sql,
  chunk: { readonly group: GroupId; readonly id: ChunkId; readonly generation: Generation },
): Promise<ReadonlyMap<DiskId, "corrupt" | "missing">> {
  const rows = await sql.all<{ disk: number; reason: "corrupt" | "missing" }>(
    "SELECT disk, reason FROM repair WHERE grp = ? AND hash = ? AND generation = ? AND reason IN ('corrupt', 'missing')",
    chunk.group,
    hashOfChunkId(chunk.id),
    chunk.generation,
  );
  return new Map(rows.map((row) => [row.disk as DiskId, row.reason]));
}

/** All chunks that versions need and that have a known bad copy, or are lost. There are as many as wait for repair. */
export async function damagedChunks(sql: Sql): Promise<DamagedChunk[]> {
  const rows = await sql.all<{ grp: number; hash: Uint8Array; disk: number; reason: string }>(
    `SELECT repair.grp, repair.hash, repair.disk, repair.reason FROM repair
     JOIN chunk ON chunk.hash = repair.hash AND chunk.generation = repair.generation AND chunk.grp = repair.grp
     WHERE ((repair.reason IN ('corrupt', 'missing') AND chunk.state = 0) OR (repair.reason = 'lost' AND chunk.state = 2))
       AND chunk.refs > 0
     ORDER BY repair.grp, repair.hash, repair.generation, repair.disk`,
  );
  const damaged = new Map<string, { group: GroupId; bad: DiskId[]; lost: boolean }>();
  for (const row of rows) {
    const key = `${row.grp} ${chunkIdFromHash(row.hash)}`;
    const chunk = damaged.get(key) ?? { group: row.grp as GroupId, bad: [], lost: row.reason === "lost" };
    if (!chunk.lost) chunk.bad.push(row.disk as DiskId);
    damaged.set(key, chunk);
  }
  return [...damaged.values()];
}

/** A copy that is known to be bad, of the generation that is meant, or of whichever is live. */
export type KnownBadCopy = BadCopy & { readonly generation?: Generation | undefined };

/**
 * Queues the repair of one copy in the caller's transaction, if the chunk is live in this group, and in this generation
 * when one is named. What is queued already stays as it is. True when it was not queued before.
 */
export async function queueBadCopy(
  sql: Sql,
  copy: KnownBadCopy,
  { slots, now }: { readonly slots: readonly DiskId[]; readonly now: number },
): Promise<boolean> {
  const hash = hashOfChunkId(copy.id);
  const chunk = await sql.get<{ generation: Generation }>(
    "SELECT generation FROM chunk WHERE hash = ? AND grp = ? AND state = 0",
    hash,
    copy.group,
  );
  if (!chunk || (copy.generation !== undefined && copy.generation !== chunk.generation)) return false;
  const { generation } = chunk;
  const known = await badCopiesOf(sql, { group: copy.group, id: copy.id, generation });
  const good = slots.filter((disk) => disk !== copy.disk && !known.has(disk)).length;
  const added = await sql.run(
    `INSERT INTO repair (grp, hash, generation, disk, priority, reason, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (grp, hash, generation, disk) DO NOTHING`,
    copy.group,
    hash,
    generation,
    copy.disk,
    good <= 1 ? singleCopyPriority : badCopyPriority,
    copy.what,
    now,
  );
  if (added > 0) return true;
  // A repair that is under way must not take this report for the one that it is about.
  await sql.run(
    "UPDATE repair SET created_at = created_at + 1 WHERE grp = ? AND hash = ? AND generation = ? AND disk = ?",
    copy.group,
    hash,
    generation,
    copy.disk,
  );
  return false;
}

function slotsOf(map: ClusterMap, group: GroupId): readonly DiskId[] {
  return (map.group(group)?.slots ?? []).map((slot) => slot.disk);
}
