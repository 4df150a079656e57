import type { Sql } from "@cairn/env";
import {
  type FinishedPart,
  limits,
  type ObjectChecksum,
  type ObjectPart,
  type ObjectParts,
  StorageError,
  type UploadId,
} from "@cairn/protocol";
import { countChunks, giveBack } from "../commit/chunk-ledger.ts";
import type { Transaction } from "../sql/transaction.ts";
import { findUpload, type UploadRow } from "./upload-row.ts";

const operation = "put part";

/** A part of an object, and the runs of chunks that it consists of. */
export interface ObjectPartRow {
  readonly number: number;
  readonly first: number;
  readonly runs: number;
  readonly size: number;
  readonly tag: string;
  readonly checksum: string | null;
  readonly modified_at: number;
}

export const objectPartColumns = "number, first, runs, size, tag, checksum, modified_at";

/** Throws invalid unless `last` may be the last run of this part. */
export function checkFinished(last: number, { number, runs, size, tag }: FinishedPart): void {
  const isPart = Number.isSafeInteger(number) && number >= 1 && number <= limits.objectPartsMax;
  const hasRuns = Number.isSafeInteger(runs) && runs >= 1 && runs <= Math.min(last + 1, limits.objectPartRunsMax);
  if (isPart && hasRuns && Number.isSafeInteger(size) && size >= 0 && typeof tag === "string" && tag.length < 100)
    return;
  throw new StorageError("invalid", operation, `part ${number} of ${runs} runs`, {
    hint: `Parts of an object are numbered from 1 to ${limits.objectPartsMax}.`,
  });
}

/**
 * The runs up to `last` are a part from now on; those of an earlier part of this number are given back. Throws invalid when
 * they are not all there or do not have the part's bytes.
 */
export async function finishPart(tx: Transaction, upload: UploadRow, last: number, part: FinishedPart): Promise<void> {
  const first = last - part.runs + 1;
  const there = await tx.get<{ runs: number; size: number | null }>(
    "SELECT COUNT(*) AS runs, SUM(size) AS size FROM upload_part WHERE upload = ? AND part BETWEEN ? AND ?",
    upload.bytes,
    first,
    last,
  );
  if (there?.runs !== part.runs || (there.size ?? 0) !== part.size) {
    throw new StorageError("invalid", operation, `part ${part.number} of ${upload.id}: ${there?.size ?? 0} bytes`, {
      hint: `It was said to have ${part.size}; send the part again.`,
    });
  }
  const before = await tx.get<ObjectPartRow>(
    `SELECT ${objectPartColumns} FROM object_part WHERE upload = ? AND number = ?`,
    upload.bytes,
    part.number,
  );
  await tx.run(
    `INSERT INTO object_part (upload, ${objectPartColumns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (upload, number) DO UPDATE SET first = excluded.first, runs = excluded.runs, size = excluded.size,
     tag = excluded.tag, checksum = excluded.checksum, modified_at = excluded.modified_at`,
    upload.bytes,
    part.number,
    first,
    part.runs,
    part.size,
    part.tag,
    part.checksum ? JSON.stringify(part.checksum) : null,
    tx.now,
  );
  if (before && before.first !== first) await dropRuns(tx, upload, before);
}

async function dropRuns(tx: Transaction, upload: UploadRow, { first, runs }: ObjectPartRow): Promise<void> {
  const rows = await tx.all<{ chunks: number; manifest: Uint8Array }>(
    "SELECT chunks, manifest FROM upload_part WHERE upload = ? AND part BETWEEN ? AND ?",
    upload.bytes,
    first,
    first + runs - 1,
  );
  for (const { chunks, manifest } of rows) await giveBack(tx, countChunks(manifest, 0, chunks));
  await tx.run(
    "DELETE FROM upload_part WHERE upload = ? AND part BETWEEN ? AND ?",
    upload.bytes,
    first,
    first + runs - 1,
  );
}

/** Parts of an object in order of their numbers. Throws not-found. */
export async function listObjectParts(
  sql: Sql,
  id: UploadId,
  { after, size }: { readonly after: number; readonly size: number },
): Promise<ObjectParts> {
  const upload = await findUpload(sql, id, "list parts");
  const rows = await sql.all<ObjectPartRow>(
    `SELECT ${objectPartColumns} FROM object_part WHERE upload = ? AND number > ? ORDER BY number LIMIT ?`,
    upload.bytes,
    after,
    Math.min(size, limits.pageSizeMax) + 1,
  );
  const shown = rows.slice(0, Math.min(size, limits.pageSizeMax));
  const { target, createdAt } = upload;
  return { upload: { id, target, createdAt }, parts: shown.map(partOf), more: rows.length > shown.length };
}

function partOf(row: ObjectPartRow): ObjectPart {
  const { number, size, tag, checksum, modified_at: modifiedAt } = row;
  const known = checksum === null ? {} : { checksum: JSON.parse(checksum) as ObjectChecksum };
  return { number, size, tag, ...known, modifiedAt };
}
