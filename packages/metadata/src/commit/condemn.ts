import { chunkIdFromHash, type ExactChunk, type Generation, type GroupId } from "@cairn/protocol";
import type { Store } from "../sql/store.ts";
import type { Transaction } from "../sql/transaction.ts";

/** How long a chunk stays after nothing refers to it any more. A margin for people and slow writers, not a safety. */
export const condemnGraceMs = 86_400_000;

interface CondemnedRow {
  readonly hash: Uint8Array;
  readonly generation: number;
  readonly grp: number;
}

export interface CondemnOptions {
  /** Absent: condemnGraceMs. */
  readonly graceMs?: number | undefined;
  /** Wall clock ms from which the grace counts back; absent: the transaction's. */
  readonly now?: number | undefined;
  /** First in the transaction; nothing is condemned when it throws. */
  readonly guard?: ((tx: Transaction) => Promise<void>) | undefined;
}

/**
 * Condemns up to `limit` chunks that nothing has referred to for the grace period: from now on no commit takes these
 * writes, and nodes may delete exactly these. One statement decides, so that a commit comes either before it and keeps
 * the chunk, or after it and finds it gone (storage-design §2).
 */
export function condemn(store: Store, limit: number, options: CondemnOptions = {}): Promise<readonly ExactChunk[]> {
  return store.queue.submit(async (tx) => {
    await options.guard?.(tx);
    const before = (options.now ?? tx.now) - (options.graceMs ?? condemnGraceMs);
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
