import type { Sql } from "@cairn/env";
import { bytesOfId, type DriveId } from "@cairn/protocol";
import type { Transaction } from "../sql/transaction.ts";
import type { Place } from "./lifecycle-world.ts";

/** A walk over current versions, those that are not current any more, those of removed objects, and unfinished uploads. */
export type LifecyclePhase = "objects" | "versions" | "removed" | "uploads";

/** How far the walk over a bucket is. It goes on there after a restart. */
export interface LifecycleProgress {
  /** The day that it is for: days since 1970, of the length that they had. */
  readonly day: number;
  readonly phase: LifecyclePhase | "done";
  /** Where the phase goes on; absent: from the beginning. */
  readonly after?: Place | undefined;
  /** What went in each phase. */
  readonly removed: Readonly<Record<LifecyclePhase, number>>;
}

/** Beside what object APIs keep with the bucket, and gone with it. New rules take it away: their walk begins anew. */
const progressDocument = "lifecycle.progress";

export async function readProgress(sql: Sql, drive: DriveId): Promise<LifecycleProgress | undefined> {
  const row = await sql.get<{ body: string }>(
    "SELECT body FROM drive_document WHERE drive = ? AND name = ?",
    bytesOfId(drive),
    progressDocument,
  );
  return row && (JSON.parse(row.body) as LifecycleProgress);
}

/** A new walk. */
export async function beginProgress(tx: Transaction, drive: DriveId, progress: LifecycleProgress): Promise<void> {
  await tx.run(
    `INSERT INTO drive_document (drive, name, body) VALUES (?, ?, ?)
     ON CONFLICT (drive, name) DO UPDATE SET body = excluded.body`,
    bytesOfId(drive),
    progressDocument,
    JSON.stringify(progress),
  );
}

/** False when there is no walk any more: the rules were changed meanwhile, or the bucket went. */
export async function keepProgress(tx: Transaction, drive: DriveId, progress: LifecycleProgress): Promise<boolean> {
  const kept = await tx.run(
    "UPDATE drive_document SET body = ? WHERE drive = ? AND name = ?",
    JSON.stringify(progress),
    bytesOfId(drive),
    progressDocument,
  );
  return kept === 1;
}

/** The next walk begins at the beginning. */
export async function forgetProgress(tx: Transaction, drive: DriveId): Promise<void> {
  await tx.run("DELETE FROM drive_document WHERE drive = ? AND name = ?", bytesOfId(drive), progressDocument);
}
