import type { Sql } from "@cairn/env";
import { type GroupId, hashOfChunkId, type LeaseId, leaseOfGeneration } from "@cairn/protocol";
import { closedLeases, highestUngiven } from "../../lease/closed-leases.ts";
import { keyOf } from "../../sql/byte-key.ts";
import { inLists } from "../../sql/in-list.ts";
import type { HeldRecord } from "./inventory-walk.ts";

/** What strays turned out to be. */
export interface StrayVerdict {
  /** No row names them and none ever will: their leases are closed. */
  readonly orphans: readonly HeldRecord[];
  /** Condemned: they go their own way. */
  readonly condemned: readonly HeldRecord[];
  /** A row names them by now. */
  readonly named: readonly HeldRecord[];
  /** Their lease is open, or this database never gave it: a commit may still come. */
  readonly undecided: readonly HeldRecord[];
  /** The highest lease of theirs that this database never gave: it is older than its nodes. */
  readonly ungiven: LeaseId | undefined;
}

/**
 * Judges records that no row named, in one snapshot taken after they were seen on the disk: an orphan is one whose lease is
 * closed and that neither a row nor a condemned write of this group names. Looking for the row before the lease would miss
 * a commit in between (storage-design §2, I3).
 */
export async function judgeStrays(sql: Sql, group: GroupId, strays: readonly HeldRecord[]): Promise<StrayVerdict> {
  const named = new Set<string>();
  const condemned = new Set<string>();
  for (const { values, placeholders } of inLists(strays.map(({ id }) => hashOfChunkId(id)))) {
    await collect(sql, { table: "chunk", placeholders, values, group }, named);
    await collect(sql, { table: "condemned", placeholders, values, group }, condemned);
  }
  const leases = strays.map(({ generation }) => leaseOfGeneration(generation));
  const closed = await closedLeases(sql, leases);
  const verdict = {
    orphans: [] as HeldRecord[],
    condemned: [] as HeldRecord[],
    named: [] as HeldRecord[],
    undecided: [] as HeldRecord[],
    ungiven: await highestUngiven(sql, leases),
  };
  for (const stray of strays) {
    const key = `${keyOf(hashOfChunkId(stray.id))} ${stray.generation}`;
    if (condemned.has(key)) verdict.condemned.push(stray);
    else if (named.has(key)) verdict.named.push(stray);
    else if (closed.has(leaseOfGeneration(stray.generation))) verdict.orphans.push(stray);
    else verdict.undecided.push(stray);
  }
  return verdict;
}

async function collect(
  sql: Sql,
  from: {
    readonly table: "chunk" | "condemned";
    readonly placeholders: string;
    readonly values: readonly Uint8Array[];
    readonly group: GroupId;
  },
  into: Set<string>,
): Promise<void> {
  const rows = await sql.all<{ hash: Uint8Array; generation: number }>(
    `SELECT hash, generation FROM ${from.table} WHERE hash IN ${from.placeholders} AND grp = ?`,
    ...from.values,
    from.group,
  );
  for (const row of rows) into.add(`${keyOf(row.hash)} ${row.generation}`);
}
