import type { Sql } from "@cairn/env";
import { type DiskId, type GroupId, parseDiskId, parseGroupId } from "@cairn/protocol";

/** A copy of a group on a disk that is not its member, and that is to be dropped when that is safe. */
export interface ExtraCopy {
  readonly group: GroupId;
  readonly disk: DiskId;
  /** Wall clock ms. */
  readonly decidedAt: number;
}

interface ExtraRow {
  readonly grp: number;
  readonly disk: number;
  readonly decided_at: number;
}

/** Decides, in the caller's transaction, that a disk is to drop its copy of a group. Deciding twice is deciding once. */
export async function addExtraCopy(sql: Sql, copy: ExtraCopy): Promise<void> {
  await sql.run(
    "INSERT INTO extra_copy (grp, disk, decided_at) VALUES (?, ?, ?) ON CONFLICT (grp, disk) DO NOTHING",
    copy.group,
    copy.disk,
    copy.decidedAt,
  );
}

/** The disk is a member again, or has dropped its copy. */
export async function removeExtraCopy(sql: Sql, copy: Pick<ExtraCopy, "group" | "disk">): Promise<void> {
  await sql.run("DELETE FROM extra_copy WHERE grp = ? AND disk = ?", copy.group, copy.disk);
}

/** All of them, in the order of (group, disk). There are as many as wait for their drop. */
export async function allExtraCopies(sql: Sql): Promise<ExtraCopy[]> {
  const rows = await sql.all<ExtraRow>("SELECT grp, disk, decided_at FROM extra_copy ORDER BY grp, disk");
  return rows.map(extraOf);
}

export async function extraCopiesOf(sql: Sql, group: GroupId): Promise<ExtraCopy[]> {
  const rows = await sql.all<ExtraRow>(
    "SELECT grp, disk, decided_at FROM extra_copy WHERE grp = ? ORDER BY disk",
    group,
  );
  return rows.map(extraOf);
}

function extraOf(row: ExtraRow): ExtraCopy {
  return { group: parseGroupId(row.grp), disk: parseDiskId(row.disk), decidedAt: row.decided_at };
}
