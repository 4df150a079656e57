import type { Sql } from "@cairn/env";
import type { LeaseId } from "@cairn/protocol";

/** Ids in one statement. */
const idsAtOnce = 64;
/** Rows removed in one transaction. */
const rowsAtOnce = 5000;

/**
 * Which of these leases are closed for good (storage-design §2, I3): their row says so, or they were given once and their
 * row is gone. A row appears in the transaction that takes its number from `next_lease`, and only closed ones are ever
 * removed: an id below that number without a row can never come back. One that has merely expired is not closed, and one
 * that this database has never given (it may have been restored from a backup) is not either.
 *
 * Ask in the snapshot, or the transaction, that also looks for the chunk's row: a lease that closes between the two looks may
 * have committed the chunk meanwhile.
 */
export async function closedLeases(sql: Sql, leases: Iterable<LeaseId>): Promise<ReadonlySet<LeaseId>> {
  const all = [...new Set(leases)];
  const next = await nextLease(sql);
  const closed = new Set<LeaseId>(all.filter((lease) => lease < next));
  for (let start = 0; start < all.length; start += idsAtOnce) {
    const some = all.slice(start, start + idsAtOnce);
    const rows = await sql.all<{ id: number }>(
      `SELECT id FROM lease WHERE state <> 1 AND id IN (${some.map(() => "?").join(", ")})`,
      ...some,
    );
    for (const row of rows) closed.delete(row.id as LeaseId);
  }
  return closed;
}

/** The highest of these that this database has never given, if there is one. */
export async function highestUngiven(sql: Sql, leases: Iterable<LeaseId>): Promise<LeaseId | undefined> {
  const next = await nextLease(sql);
  let highest: LeaseId | undefined;
  for (const lease of leases) if (lease >= next && lease > (highest ?? 0)) highest = lease;
  return highest;
}

async function nextLease(sql: Sql): Promise<number> {
  const row = await sql.get<{ value: string }>("SELECT value FROM cluster WHERE name = 'next_lease'");
  return Number(row?.value ?? 1);
}

/** Removes rows of leases that were closed and would have ended before `endedBefore` (wall clock ms). Tells how many, at most 5,000. */
export function pruneClosedLeases(sql: Sql, endedBefore: number): Promise<number> {
  return sql.run(
    `DELETE FROM lease WHERE state = 1 AND id IN (SELECT id FROM lease WHERE state = 1 AND expires_at < ? LIMIT ${rowsAtOnce})`,
    endedBefore,
  );
}
