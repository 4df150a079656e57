import type { Store } from "./store.ts";

/** How long the answer to a commit id, and a line of the change feed, are kept. */
export const logKeptMs = 604_800_000;

/** Rows deleted in one transaction. */
const rowsAtOnce = 2000;

/**
 * Deletes what nobody will ask for any more: answers to commit ids and lines of the change feed that are older than
 * logKeptMs. The last line of the feed stays, since the next one counts on from it. False when nothing was left to delete.
 */
export function pruneLogs(store: Store): Promise<boolean> {
  return store.queue.submit(async (tx) => {
    const before = tx.now - logKeptMs;
    const answers = await tx.run(
      `DELETE FROM commit_log WHERE id IN (SELECT id FROM commit_log WHERE at < ? ORDER BY at LIMIT ${rowsAtOnce})`,
      before,
    );
    const oldest = await tx.all<{ sequence: number; at: number }>(
      `SELECT sequence, at FROM change WHERE sequence < (SELECT MAX(sequence) FROM change)
       ORDER BY sequence LIMIT ${rowsAtOnce}`,
    );
    const fresh = oldest.findIndex((line) => line.at >= before);
    const end = fresh === -1 ? oldest.at(-1) : oldest[fresh - 1];
    const lines = end ? await tx.run("DELETE FROM change WHERE sequence <= ?", end.sequence) : 0;
    return answers + lines > 0;
  }, rowsAtOnce);
}
