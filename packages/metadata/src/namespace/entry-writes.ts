import { type Entry, utf8 } from "@cairn/protocol";
import type { Transaction } from "../sql/transaction.ts";
import { type EntryRow, folderKind, nameOfRow } from "./entry-row.ts";
import { childEntry, type Folder, type Tree } from "./tree.ts";

/** The row of a folder that does not exist yet. */
export function newFolderRow(id: Uint8Array, folder: Folder, sortName: Uint8Array, now: number): EntryRow {
  return {
    id,
    drive: folder.drive.idBytes,
    parent: folder.bytes,
    sort_name: sortName,
    kind: folderKind,
    current_version: null,
    size: 0,
    chunks: 0,
    etag: null,
    tag: null,
    content_type: null,
    created_at: now,
    modified_at: now,
    trashed_at: null,
    original_parent: null,
    original_name: null,
    original_path: null,
  };
}

/** Adds the row of an entry that is not in the trash. `implicit`: a folder that goes when nothing is left in it. */
export async function insertEntry(
  tx: Transaction,
  row: EntryRow,
  { implicit = false }: { implicit?: boolean } = {},
): Promise<void> {
  await tx.run(
    `INSERT INTO entry (id, drive, parent, sort_name, kind, implicit, current_version, size, chunks, etag, tag, content_type,
     created_at, modified_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    row.id,
    row.drive,
    row.parent,
    row.sort_name,
    row.kind,
    implicit ? 1 : 0,
    row.current_version,
    row.size,
    row.chunks,
    row.etag,
    row.tag,
    row.content_type,
    row.created_at,
    row.modified_at,
  );
}

/** The entry repeats what its current version says. */
export async function updateContent(tx: Transaction, row: EntryRow): Promise<void> {
  await tx.run(
    `UPDATE entry SET current_version = ?, size = ?, chunks = ?, etag = ?, tag = ?, content_type = ?, modified_at = ?
     WHERE id = ?`,
    row.current_version,
    row.size,
    row.chunks,
    row.etag,
    row.tag,
    row.content_type,
    row.modified_at,
    row.id,
  );
}

/** Puts an entry into the trash of its drive in one step, with what it takes to restore it. */
export async function moveToTrash(tx: Transaction, tree: Tree, row: EntryRow, folder: Folder): Promise<Entry> {
  const before = childEntry(row, folder);
  await tx.run(
    `UPDATE entry SET parent = ?, sort_name = ?, trashed_at = ?, original_parent = ?, original_name = ?, original_path = ?
     WHERE id = ?`,
    folder.drive.trashBytes,
    row.id,
    tx.now,
    folder.bytes,
    utf8(nameOfRow(row)),
    utf8(before.path),
    row.id,
  );
  if (row.kind === folderKind) tree.forget();
  tx.addUsage(folder.drive.scope, { trashed: 1 });
  tx.addChange({ operation: "trash", entry: before.id, parent: before.parent, name: before.name });
  return { ...before, trashedAt: tx.now };
}

/** Hangs an entry below another folder or under another name, out of the trash if it was there. */
export async function hang(
  tx: Transaction,
  tree: Tree,
  row: EntryRow,
  to: { readonly folder: Folder; readonly sortName: Uint8Array },
): Promise<Entry> {
  await tx.run(
    `UPDATE entry SET parent = ?, sort_name = ?, trashed_at = NULL, original_parent = NULL, original_name = NULL,
     original_path = NULL WHERE id = ?`,
    to.folder.bytes,
    to.sortName,
    row.id,
  );
  if (row.kind === folderKind) tree.forget();
  const moved: EntryRow = {
    ...row,
    parent: to.folder.bytes,
    sort_name: to.sortName,
    trashed_at: null,
    original_parent: null,
    original_name: null,
    original_path: null,
  };
  return childEntry(moved, to.folder);
}
