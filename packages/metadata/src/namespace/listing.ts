import {
  bytesOfId,
  type DriveId,
  type Entry,
  type EntryId,
  type FileVersion,
  idFromBytes,
  type Page,
  type PageRequest,
  StorageError,
} from "@cairn/protocol";
import { type CursorKey, type CursorKind, decodeCursor, encodeCursor, pageSizeOf } from "../sql/page-cursor.ts";
import { readTree, type Store } from "../sql/store.ts";
import {
  type ChildRow,
  type EntryRow,
  entryColumns,
  type PackedChildRow,
  packedChildColumns,
  spellEtag,
  unpackChild,
} from "./entry-row.ts";
import { resolve } from "./resolve.ts";
import { childEntry, type Folder, type Tree } from "./tree.ts";

type ListRequest = PageRequest & { readonly orderBy?: "name" | "modified" };

/** Children of a folder, by the bytes of their names or newest change first. Throws not-found, invalid. */
export function list(store: Store, id: EntryId, page: ListRequest): Promise<Page<Entry>> {
  const size = pageSizeOf(page);
  return readTree(store, async (tree) => {
    const folder = await folderOf(tree, id);
    const byName = (page.orderBy ?? "name") === "name";
    const rows = byName
      ? await childrenByName(tree, folder, decodeCursor("name", page.cursor), size + 1)
      : await childrenByModified(tree, folder, decodeCursor("modified", page.cursor), size + 1);
    return pageOf(rows, size, {
      kind: byName ? "name" : "modified",
      keyOf: (row) => (byName ? { bytes: row.sort_name } : { number: row.modified_at, bytes: row.id }),
      itemOf: (row) => childEntry(row, folder),
    });
  });
}

/** Number of children of a folder. Throws not-found, invalid. */
export function countChildren(store: Store, id: EntryId): Promise<number> {
  return readTree(store, async (tree, sql) => {
    const folder = await folderOf(tree, id);
    const row = await sql.get<{ children: number }>(
      "SELECT COUNT(*) AS children FROM entry WHERE parent = ?",
      folder.bytes,
    );
    return row?.children ?? 0;
  });
}

/** What was put into a drive's trash, latest first. */
export function listTrash(store: Store, driveId: DriveId, page: PageRequest): Promise<Page<Entry>> {
  const size = pageSizeOf(page);
  const after = decodeCursor("trash", page.cursor);
  return readTree(store, async (tree, sql) => {
    const drive = await store.drives.byId(sql, driveId);
    const rows = await sql.all<EntryRow>(
      `SELECT ${entryColumns} FROM entry WHERE drive = ? AND trashed_at IS NOT NULL
       ${after ? "AND (trashed_at, id) < (?, ?)" : ""} ORDER BY trashed_at DESC, id DESC LIMIT ?`,
      drive.idBytes,
      ...(after ? [after.number ?? 0, after.bytes ?? new Uint8Array(0)] : []),
      size + 1,
    );
    const entries = new Map<EntryRow, Entry>();
    for (const row of rows) {
      const entry = await tree.entryOf(row);
      if (entry) entries.set(row, entry);
    }
    return pageOf(rows, size, {
      kind: "trash",
      keyOf: (row) => ({ number: row.trashed_at ?? 0, bytes: row.id }),
      itemOf: (row) => entries.get(row) as Entry,
    });
  });
}

interface VersionRow {
  readonly id: Uint8Array;
  readonly sequence: number;
  readonly size: number;
  readonly chunks: number;
  readonly etag: Uint8Array;
  readonly created_at: number;
}

/** Versions of a file, newest first. Throws not-found, invalid (a folder). */
export function listVersions(store: Store, id: EntryId, page: PageRequest): Promise<Page<FileVersion>> {
  const size = pageSizeOf(page);
  const after = decodeCursor("versions", page.cursor);
  return readTree(store, async (tree, sql) => {
    const { entry, row: file } = await resolve(tree, store.drives, { id });
    if (entry.kind === "folder") throw new StorageError("invalid", "list versions", `${entry.path} is a folder`);
    const rows = await sql.all<VersionRow>(
      `SELECT id, sequence, size, chunks, etag, created_at FROM version
       WHERE entry = ? AND state = 0 AND sequence < ? ORDER BY sequence DESC LIMIT ?`,
      file.id,
      after?.number ?? Number.MAX_SAFE_INTEGER,
      size + 1,
    );
    return pageOf(rows, size, {
      kind: "versions",
      keyOf: (row) => ({ number: row.sequence }),
      itemOf: (row) => {
        const version = idFromBytes("v_", row.id);
        return {
          version,
          size: row.size,
          createdAt: row.created_at,
          etag: spellEtag(row.etag),
          chunks: row.chunks,
          current: version === entry.version,
        };
      },
    });
  });
}

async function folderOf(tree: Tree, id: EntryId): Promise<Folder> {
  const folder = await tree.folder(bytesOfId(id));
  if (!folder) throw new StorageError("not-found", "list folder", id);
  return folder;
}

async function childrenByName(
  tree: Tree,
  folder: Folder,
  after: CursorKey | undefined,
  count: number,
): Promise<ChildRow[]> {
  const rows = await tree.sql.all<PackedChildRow>(
    `SELECT ${packedChildColumns} FROM entry
     WHERE parent = ? ${after ? "AND sort_name > ?" : ""} ORDER BY sort_name LIMIT ?`,
    folder.bytes,
    ...(after ? [after.bytes ?? new Uint8Array(0)] : []),
    count,
  );
  return rows.map(unpackChild);
}

async function childrenByModified(
  tree: Tree,
  folder: Folder,
  after: CursorKey | undefined,
  count: number,
): Promise<ChildRow[]> {
  const rows = await tree.sql.all<PackedChildRow>(
    `SELECT ${packedChildColumns} FROM entry WHERE parent = ? ${after ? "AND (modified_at, id) < (?, ?)" : ""}
     ORDER BY modified_at DESC, id DESC LIMIT ?`,
    folder.bytes,
    ...(after ? [after.number ?? 0, after.bytes ?? new Uint8Array(0)] : []),
    count,
  );
  return rows.map(unpackChild);
}

/** One row more than the page holds was asked for: if it is there, so is a next page, which is never empty. */
function pageOf<Row, Item>(
  rows: readonly Row[],
  size: number,
  as: { kind: CursorKind; keyOf: (row: Row) => CursorKey; itemOf: (row: Row) => Item },
): Page<Item> {
  const shown = rows.slice(0, size);
  const last = shown[shown.length - 1];
  const more = rows.length > size && last !== undefined;
  return { items: shown.map(as.itemOf), cursor: more ? encodeCursor(as.kind, as.keyOf(last)) : undefined };
}
