import type { Sql } from "@cairn/env";

/** Name of the row of table `cluster` that forbids every deletion; its value says why. */
const rowName = "no_delete";

/**
 * Why nothing may be deleted in this cluster, or undefined. A restore from a backup sets it: every chunk that was committed
 * since that backup looks like the left-over of a closed lease, until somebody has looked.
 */
export async function noDeleteReason(sql: Sql): Promise<string | undefined> {
  const row = await sql.get<{ value: string }>("SELECT value FROM cluster WHERE name = ?", rowName);
  return row && (row.value || "metadata was restored from a backup");
}

/** Forbids every deletion for a reason, or allows them again with undefined. In the caller's transaction. */
export async function setNoDelete(sql: Sql, reason: string | undefined): Promise<void> {
  if (reason === undefined) {
    await sql.run("DELETE FROM cluster WHERE name = ?", rowName);
    return;
  }
  await sql.run(
    "INSERT INTO cluster (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    rowName,
    reason,
  );
}
