import type { Sql } from "@cairn/env";
import { chunkIdFromHash, type DiskId, type Generation, type GroupId, parseGroupId } from "@cairn/protocol";
import type { NeededChunk } from "../group-chunks.ts";

export type RepairReason = "corrupt" | "missing" | "stale" | "lost";

/** A copy that waits for its repair. `disk` 0: whichever member lacks it. */
export interface RepairRow {
  readonly group: GroupId;
  readonly disk: DiskId | 0;
  readonly reason: RepairReason;
  readonly priority: number;
  /** Wall clock ms; rises when it is reported again. */
  readonly createdAt: number;
  readonly chunk: NeededChunk;
  /** False: the chunk was deleted or written anew since, and nobody needs this repair. */
  readonly needed: boolean;
}

/** Rows of one group and one priority. */
export interface RepairUnit {
  readonly group: GroupId;
  readonly priority: number;
  readonly rows: number;
}

interface Row {
  readonly hash: Uint8Array;
  readonly generation: number;
  readonly disk: number;
  readonly reason: RepairReason;
  readonly created_at: number;
  readonly length: number | null;
  readonly state: number | null;
}

const live = 0;
const lost = 2;
/** A chunk that is lost has one row that says so, until it comes again. */
export const lostPriority = 9;

/** What waits for repair, the most urgent first. */
export async function repairUnits(sql: Sql): Promise<RepairUnit[]> {
  const rows = await sql.all<{ grp: number; priority: number; rows: number }>(
    `SELECT grp, priority, COUNT(*) AS "rows" FROM repair GROUP BY priority, grp ORDER BY priority, grp`,
  );
  return rows.map((row) => ({ group: parseGroupId(row.grp), priority: row.priority, rows: row.rows }));
}

/** The rows of a unit after a given one, in the order of (hash, generation, disk). */
export async function repairPage(
  sql: Sql,
  unit: RepairUnit,
  after: RepairRow | undefined,
  limit: number,
): Promise<RepairRow[]> {
  const place = after ? [after.chunk.hash, after.chunk.generation, after.disk] : [new Uint8Array(0), 0, 0];
  const rows = await sql.all<Row>(
    `SELECT repair.hash, repair.generation, repair.disk, repair.reason, repair.created_at, chunk.length, chunk.state
     FROM repair LEFT JOIN chunk ON chunk.hash = repair.hash AND chunk.generation = repair.generation AND chunk.grp = repair.grp
     WHERE repair.grp = ? AND repair.priority = ? AND (repair.hash, repair.generation, repair.disk) > (?, ?, ?)
     ORDER BY repair.hash, repair.generation, repair.disk LIMIT ?`,
    unit.group,
    unit.priority,
    ...place,
    limit,
  );
  return rows.map((row) => ({
    group: unit.group,
    disk: row.disk as DiskId | 0,
    reason: row.reason,
    priority: unit.priority,
    createdAt: row.created_at,
    chunk: {
      id: chunkIdFromHash(row.hash),
      hash: row.hash,
      generation: row.generation as Generation,
      length: row.length ?? 0,
    },
    needed: row.state === (row.reason === "lost" ? lost : live),
  }));
}

/** Takes away rows as they were read; one that was reported again since stays. */
export async function deleteRepairs(sql: Sql, rows: readonly RepairRow[]): Promise<void> {
  for (const { group, disk, chunk, createdAt } of rows) {
    await sql.run(
      "DELETE FROM repair WHERE grp = ? AND hash = ? AND generation = ? AND disk = ? AND created_at = ?",
      group,
      chunk.hash,
      chunk.generation,
      disk,
      createdAt,
    );
  }
}

/** In place of a row for whichever member lacks a chunk: one for each of these disks. */
export async function spreadRepair(
  sql: Sql,
  row: RepairRow,
  { disks, now }: { readonly disks: readonly DiskId[]; readonly now: number },
): Promise<void> {
  for (const disk of disks) {
    await sql.run(
      `INSERT INTO repair (grp, hash, generation, disk, priority, reason, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (grp, hash, generation, disk) DO NOTHING`,
      row.group,
      row.chunk.hash,
      row.chunk.generation,
      disk,
      row.priority,
      row.reason,
      now,
    );
  }
  await deleteRepairs(sql, [row]);
}

/** Marks a chunk as lost if it is still the write that was looked for. True when it was marked. */
export async function markLost(sql: Sql, group: GroupId, chunk: NeededChunk, now: number): Promise<boolean> {
  const changed = await sql.run(
    `UPDATE chunk SET state = ${lost} WHERE hash = ? AND generation = ? AND grp = ? AND state = ${live}`,
    chunk.hash,
    chunk.generation,
    group,
  );
  if (changed === 0) return false;
  await sql.run(
    "DELETE FROM repair WHERE grp = ? AND hash = ? AND generation = ?",
    group,
    chunk.hash,
    chunk.generation,
  );
  await sql.run(
    "INSERT INTO repair (grp, hash, generation, disk, priority, reason, created_at) VALUES (?, ?, ?, 0, ?, 'lost', ?)",
    group,
    chunk.hash,
    chunk.generation,
    lostPriority,
    now,
  );
  return true;
}

/** Copies that wait for repair; of lost chunks none does. */
export async function repairsWaiting(sql: Sql): Promise<number> {
  const row = await sql.get<{ waiting: number }>("SELECT COUNT(*) AS waiting FROM repair WHERE reason <> 'lost'");
  return row?.waiting ?? 0;
}
