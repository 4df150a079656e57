import { chunkIdFromHash, type ExactChunk, type Generation, type GroupId } from "@cairn/protocol";
import type { Store } from "../sql/store.ts";

/** How long a chunk stays after nothing refers to it any more. A margin for people and slow writers, not a safety. */
export const condemnGraceMs = 86_400_000;

interface CondemnedRow {
  readonly hash: Uint8Array;
  readonly generation: number;
  readonly grp: number;
}

/**
 * Condemns up to `limit` chunks that nothing has referred to for the grace period: from now on no commit takes these
 * writes, and nodes may delete exactly these. One statement decides, so that a commit comes either before it and keeps
 * the chunk, or after it and finds it gone (storage-design §2).
 */
export function condemn(store: Store, limit: number, graceMs: number = condemnGraceMs): Promise<readonly ExactChunk[]> {
  return store.queue.submit(async (tx) => {
    const before = tx.now - graceMs;
    const rows = await tx.returning<CondemnedRow>(
      `UPDATE chunk SET state = 1
       WHERE hash IN (SELECT hash FROM chunk WHERE refs = 0 AND state = 0 AND zero_at < ? ORDER BY zero_at LIMIT ?)
         AND refs = 0 AND state = 0 AND zero_at < ?
       RETURNING hash, generation, grp`,
      before,
      limit,
      before,
    );
    for (const row of rows) {
      await tx.run("INSERT INTO condemned (hash, generation, grp) VALUES (?, ?, ?)", row.hash, row.generation, row.grp);
    }
    return rows.map((row) => ({
      id: chunkIdFromHash(row.hash),
      generation: row.generation as Generation,
      group: row.grp as GroupId,
    }));
  }, 2 * limit);
}
