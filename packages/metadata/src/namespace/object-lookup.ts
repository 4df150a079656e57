import { type Entry, StorageError, utf8 } from "@cairn/protocol";
import type { DriveRecord } from "./drive-table.ts";
import { type EntryRow, fileKind } from "./entry-row.ts";
import { folderBytes, placeOfKey } from "./object-key.ts";
import { childEntry, type Folder, type Tree } from "./tree.ts";

/** How far the folders of a key are there, and the file if it is. */
export interface FoundKey {
  /** The deepest folder that is there. */
  readonly folder: Folder;
  /** Names of the folders below it that are not there. */
  readonly missing: readonly string[];
  readonly name: string;
  readonly sortName: Uint8Array;
  readonly file: EntryRow | undefined;
}

/** Looks a key up below the root of a drive. Throws invalid for what is no key. */
export async function findKey(tree: Tree, drive: DriveRecord, key: string): Promise<FoundKey> {
  const { folders, name } = placeOfKey(key);
  const sortName = utf8(name);
  let folder = tree.root(drive);
  for (const [index, above] of folders.entries()) {
    const next = await childFolder(tree, folder, above);
    if (!next) return { folder, missing: folders.slice(index), name, sortName, file: undefined };
    folder = next;
  }
  const row = await tree.childNamed(folder, sortName);
  return { folder, missing: [], name, sortName, file: row?.kind === fileKind ? row : undefined };
}

/** The object of a key. Throws not-found. */
export async function objectOf(
  tree: Tree,
  drive: DriveRecord,
  key: string,
): Promise<{ readonly row: EntryRow; readonly entry: Entry }> {
  const { folder, file } = await findKey(tree, drive, key);
  if (!file) throw new StorageError("not-found", "find object", key.slice(0, 200));
  return { row: file, entry: childEntry(file, folder) };
}

async function childFolder(tree: Tree, folder: Folder, name: string): Promise<Folder | undefined> {
  const row = await tree.childNamed(folder, folderBytes(name));
  return row && (tree.known(row.id) ?? tree.addFolder(row.id, folder, name));
}
