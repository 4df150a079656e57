import type { Sql } from "@cairn/env";
import { bytesOfId, type Entry, type EntryId, fromUtf8, idFromBytes, limits, StorageError } from "@cairn/protocol";
import { type ByteKey, keyOf } from "../sql/byte-key.ts";
import type { DriveRecord, DriveTable } from "./drive-table.ts";
import { type ChildRow, type EntryRow, entryColumns, folderKind, nameOfRow, toEntry } from "./entry-row.ts";

/** A folder that can be reached from the root of its drive or from its trash. */
export interface Folder {
  readonly id: EntryId;
  readonly bytes: Uint8Array;
  readonly key: ByteKey;
  readonly drive: DriveRecord;
  /** Undefined for the root, and for what was put into the trash. */
  readonly parent: Folder | undefined;
  /** Empty for the root, else `/` and names. */
  readonly prefix: string;
  /** Since when it, or a folder above it, is in the trash. */
  readonly trashedAt: number | undefined;
}

interface AncestorRow {
  readonly id: Uint8Array;
  readonly drive: Uint8Array;
  readonly parent: Uint8Array | null;
  readonly sort_name: Uint8Array;
  readonly kind: number;
  readonly trashed_at: number | null;
  readonly original_name: Uint8Array | null;
  readonly original_path: Uint8Array | null;
}

/** Folders can be pushed below one another beyond the longest path; so far up they are still named, no further. */
const depthMax = 16_384;
const prefixCharactersMax = limits.pathBytesMax * 16;

const ancestorsText = `WITH RECURSIVE up (id, drive, parent, sort_name, kind, trashed_at, original_name, original_path, depth) AS (
    SELECT id, drive, parent, sort_name, kind, trashed_at, original_name, original_path, 0 FROM entry WHERE id = ?
    UNION ALL
    SELECT e.id, e.drive, e.parent, e.sort_name, e.kind, e.trashed_at, e.original_name, e.original_path, up.depth + 1
    FROM up JOIN entry e ON e.id = up.parent WHERE up.depth < ${depthMax})
  SELECT id, drive, parent, sort_name, kind, trashed_at, original_name, original_path FROM up ORDER BY depth DESC`;

/** The folders of one transaction: where they hang, what their paths are. Looked up once each. */
export class Tree {
  readonly sql: Sql;
  readonly #drives: DriveTable;
  readonly #folders = new Map<ByteKey, Folder>();

  constructor(sql: Sql, drives: DriveTable) {
    this.sql = sql;
    this.#drives = drives;
  }

  /** Must be called after a folder moved, was trashed, restored or removed. */
  forget(): void {
    this.#folders.clear();
  }

  /**
   * A folder by its id, in a drive or in its trash. Undefined when there is none, or when it was removed for good.
   * Throws invalid when the id names a file.
   */
  async folder(id: Uint8Array): Promise<Folder | undefined> {
    const known = this.#folders.get(keyOf(id));
    if (known) return known;
    const rows = await this.sql.all<AncestorRow>(ancestorsText, id);
    const top = rows[0];
    const asked = rows[rows.length - 1];
    if (!top || !asked) return undefined;
    const drive = await this.#drives.byBytes(this.sql, top.drive);
    if (rows.length > depthMax) throw tooDeep(id);
    const topKey = keyOf(top.id);
    // Else it was removed for good, and its rows only wait to be deleted.
    if (topKey !== drive.rootKey && topKey !== drive.trashKey) return undefined;
    if (asked.kind !== folderKind) {
      throw new StorageError("invalid", "look into folder", idFromBytes("f_", id), { hint: "It is a file." });
    }
    return this.#hang(rows, drive);
  }

  /** Rows come from the top down. The top is a drive's root, or its trash, which is no folder itself. */
  #hang(rows: readonly AncestorRow[], drive: DriveRecord): Folder | undefined {
    let folder: Folder | undefined;
    if (rows[0] && keyOf(rows[0].id) === drive.rootKey) {
      folder = this.#keep(drive, { bytes: drive.rootBytes, parent: undefined, prefix: "" });
    }
    for (const row of rows.slice(1)) {
      const prefix = folder
        ? `${folder.prefix}/${fromUtf8(row.sort_name.subarray(0, -1))}`
        : fromUtf8(row.original_path ?? row.sort_name);
      if (prefix.length > prefixCharactersMax) throw tooDeep(row.id);
      const trashedAt: number | undefined = folder ? folder.trashedAt : (row.trashed_at ?? undefined);
      folder = this.#keep(drive, { bytes: row.id, parent: folder, prefix, trashedAt });
    }
    return folder;
  }

  /** The root of a drive: it is always there, and nothing about it has to be read. */
  root(drive: DriveRecord): Folder {
    return this.known(drive.rootBytes) ?? this.#keep(drive, { bytes: drive.rootBytes, parent: undefined, prefix: "" });
  }

  /** A folder that was looked up before. */
  known(id: Uint8Array): Folder | undefined {
    return this.#folders.get(keyOf(id));
  }

  /** Tells of a folder that this transaction has just made, or found below one that it knows. */
  addFolder(bytes: Uint8Array, parent: Folder, name: string): Folder {
    return this.#keep(parent.drive, { bytes, parent, prefix: `${parent.prefix}/${name}`, trashedAt: parent.trashedAt });
  }

  #keep(
    drive: DriveRecord,
    at: { bytes: Uint8Array; parent: Folder | undefined; prefix: string; trashedAt?: number | undefined },
  ): Folder {
    const key = keyOf(at.bytes);
    const folder = {
      id: idFromBytes("f_", at.bytes),
      bytes: at.bytes,
      key,
      drive,
      parent: at.parent,
      prefix: at.prefix,
      trashedAt: at.trashedAt,
    };
    this.#folders.set(key, folder);
    return folder;
  }

  /** A folder that may take new entries. Throws not-found (also when it is in the trash), invalid. */
  async liveFolder(id: EntryId, operation: string): Promise<Folder> {
    const folder = await this.folder(bytesOfId(id));
    if (!folder) throw new StorageError("not-found", operation, `folder ${id}`);
    if (folder.trashedAt !== undefined) {
      throw new StorageError("not-found", operation, `folder ${id} is in the trash`, { hint: "Restore it first." });
    }
    return folder;
  }

  /** The entry of a row as users see it; undefined when it was removed for good or is a drive's trash. */
  async entryOf(row: EntryRow): Promise<Entry | undefined> {
    const drive = await this.#drives.byBytes(this.sql, row.drive);
    if (row.parent === null) {
      if (keyOf(row.id) !== drive.rootKey) return undefined;
      return toEntry(row, { drive, parent: undefined, name: "", path: "/", trashedAt: undefined });
    }
    if (row.trashed_at !== null) {
      return toEntry(row, {
        drive,
        parent: row.original_parent ? idFromBytes("f_", row.original_parent) : undefined,
        name: fromUtf8(row.original_name ?? row.sort_name),
        path: fromUtf8(row.original_path ?? row.sort_name),
        trashedAt: row.trashed_at,
      });
    }
    const folder = await this.folder(row.parent);
    return folder && childEntry(row, folder);
  }

  /** The row with an id, whether it can be reached or not. */
  row(id: Uint8Array): Promise<EntryRow | undefined> {
    return this.sql.get<EntryRow>(`SELECT ${entryColumns} FROM entry WHERE id = ?`, id);
  }

  /** The file and the folder of one name, whichever there are, the file first. */
  rowsNamed(folder: Folder, name: Uint8Array, nameWithSlash: Uint8Array): Promise<EntryRow[]> {
    return this.sql.all<EntryRow>(
      `SELECT ${entryColumns} FROM entry WHERE parent = ? AND sort_name IN (?, ?) ORDER BY sort_name`,
      folder.bytes,
      name,
      nameWithSlash,
    );
  }

  childNamed(folder: Folder, sortName: Uint8Array): Promise<EntryRow | undefined> {
    return this.sql.get<EntryRow>(
      `SELECT ${entryColumns} FROM entry WHERE parent = ? AND sort_name = ?`,
      folder.bytes,
      sortName,
    );
  }
}

/** The entry of a row whose folder is known. */
export function childEntry(row: ChildRow, folder: Folder): Entry {
  const name = nameOfRow(row);
  return toEntry(row, {
    drive: folder.drive,
    parent: folder.id,
    name,
    path: `${folder.prefix}/${name}`,
    trashedAt: folder.trashedAt,
  });
}

function tooDeep(id: Uint8Array): StorageError {
  return new StorageError("too-large", "name entry", `the path of ${idFromBytes("f_", id)}`, {
    hint: "Move one of the folders above it closer to the root.",
  });
}
