import type { Sql } from "@cairn/env";
import { bytesOfId, type Entry, type EntryAddress, idFromBytes, idRange, StorageError } from "@cairn/protocol";
import type { DriveTable } from "./drive-table.ts";
import { type EntryRow, entryColumns, folderKind } from "./entry-row.ts";
import { nameBytes, parsePath, withSlash } from "./names.ts";
import { objectOf } from "./object-lookup.ts";
import type { Folder, Tree } from "./tree.ts";

/** An entry with its row. */
export interface Resolved {
  readonly row: EntryRow;
  readonly entry: Entry;
}

/** Entries looked at to tell whether an id prefix is unique, and named when it is not. */
const candidatesLooked = 64;
const candidatesNamed = 10;

/**
 * Finds what an address names: an id, the unique beginning of one, or a path (the file first, then the folder).
 * Throws not-found, conflict (details.candidates: ids that begin so), invalid.
 */
export async function resolve(tree: Tree, drives: DriveTable, address: EntryAddress): Promise<Resolved> {
  if ("id" in address) return byId(tree, address.id, bytesOfId(address.id));
  const drive = await drives.byId(tree.sql, address.drive);
  if ("idPrefix" in address) return byPrefix(tree, drive.idBytes, address.idPrefix);
  if ("key" in address) return objectOf(tree, drive, address.key);
  const root = await tree.folder(drive.rootBytes);
  if (!root) throw new StorageError("corrupt", "find entry", `the root of drive ${drive.name} is not there`);
  return byPath(tree, root, address.path);
}

async function byId(tree: Tree, spelled: string, id: Uint8Array): Promise<Resolved> {
  const row = await tree.row(id);
  const entry = row && (await tree.entryOf(row));
  if (!row || !entry) throw new StorageError("not-found", "find entry", spelled);
  return { row, entry };
}

async function byPrefix(tree: Tree, drive: Uint8Array, prefix: string): Promise<Resolved> {
  const range = idRange("f_", prefix);
  if (!range) throw new StorageError("not-found", "find entry", prefix.slice(0, 80));
  const rows = await rowsBetween(tree.sql, range, drive);
  const found: Resolved[] = [];
  for (const row of rows) {
    const entry = await tree.entryOf(row);
    if (entry) found.push({ row, entry });
    if (found.length > candidatesNamed) break;
  }
  const [only] = found;
  if (only && found.length === 1 && rows.length < candidatesLooked) return only;
  if (!only && rows.length < candidatesLooked) throw new StorageError("not-found", "find entry", prefix);
  throw new StorageError("conflict", "find entry", `more than one id begins with ${prefix}`, {
    hint: "Write more letters of the id.",
    details: { candidates: found.slice(0, candidatesNamed).map((candidate) => candidate.entry.id) },
  });
}

function rowsBetween(sql: Sql, range: { low: Uint8Array; high: Uint8Array }, drive: Uint8Array): Promise<EntryRow[]> {
  return sql.all<EntryRow>(
    `SELECT ${entryColumns} FROM entry WHERE id >= ? AND id <= ? AND drive = ? ORDER BY id LIMIT ${candidatesLooked}`,
    range.low,
    range.high,
    drive,
  );
}

async function byPath(tree: Tree, root: Folder, path: string): Promise<Resolved> {
  const { names, folderOnly } = parsePath(path);
  let row = await tree.row(root.bytes);
  for (const [index, name] of names.entries()) {
    if (!row) break;
    const bytes = nameBytes(name);
    const last = index === names.length - 1;
    const fileToo = last && !folderOnly;
    row = await tree.sql.get<EntryRow>(
      `SELECT ${entryColumns} FROM entry WHERE parent = ? AND sort_name IN (?, ?) ORDER BY sort_name LIMIT 1`,
      row.id,
      fileToo ? bytes : withSlash(bytes),
      withSlash(bytes),
    );
  }
  const entry = row && (await tree.entryOf(row));
  if (!row || !entry) throw new StorageError("not-found", "find entry", path);
  return { row, entry };
}

/** An entry that may be changed: in its drive, not in the trash, not the root. Throws not-found, conflict, invalid. */
export async function resolveLive(tree: Tree, id: Uint8Array, operation: string): Promise<Resolved> {
  const { row, entry } = await byId(tree, idFromBytes("f_", id), id);
  if (entry.trashedAt !== undefined) {
    throw new StorageError("conflict", operation, `${entry.id} is in the trash`, { hint: "Restore it first." });
  }
  if (entry.parent === undefined) {
    throw new StorageError("invalid", operation, "the root of a drive", {
      hint: "Only what is below it can be changed.",
    });
  }
  return { row, entry };
}

/** True when the row is a folder's. */
export function isFolder(row: EntryRow): boolean {
  return row.kind === folderKind;
}
