import { bytesOfId, type CommitId, type Entry, type EntryId, StorageError } from "@cairn/protocol";
import { noteObject } from "../notification/object-events.ts";
import { type Store, treeOf } from "../sql/store.ts";
import { type EntryRow, fileKind } from "./entry-row.ts";
import { hang, moveToTrash } from "./entry-writes.ts";
import { claimName } from "./name-claim.ts";
import { resolve, resolveLive } from "./resolve.ts";
import type { Folder, Tree } from "./tree.ts";

const trashOperation = "trash entry";
const restoreOperation = "restore entry";

/** Puts an entry into the trash, in one step whatever hangs below. Throws not-found, conflict (is there), invalid (root). */
export async function trash(store: Store, commit: CommitId, id: EntryId): Promise<Entry> {
  return await store.queue.submit(async (tx) => {
    const replay = await tx.replayOf<Entry>(commit, trashOperation);
    if (replay) return replay.result;
    const tree = treeOf(store, tx);
    const { row, entry } = await resolveLive(tree, bytesOfId(id), trashOperation);
    const folder = await tree.liveFolder(entry.parent as EntryId, trashOperation);
    const trashed = await moveToTrash(tx, tree, row, folder);
    if (row.kind === fileKind) {
      const event = folder.drive.versioning === "enabled" ? "DeleteMarkerCreated" : "Delete";
      await noteObject(tx, folder.drive, { event: `ObjectRemoved:${event}`, key: entry.path.slice(1) });
    }
    await tx.remember(commit, trashOperation, trashed);
    return trashed;
  });
}

/** Brings an entry back to where it was; if that folder is gone or in the trash itself, to the root. */
export async function restore(
  store: Store,
  commit: CommitId,
  id: EntryId,
  onConflict: "fail" | "rename",
): Promise<Entry> {
  return await store.queue.submit(async (tx) => {
    const replay = await tx.replayOf<Entry>(commit, restoreOperation);
    if (replay) return replay.result;
    const tree = treeOf(store, tx);
    const { row, entry } = await resolve(tree, store.drives, { id });
    if (row.trashed_at === null) throw notTrashed(entry);
    const folder = await homeOf(store, tree, row);
    const claim = await claimName(tree, {
      folder,
      name: entry.name,
      kind: entry.kind,
      onConflict,
      operation: restoreOperation,
    });
    const restored = await hang(tx, tree, row, { folder, sortName: claim.sortName });
    tx.addUsage(folder.drive.scope, { trashed: -1 });
    tx.addChange({ operation: "restore", entry: restored.id, parent: restored.parent, name: restored.name });
    await tx.remember(commit, restoreOperation, restored);
    return restored;
  });
}

async function homeOf(store: Store, tree: Tree, row: EntryRow): Promise<Folder> {
  const original = row.original_parent && (await tree.folder(row.original_parent));
  if (original && original.trashedAt === undefined) return original;
  const drive = await store.drives.byBytes(tree.sql, row.drive);
  return await tree.liveFolder(drive.root, restoreOperation);
}

function notTrashed(entry: Entry): StorageError {
  const inTrash = entry.trashedAt !== undefined;
  return new StorageError("conflict", restoreOperation, `${entry.path} was not put into the trash itself`, {
    hint: inTrash ? "Restore the folder that it was trashed with." : "It is not in the trash.",
  });
}
