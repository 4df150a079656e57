import type { Sql } from "@cairn/env";
import { type GroupId, parseGroupId } from "@cairn/protocol";

/** How many chunks that versions need are in a group, and their bytes once. */
export interface GroupChunks {
  readonly chunks: number;
  readonly bytes: number;
}

/**
 * Adds to the counters of groups (table `usage`, scope `group:<id>`) in the transaction that changes the chunks' rows:
 * call it whenever a chunk's references leave or reach 0. `shard` keeps several metadata servers off each other's rows.
 */
export async function countGroupChunks(
  sql: Sql,
  changes: ReadonlyMap<GroupId, GroupChunks>,
  shard: number = 0,
): Promise<void> {
  for (const [group, change] of changes) {
    if (change.chunks === 0 && change.bytes === 0) continue;
    await sql.run(
      `INSERT INTO usage (scope, shard, bytes, files, folders, trashed, versions) VALUES (?, ?, ?, ?, 0, 0, 0)
       ON CONFLICT (scope, shard) DO UPDATE SET bytes = usage.bytes + excluded.bytes, files = usage.files + excluded.files`,
      `group:${group}`,
      shard,
      change.bytes,
      change.chunks,
    );
  }
}

/** The exact counters of all groups that hold chunks. */
export async function groupChunks(sql: Sql): Promise<Map<GroupId, GroupChunks>> {
  const rows = await sql.all<{ scope: string; bytes: number; files: number }>(
    `SELECT scope, SUM(bytes) AS bytes, SUM(files) AS files FROM usage WHERE scope >= 'group:' AND scope < 'group;'
     GROUP BY scope`,
  );
  return new Map(
    rows.map((row) => [
      parseGroupId(Number(row.scope.slice("group:".length))),
      { chunks: Number(row.files), bytes: Number(row.bytes) },
    ]),
  );
}
