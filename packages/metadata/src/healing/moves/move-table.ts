import type { Sql } from "@cairn/env";
import {
  type DiskId,
  type GroupId,
  type GroupMove,
  type JobId,
  type MoveReason,
  parseDiskId,
  parseGroupId,
  parseJobId,
} from "@cairn/protocol";

/** A group that gets a copy on another disk, as it stands in table `group_move`. */
export interface MoveRecord extends GroupMove {
  /** All chunks up to this hash are on the new disk; undefined at the start. */
  readonly cursor: Uint8Array | undefined;
}

/** What a move is to do. */
export interface MoveOrder {
  readonly group: GroupId;
  /** The disk that leaves; undefined: the group gets one copy more. */
  readonly from: DiskId | undefined;
  readonly to: DiskId;
  readonly reason: MoveReason;
  readonly job: JobId | undefined;
  /** Of the chunks that are to be copied. */
  readonly totalBytes: number;
}

interface MoveRow {
  readonly grp: number;
  readonly from_disk: number;
  readonly to_disk: number;
  readonly reason: MoveReason;
  readonly job: number | null;
  readonly cursor: Uint8Array | null;
  readonly done_bytes: number;
  readonly total_bytes: number;
  readonly started_at: number;
}

const columns = "grp, from_disk, to_disk, reason, job, cursor, done_bytes, total_bytes, started_at";

/** All moves that were begun and have not ended, in the order of their groups. */
export async function loadMoves(sql: Sql): Promise<MoveRecord[]> {
  return (await sql.all<MoveRow>(`SELECT ${columns} FROM group_move ORDER BY grp`)).map(moveOf);
}

export async function findMove(sql: Sql, group: GroupId): Promise<MoveRecord | undefined> {
  const row = await sql.get<MoveRow>(`SELECT ${columns} FROM group_move WHERE grp = ?`, group);
  return row && moveOf(row);
}

export async function insertMove(sql: Sql, order: MoveOrder, now: number): Promise<void> {
  await sql.run(
    `INSERT INTO group_move (grp, from_disk, to_disk, reason, job, state, cursor, done_bytes, total_bytes, started_at)
     VALUES (?, ?, ?, ?, ?, 0, NULL, 0, ?, ?)`,
    order.group,
    order.from ?? 0,
    order.to,
    order.reason,
    order.job ?? null,
    order.totalBytes,
    now,
  );
}

/** How far a move is. Tells whether it still stands. */
export async function saveProgress(
  sql: Sql,
  move: Pick<MoveRecord, "group" | "to" | "cursor" | "doneBytes">,
): Promise<boolean> {
  const changed = await sql.run(
    "UPDATE group_move SET cursor = ?, done_bytes = ? WHERE grp = ? AND to_disk = ?",
    move.cursor ?? null,
    move.doneBytes,
    move.group,
    move.to,
  );
  return changed > 0;
}

export async function deleteMove(sql: Sql, group: GroupId): Promise<void> {
  await sql.run("DELETE FROM group_move WHERE grp = ?", group);
}

function moveOf(row: MoveRow): MoveRecord {
  return {
    group: parseGroupId(row.grp),
    from: row.from_disk === 0 ? undefined : parseDiskId(row.from_disk),
    to: parseDiskId(row.to_disk),
    reason: row.reason,
    job: row.job === null ? undefined : parseJobId(row.job),
    cursor: row.cursor ?? undefined,
    doneBytes: row.done_bytes,
    totalBytes: row.total_bytes,
    startedAt: row.started_at,
  };
}
