import type { Sql } from "@cairn/env";
import {
  bytesOfId,
  compareBytes,
  type Entry,
  type FoundVersion,
  idFromBytes,
  StorageError,
  utf8,
  type VersionId,
} from "@cairn/protocol";
import type { DriveRecord } from "../namespace/drive-table.ts";
import { type EntryRow, entryColumns, fileKind } from "../namespace/entry-row.ts";
import { findKey } from "../namespace/object-lookup.ts";
import type { Tree } from "../namespace/tree.ts";

/** A version under a key: of the object, or of a file in the trash that lay there, or the marker that such a file is. */
export interface VersionAtKey extends FoundVersion {
  readonly file: EntryRow;
}

/** What a path in the trash is to a key. */
export function pathOfKey(key: string): Uint8Array {
  return utf8(`/${key}`);
}

/** Files in the trash that lay at a key, the last one first. */
export function trashedAtKey(sql: Sql, drive: DriveRecord, key: string, limit: number): Promise<EntryRow[]> {
  return sql.all<EntryRow>(
    `SELECT ${entryColumns} FROM entry WHERE drive = ? AND original_path = ? AND trashed_at IS NOT NULL AND kind = ${fileKind}
     ORDER BY trashed_at DESC, id DESC LIMIT ?`,
    drive.idBytes,
    pathOfKey(key),
    limit,
  );
}

/** A delete marker has the id of its file, spelled as that of a version. */
export function markerOf(file: Pick<EntryRow, "id">): VersionId {
  return idFromBytes("v_", file.id);
}

/** Throws invalid for what is no key. */
export async function versionAtKey(
  tree: Tree,
  drive: DriveRecord,
  { key, version }: { readonly key: string; readonly version?: VersionId | "null" | undefined },
): Promise<VersionAtKey | undefined> {
  const { file: live } = await findKey(tree, drive, key);
  if (version === "null") return await unversionedAtKey(tree.sql, drive, { key, live });
  if (version !== undefined) return await versionById(tree, { key, live, version });
  if (live?.current_version) return { file: live, version: idFromBytes("v_", live.current_version), marker: false };
  const [last] = await trashedAtKey(tree.sql, drive, key, 1);
  return last && { file: last, version: markerOf(last), marker: true };
}

/** The version of a file under a key, with the file's entry. Throws not-found. */
export async function fileOfVersion(
  tree: Tree,
  drive: DriveRecord,
  { key, version }: { readonly key: string; readonly version: VersionId },
): Promise<{ readonly row: EntryRow; readonly entry: Entry }> {
  const found = await versionAtKey(tree, drive, { key, version });
  const entry = found && !found.marker ? await tree.entryOf(found.file) : undefined;
  if (!found || !entry)
    throw new StorageError("not-found", "find object", `version ${version} of ${key.slice(0, 200)}`);
  return { row: found.file, entry };
}

async function versionById(
  tree: Tree,
  { key, live, version }: { key: string; live: EntryRow | undefined; version: VersionId },
): Promise<VersionAtKey | undefined> {
  const id = bytesOfId(version);
  const row = await tree.sql.get<{ entry: Uint8Array }>("SELECT entry FROM version WHERE id = ? AND state = 0", id);
  const file = await tree.row(row?.entry ?? id);
  if (!file) return undefined;
  const isTrashed = file.trashed_at !== null && file.kind === fileKind;
  const lay = isTrashed && file.original_path !== null && compareBytes(file.original_path, pathOfKey(key)) === 0;
  const stands = live !== undefined && compareBytes(file.id, live.id) === 0;
  return (row && stands) || lay ? { file, version, marker: row === undefined } : undefined;
}

/** Files looked through for it: there is one at most unless others than S3 wrote to the bucket as well. */
const filesLooked = 100;

async function unversionedAtKey(
  sql: Sql,
  drive: DriveRecord,
  { key, live }: { readonly key: string; readonly live: EntryRow | undefined },
): Promise<VersionAtKey | undefined> {
  for (const file of [...(live ? [live] : []), ...(await trashedAtKey(sql, drive, key, filesLooked))]) {
    const row = await sql.get<{ id: Uint8Array }>(
      "SELECT id FROM version WHERE entry = ? AND state = 0 AND unversioned = 1 ORDER BY sequence DESC LIMIT 1",
      file.id,
    );
    if (row) return { file, version: idFromBytes("v_", row.id), marker: false };
  }
  return undefined;
}
