import {
  bytesOfId,
  type DriveId,
  fromUtf8,
  idFromBytes,
  limits,
  type ObjectUploads,
  type ObjectUploadsRequest,
  utf8,
} from "@cairn/protocol";
import type { Store } from "../sql/store.ts";

interface UploadRow {
  readonly id: Uint8Array;
  readonly object_key: Uint8Array;
  readonly created_at: number;
}

/** Behind every id. */
const lastId = new Uint8Array(16).fill(0xff);

/** Open uploads of a drive's objects, in order of key and upload. */
export function listObjectUploads(
  { database }: Store,
  drive: DriveId,
  { prefix, after, size }: ObjectUploadsRequest,
): Promise<ObjectUploads> {
  const count = Math.min(Math.max(size, 1), limits.pageSizeMax);
  const start = utf8(prefix);
  const end = new Uint8Array(start.length + 1).fill(0xff);
  end.set(start);
  return database.read(async (sql) => {
    const rows = await sql.all<UploadRow>(
      `SELECT id, object_key, created_at FROM upload
       WHERE drive = ? AND object_key IS NOT NULL AND state = 0 AND object_key >= ? AND object_key < ?
         ${after ? "AND (object_key, id) > (?, ?)" : ""} ORDER BY object_key, id LIMIT ?`,
      bytesOfId(drive),
      start,
      end,
      ...(after ? [utf8(after.key), after.upload === undefined ? lastId : bytesOfId(after.upload)] : []),
      count + 1,
    );
    const uploads = rows.slice(0, count).map((row) => ({
      id: idFromBytes("up_", row.id),
      key: fromUtf8(row.object_key),
      createdAt: row.created_at,
    }));
    return { uploads, more: rows.length > count };
  });
}
