import type { Sql, SqlDatabase } from "@cairn/env";
import { chunkIdFromHash, type DiskId, type Generation, type GroupId, limits, type WantedCopy } from "@cairn/protocol";

/** A chunk of a group that has to be on all members: its row is live, whether something refers to it or not yet. */
export interface NeededChunk extends WantedCopy {
  readonly hash: Uint8Array;
}

interface ChunkRow {
  readonly hash: Uint8Array;
  readonly generation: number;
  readonly length: number;
}

export const beforeAll: Uint8Array = new Uint8Array(0);

/**
 * Needed chunks of a group with hashes in (after, upTo], in their order, at most `limit`. `exceptKnownOn` leaves out those whose copy
 * on that disk is known to be missing or damaged and waits for its repair.
 */
export async function neededChunks(
  sql: Sql,
  group: GroupId,
  range: {
    readonly after: Uint8Array;
    readonly upTo?: Uint8Array | undefined;
    readonly limit: number;
    readonly exceptKnownOn?: DiskId | undefined;
  },
): Promise<NeededChunk[]> {
  const upTo = range.upTo ? " AND hash <= ?" : "";
  const known =
    range.exceptKnownOn === undefined
      ? ""
      : ` AND NOT EXISTS (SELECT 1 FROM repair WHERE repair.grp = chunk.grp AND repair.hash = chunk.hash
           AND repair.generation = chunk.generation AND repair.disk = ? AND repair.reason IN ('corrupt', 'missing'))`;
  const rows = await sql.all<ChunkRow>(
    `SELECT hash, generation, length FROM chunk WHERE grp = ? AND hash > ?${upTo} AND state = 0${known}
     ORDER BY hash LIMIT ?`,
    group,
    range.after,
    ...(range.upTo ? [range.upTo] : []),
    ...(range.exceptKnownOn === undefined ? [] : [range.exceptKnownOn]),
    range.limit,
  );
  return rows.map((row) => ({
    id: chunkIdFromHash(row.hash),
    hash: row.hash,
    generation: row.generation as Generation,
    length: row.length,
  }));
}

/** Bytes of all needed chunks of a group. */
export async function neededBytes(database: SqlDatabase, group: GroupId): Promise<number> {
  const row = await database.read((sql) =>
    sql.get<{ bytes: number | null }>("SELECT SUM(length) AS bytes FROM chunk WHERE grp = ? AND state = 0", group),
  );
  return Number(row?.bytes ?? 0);
}

/** The first of these that one order may name: at most copyChunksMax, and copyBytesMax bytes of them. */
export function oneOrder<Chunk extends WantedCopy>(chunks: readonly Chunk[]): readonly Chunk[] {
  let bytes = 0;
  let count = 0;
  for (const { length } of chunks) {
    bytes += length;
    if (count === limits.copyChunksMax || (count > 0 && bytes > limits.copyBytesMax)) break;
    count++;
  }
  return chunks.slice(0, count);
}
