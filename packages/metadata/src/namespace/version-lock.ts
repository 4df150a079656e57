import { isLocked, type ObjectAttributes, StorageError } from "@cairn/protocol";
import type { Transaction } from "../sql/transaction.ts";
import type { DriveRecord } from "./drive-table.ts";
import { type EntryRow, folderKind } from "./entry-row.ts";

/** Versions looked at in one statement. */
const rowsAtOnce = 100;

/** What is to be removed for good. */
export interface LockQuestion {
  readonly drive: DriveRecord;
  readonly row: EntryRow;
  /** Only this version of the file; absent: all. */
  readonly version?: Uint8Array;
  /** By somebody who may lift what governance keeps. */
  readonly bypassGovernance?: boolean;
}

/**
 * Whether object lock keeps an entry, or a version of it, from being removed for good. Of a drive with object lock a
 * folder goes only when nothing is in it: what lies below it is never looked through.
 */
export async function isKept(tx: Transaction, question: LockQuestion): Promise<boolean> {
  const { drive, row, version, bypassGovernance = false } = question;
  if (!drive.objectLock) return false;
  if (row.kind === folderKind)
    return (await tx.get("SELECT id FROM entry WHERE parent = ? LIMIT 1", row.id)) !== undefined;
  if (version) {
    const found = await tx.get<{ meta: string | null }>("SELECT meta FROM version WHERE id = ?", version);
    return keeps(found?.meta ?? null, tx.now, bypassGovernance);
  }
  let after = Number.MIN_SAFE_INTEGER;
  for (;;) {
    const versions = await tx.all<{ sequence: number; meta: string | null }>(
      `SELECT sequence, meta FROM version WHERE entry = ? AND state = 0 AND sequence > ? ORDER BY sequence LIMIT ${rowsAtOnce}`,
      row.id,
      after,
    );
    if (versions.some(({ meta }) => keeps(meta, tx.now, bypassGovernance))) return true;
    const last = versions.at(-1);
    if (!last || versions.length < rowsAtOnce) return false;
    after = last.sequence;
  }
}

/** Throws forbidden; to be asked before anything is changed. */
export async function refuseKept(tx: Transaction, operation: string, question: LockQuestion): Promise<void> {
  if (!(await isKept(tx, question))) return;
  const isFolder = question.row.kind === folderKind;
  throw new StorageError("forbidden", operation, isFolder ? "a folder with something in it" : "a locked version", {
    hint: isFolder
      ? "The drive has object lock: remove the files in the folder first, each by itself."
      : "Object lock keeps it until its retention ends and its legal hold is lifted.",
  });
}

function keeps(meta: string | null, now: number, bypassGovernance: boolean): boolean {
  const attributes = meta === null ? undefined : (JSON.parse(meta) as ObjectAttributes);
  return isLocked(attributes?.lock, { now, bypassGovernance });
}
