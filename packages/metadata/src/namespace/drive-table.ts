import type { Sql } from "@cairn/env";
import {
  type BucketNotification,
  type Drive,
  type DriveId,
  type EntryId,
  idFromBytes,
  notificationDocument,
  type ObjectLockConfiguration,
  objectLockDocument,
  StorageError,
  toHex,
  type Versioning,
} from "@cairn/protocol";
import { type ByteKey, keyOf } from "../sql/byte-key.ts";

/** A drive with the spellings that statements need. */
export interface DriveRecord extends Drive {
  readonly idBytes: Uint8Array;
  readonly rootBytes: Uint8Array;
  readonly rootKey: ByteKey;
  readonly trash: EntryId;
  readonly trashBytes: Uint8Array;
  readonly trashKey: ByteKey;
  /** Names the drive's counters in the table usage. */
  readonly scope: string;
  readonly createdAt: number;
  readonly versioning: Versioning;
  /** Who is told of what happens to its objects. */
  readonly notification: BucketNotification | undefined;
  /** Undefined: nothing in it can be locked. */
  readonly objectLock: ObjectLockConfiguration | undefined;
}

interface DriveRow {
  readonly id: Uint8Array;
  readonly name: string;
  readonly root: Uint8Array;
  readonly trash: Uint8Array;
  readonly chunk_bytes: number;
  readonly copies: number;
  readonly created_at: number;
  readonly versioning: Versioning;
  readonly notification: string | null;
  readonly object_lock: string | null;
}

/** The drives, kept in memory: there are few, and they seldom change. */
export class DriveTable {
  readonly #byKey = new Map<ByteKey, DriveRecord>();
  readonly #byId = new Map<DriveId, DriveRecord>();

  /** Throws not-found. */
  async byId(sql: Sql, id: DriveId): Promise<DriveRecord> {
    if (!this.#byId.has(id)) await this.all(sql);
    const drive = this.#byId.get(id);
    if (!drive) throw new StorageError("not-found", "find drive", id);
    return drive;
  }

  /** The drive of an entry's row. Throws corrupt when there is none. */
  async byBytes(sql: Sql, id: Uint8Array): Promise<DriveRecord> {
    const key = keyOf(id);
    if (!this.#byKey.has(key)) await this.all(sql);
    const drive = this.#byKey.get(key);
    if (!drive)
      throw new StorageError("corrupt", "find drive", `an entry names drive ${toHex(id)}, which is not there`);
    return drive;
  }

  /** A drive was changed or removed. */
  forget(): void {
    this.#byKey.clear();
    this.#byId.clear();
  }

  /** All drives, oldest first. */
  async all(sql: Sql): Promise<readonly DriveRecord[]> {
    const rows = await sql.all<DriveRow>(
      `SELECT id, name, root, trash, chunk_bytes, copies, created_at, versioning,
         (SELECT body FROM drive_document WHERE drive = drive.id AND drive_document.name = ?) AS notification,
         (SELECT body FROM drive_document WHERE drive = drive.id AND drive_document.name = ?) AS object_lock
       FROM drive ORDER BY created_at, id`,
      notificationDocument,
      objectLockDocument,
    );
    const drives = rows.map(toRecord);
    for (const drive of drives) {
      this.#byKey.set(keyOf(drive.idBytes), drive);
      this.#byId.set(drive.id, drive);
    }
    return drives;
  }
}

function toRecord(row: DriveRow): DriveRecord {
  return {
    id: idFromBytes("dr_", row.id),
    name: row.name,
    root: idFromBytes("f_", row.root),
    chunkBytes: row.chunk_bytes,
    copies: row.copies,
    idBytes: row.id,
    rootBytes: row.root,
    rootKey: keyOf(row.root),
    trash: idFromBytes("f_", row.trash),
    trashBytes: row.trash,
    trashKey: keyOf(row.trash),
    scope: toHex(row.id),
    createdAt: row.created_at,
    versioning: row.versioning,
    notification: row.notification === null ? undefined : (JSON.parse(row.notification) as BucketNotification),
    objectLock: row.object_lock === null ? undefined : (JSON.parse(row.object_lock) as ObjectLockConfiguration),
  };
}
