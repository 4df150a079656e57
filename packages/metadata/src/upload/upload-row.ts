import type { Sql } from "@cairn/env";
import { bytesOfId, type CommitTarget, StorageError, type UploadId } from "@cairn/protocol";
import type { Transaction } from "../sql/transaction.ts";

/** state of an upload session that takes parts; the other, 1, is given up. */
export const openState = 0;

/** An open upload session. */
export interface UploadRow {
  readonly id: UploadId;
  readonly bytes: Uint8Array;
  readonly target: CommitTarget;
  readonly revision: number;
  readonly createdAt: number;
}

/** Throws not-found unless the session is there and open. */
export async function findUpload(sql: Sql, id: UploadId, operation: string): Promise<UploadRow> {
  const bytes = bytesOfId(id);
  const row = await sql.get<{ target: string; revision: number; created_at: number }>(
    "SELECT target, revision, created_at FROM upload WHERE id = ? AND state = ?",
    bytes,
    openState,
  );
  if (!row) throw uploadMissing(id, operation);
  return {
    id,
    bytes,
    target: JSON.parse(row.target) as CommitTarget,
    revision: row.revision,
    createdAt: row.created_at,
  };
}

/** Ends a session; its references are given back afterwards. */
export async function endUpload(tx: Transaction, bytes: Uint8Array): Promise<void> {
  await tx.run("UPDATE upload SET state = 1 WHERE id = ?", bytes);
}

/** The error for a session that is not there any more. */
export function uploadMissing(id: UploadId, operation: string): StorageError {
  return new StorageError("not-found", operation, `upload ${id}`, {
    hint: "It was completed, given up, or left idle for too long. Start a new upload; chunks that are there need not be sent again.",
  });
}
