import { type CommitId, type DriveId, type EntryId, idFromBytes, StorageError } from "@cairn/protocol";
import { noteObject } from "../notification/object-events.ts";
import { type Store, treeOf } from "../sql/store.ts";
import type { Transaction } from "../sql/transaction.ts";
import type { DriveRecord } from "./drive-table.ts";
import { type EntryRow, entryColumns, fileKind, folderKind } from "./entry-row.ts";
import { Reclaimer, reclaimBudget } from "./reclaim.ts";
import { resolve } from "./resolve.ts";
import { isKept, refuseKept } from "./version-lock.ts";

const removeOperation = "remove entry";
const emptyOperation = "empty trash";

/** Entries that leave the trash in one transaction. */
const emptiedAtOnce = 250;

/**
 * Removes an entry for good with everything below, from its drive or from the trash, in one step. Its rows and the
 * references of its chunks are given back at once while they are few, else bit by bit by `reclaimBacklog`.
 * Throws not-found, invalid (root), forbidden (object lock).
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
    await refuseKept(tx, removeOperation, { drive, row });
    await detach(tx, row, drive);
    if (row.kind === folderKind) tree.forget();
    await new Reclaimer(tx, store.drives, reclaimBudget).detached(row);
    tx.addChange({ operation: "remove", entry: entry.id });
    if (row.kind === fileKind && entry.trashedAt === undefined)
      await noteObject(tx, drive, { event: "ObjectRemoved:Delete", key: entry.path.slice(1) });
    await tx.remember(commit, removeOperation, null);
  }, reclaimBudget);
}

/** Removes for good what was put into the trash before `before`, but what object lock keeps; tells how many entries went. */
export async function emptyTrash(store: Store, commit: CommitId, drive: DriveId, before: number): Promise<number> {
  let removed = 0;
  let after: TrashPlace = { at: 0, id: new Uint8Array(0) };
  for (;;) {
    const step = await store.queue.submit(
      (tx) => emptyStep(store, tx, { commit, drive, before, removed, after }),
      reclaimBudget,
    );
    if (step.after === undefined) return step.removed;
    ({ removed, after } = step);
  }
}

/** Behind which entry of the trash to go on. */
interface TrashPlace {
  readonly at: number;
  readonly id: Uint8Array;
}

/** `after` of the answer undefined: the trash is empty, but for what is kept. */
async function emptyStep(
  store: Store,
  tx: Transaction,
  request: { commit: CommitId; drive: DriveId; before: number; removed: number; after: TrashPlace },
): Promise<{ readonly removed: number; readonly after: TrashPlace | undefined }> {
  const replay = await tx.replayOf<number>(request.commit, emptyOperation);
  if (replay) return { removed: replay.result, after: undefined };
  const drive = await store.drives.byId(tx.sql, request.drive);
  const rows = await tx.all<EntryRow>(
    `SELECT ${entryColumns} FROM entry WHERE drive = ? AND trashed_at IS NOT NULL AND trashed_at < ?
     AND trashed_at >= ? AND (trashed_at > ? OR id > ?) ORDER BY trashed_at, id LIMIT ${emptiedAtOnce}`,
    drive.idBytes,
    request.before,
    request.after.at,
    request.after.at,
    request.after.id,
  );
  const reclaimer = new Reclaimer(tx, store.drives, reclaimBudget);
  let { removed } = request;
  for (const row of rows) {
    if (await isKept(tx, { drive, row })) continue;
    removed++;
    await detach(tx, row, drive);
    await reclaimer.detached(row);
    tx.addChange({ operation: "remove", entry: idFromBytes("f_", row.id) });
  }
  treeOf(store, tx).forget();
  const last = rows.length < emptiedAtOnce ? undefined : rows.at(-1);
  if (!last) await tx.remember(request.commit, emptyOperation, removed);
  return { removed, after: last && { at: last.trashed_at ?? 0, id: last.id } };
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
