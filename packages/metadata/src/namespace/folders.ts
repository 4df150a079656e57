import { bytesOfId, type CommitId, type DriveId, type Entry, StorageError } from "@cairn/protocol";
import { type Store, treeOf } from "../sql/store.ts";
import type { Transaction } from "../sql/transaction.ts";
import type { EntryRow } from "./entry-row.ts";
import { insertEntry, newFolderRow } from "./entry-writes.ts";
import { nameTaken } from "./name-claim.ts";
import { nameBytes, parsePath, withSlash } from "./names.ts";
import { isFolder } from "./resolve.ts";
import { childEntry, type Folder, type Tree } from "./tree.ts";

/** See NamespaceService.createFolder. */
export interface FolderRequest {
  readonly drive: DriveId;
  readonly path: string;
  readonly parents: boolean;
}

const operation = "create folder";

/** Makes a folder, with `parents` all that are missing above it. Throws conflict, not-found, invalid. */
export async function createFolder(store: Store, commit: CommitId, request: FolderRequest): Promise<Entry> {
  const { names } = parsePath(request.path);
  return await store.queue.submit(
    async (tx) => {
      const replay = await tx.replayOf<Entry>(commit, operation);
      if (replay) return replay.result;
      const tree = treeOf(store, tx);
      const { deepest, missing } = await descend(store, tree, request, names);
      const entry = await makeMissing(tx, tree, deepest, missing);
      await tx.remember(commit, operation, entry);
      return entry;
    },
    4 * (names.length + 1),
  );
}

/** How far the path leads already, and the names that are missing below. */
async function descend(
  store: Store,
  tree: Tree,
  request: FolderRequest,
  names: readonly string[],
): Promise<{ deepest: Folder; missing: readonly string[] }> {
  const drive = await store.drives.byId(tree.sql, request.drive);
  let folder = await tree.liveFolder(drive.root, operation);
  if (names.length === 0 && !request.parents) throw rootExists();
  for (const [index, name] of names.entries()) {
    const last = index === names.length - 1;
    const bytes = nameBytes(name);
    const rows = await tree.rowsNamed(folder, bytes, withSlash(bytes));
    const existing = rows.find(isFolder);
    if (rows.length > 0 && (!existing || (last && !request.parents))) {
      throw nameTaken({ folder, name, operation }, existing ?? rows[0]);
    }
    if (!existing && !last && !request.parents) throw parentMissing(folder, name);
    const next = existing && (await tree.folder(existing.id));
    if (!next) return { deepest: folder, missing: names.slice(index) };
    folder = next;
  }
  return { deepest: folder, missing: [] };
}

async function makeMissing(tx: Transaction, tree: Tree, deepest: Folder, missing: readonly string[]): Promise<Entry> {
  let folder = deepest;
  let made: { row: EntryRow; parent: Folder } | undefined;
  for (const name of missing) {
    const id = tx.newEntryId();
    const row = newFolderRow(bytesOfId(id), folder, withSlash(nameBytes(name)), tx.now);
    await insertEntry(tx, row);
    tx.addUsage(folder.drive.scope, { folders: 1 });
    tx.addChange({ operation: "create", entry: id, parent: folder.id, name });
    made = { row, parent: folder };
    folder = tree.addFolder(row.id, folder, name);
  }
  if (made) return childEntry(made.row, made.parent);
  const row = await tree.row(deepest.bytes);
  const entry = row && (await tree.entryOf(row));
  if (!entry) throw new StorageError("not-found", operation, deepest.id);
  return entry;
}

function rootExists(): StorageError {
  return new StorageError("conflict", operation, "/ exists", { hint: "The root of a drive is always there." });
}

function parentMissing(folder: Folder, name: string): StorageError {
  return new StorageError("not-found", operation, `folder ${folder.prefix}/${name}`, {
    hint: "Create it first, or ask for all missing folders to be made (parents).",
  });
}
