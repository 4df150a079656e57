import {
  type ChunkId,
  chunkIdFromHash,
  type DriveId,
  type GroupId,
  hashOfChunkId,
  type KnownChunk,
  limits,
  parseChunkId,
  StorageError,
} from "@cairn/protocol";
import { inLists } from "../sql/in-list.ts";
import type { Store } from "../sql/store.ts";

interface ChunkRow {
  readonly hash: Uint8Array;
  readonly grp: number;
  readonly refs: number;
}

/**
 * Which chunks need not be sent again. One that nothing refers to any more is touched, so that it stays until the commit
 * that is on its way; whether it did, the commit itself finds out. Throws not-found (drive), too-large, invalid.
 */
export async function lookupChunks(
  store: Store,
  drive: DriveId,
  ids: readonly ChunkId[],
): Promise<readonly KnownChunk[]> {
  if (ids.length > limits.lookupHashesMax) {
    throw new StorageError("too-large", "look up chunks", `${ids.length} ids`, {
      hint: `At most ${limits.lookupHashesMax} at once.`,
    });
  }
  const hashes = ids.map((id) => hashOfChunkId(parseChunkId(id)));
  const rows = await store.database.read(async (sql) => {
    await store.drives.byId(sql, drive);
    const found: ChunkRow[] = [];
    for (const { values, placeholders } of inLists(hashes)) {
      found.push(
        ...(await sql.all<ChunkRow>(
          `SELECT hash, grp, refs FROM chunk WHERE hash IN ${placeholders} AND state = 0`,
          ...values,
        )),
      );
    }
    return found;
  });
  const used = rows.filter((row) => row.refs > 0);
  const unused = rows.filter((row) => row.refs === 0);
  return [...used, ...(await touch(store, unused))].map((row) => ({
    id: chunkIdFromHash(row.hash),
    group: row.grp as GroupId,
  }));
}

/** Starts the grace period of unused chunks anew; leaves out those that were condemned meanwhile. */
async function touch(store: Store, rows: readonly ChunkRow[]): Promise<ChunkRow[]> {
  if (rows.length === 0) return [];
  return await store.queue.submit(async (tx) => {
    const touched: ChunkRow[] = [];
    for (const row of rows) {
      touched.push(
        ...(await tx.returning<ChunkRow>(
          `UPDATE chunk SET zero_at = CASE WHEN refs = 0 THEN ? ELSE zero_at END
           WHERE hash = ? AND state = 0 RETURNING hash, grp, refs`,
          tx.now,
          row.hash,
        )),
      );
    }
    return touched;
  }, rows.length);
}
