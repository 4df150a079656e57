import { type CommitId, type DriveId, type EntryId, idFromBytes, StorageError } from "@cairn/protocol";
import { noteObject } from "../notification/object-events.ts";
import { type Store, treeOf } from "../sql/store.ts";
import type { Transaction } from "../sql/transaction.ts";
import type { DriveRecord } from "./drive-table.ts";
import { type EntryRow, entryColumns, fileKind, folderKind } from "./entry-row.ts";
import { Reclaimer, reclaimBudget } from "./reclaim.ts";
import { resolve } from "./resolve.ts";

const removeOperation = "remove entry";
const emptyOperation = "empty trash";

/** Entries that leave the trash in one transaction. */
const emptiedAtOnce = 250;

/**
 * Removes an entry for good with everything below, from its drive or from the trash, in one step. Its rows and the
 * references of its chunks are given back at once while they are few, else bit by bit by `reclaimBacklog`.
 * Throws not-found, invalid (root).
 */
export async function remove(store: Store, commit: CommitId, id: EntryId): Promise<void> {
  await store.queue.submit(async (tx) => {
    if (await tx.replayOf(commit, removeOperation)) return;
    const tree = treeOf(store, tx);
    const { row, entry } = await resolve(tree, store.drives, { id });
    if (row.parent === null) {
      throw new StorageError("invalid", removeOperation, "the root of a drive", { hint: "Remove what is below it." });
    }
    const drive = await store.drives.byBytes(tx.sql, row.drive);
    await detach(tx, row, drive);
    if (row.kind === folderKind) tree.forget();
    await new Reclaimer(tx, store.drives, reclaimBudget).detached(row);
    tx.addChange({ operation: "remove", entry: entry.id });
    if (row.kind === fileKind && entry.trashedAt === undefined)
      await noteObject(tx, drive, { event: "ObjectRemoved:Delete", key: entry.path.slice(1) });
    await tx.remember(commit, removeOperation, null);
  }, reclaimBudget);
}

/** Removes for good what was put into the trash before `before`; tells how many entries went. */
export async function emptyTrash(store: Store, commit: CommitId, drive: DriveId, before: number): Promise<number> {
  let removed = 0;
  for (;;) {
    const step = await store.queue.submit(
      (tx) => emptyStep(store, tx, { commit, drive, before, removed }),
      reclaimBudget,
    );
    if (step.done) return step.removed;
    removed = step.removed;
  }
}

async function emptyStep(
  store: Store,
  tx: Transaction,
  request: { commit: CommitId; drive: DriveId; before: number; removed: number },
): Promise<{ readonly done: boolean; readonly removed: number }> {
  const replay = await tx.replayOf<number>(request.commit, emptyOperation);
  if (replay) return { done: true, removed: replay.result };
  const drive = await store.drives.byId(tx.sql, request.drive);
  const rows = await tx.all<EntryRow>(
    `SELECT ${entryColumns} FROM entry WHERE drive = ? AND trashed_at IS NOT NULL AND trashed_at < ?
     ORDER BY trashed_at, id LIMIT ${emptiedAtOnce}`,
    drive.idBytes,
    request.before,
  );
  const reclaimer = new Reclaimer(tx, store.drives, reclaimBudget);
  for (const row of rows) {
    await detach(tx, row, drive);
    await reclaimer.detached(row);
    tx.addChange({ operation: "remove", entry: idFromBytes("f_", row.id) });
  }
  treeOf(store, tx).forget();
  const removed = request.removed + rows.length;
  const done = rows.length < emptiedAtOnce;
  if (done) await tx.remember(request.commit, emptyOperation, removed);
  return { done, removed };
}

/** Takes an entry out of the tree: from now on nothing finds it, nor what is below. */
export async function detach(tx: Transaction, row: EntryRow, drive: DriveRecord): Promise<void> {
  await tx.run("UPDATE entry SET parent = NULL, sort_name = id, trashed_at = NULL WHERE id = ?", row.id);
  await tx.run("INSERT INTO detached (entry) VALUES (?)", row.id);
  if (row.trashed_at !== null) tx.addUsage(drive.scope, { trashed: -1 });
}

/** Wait between two steps of reclaiming, so that users' changes come between. */
const pauseMs = 5;

/** Gives back what was removed for good, a thousand references a transaction, until nothing is left. */
export async function reclaimBacklog(store: Store, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && (await reclaimStep(store))) await store.clock.sleep(pauseMs, signal);
}

/** One transaction of reclaiming; false when there was nothing to do. */
export function reclaimStep(store: Store): Promise<boolean> {
  return store.queue.submit(async (tx) => await reclaimSome(store, tx), reclaimBudget);
}

async function reclaimSome(store: Store, tx: Transaction): Promise<boolean> {
  const reclaimer = new Reclaimer(tx, store.drives, reclaimBudget);
  return (await reclaimer.doomedVersion()) || (await reclaimer.doomedUpload()) || (await reclaimer.detachedEntry());
}
