import type { SqlDatabase } from "@cairn/env";
import { type GroupId, recordDigest, spellDigest } from "@cairn/protocol";

/** What the table says that every member of the group should hold. */
export interface GroupRow {
  readonly hash: Uint8Array;
  readonly generation: number;
  /** 0 live, 1 condemned, 2 lost. */
  readonly state: number;
}

/** Rows read in one snapshot: short enough that nobody waits for it. */
export const rowsAtOnce = 2048;

/** Hashes from one on, and up to another; `before` undefined: to the end. */
export interface HashRange {
  readonly from: Uint8Array;
  readonly before: Uint8Array | undefined;
}

/** Rows of a group with hashes in [from, before), in order, each page from a snapshot of its own. */
export async function* groupRows(
  database: SqlDatabase,
  group: GroupId,
  range: HashRange,
): AsyncGenerator<readonly GroupRow[]> {
  let { from } = range;
  const end = range.before === undefined ? "" : "AND hash < ?";
  const bound = range.before === undefined ? [] : [range.before];
  while (true) {
    const rows = await database.read((sql) =>
      sql.all<GroupRow>(
        `SELECT hash, generation, state FROM chunk WHERE grp = ? AND hash >= ? ${end} ORDER BY hash LIMIT ${rowsAtOnce}`,
        group,
        from,
        ...bound,
      ),
    );
    yield rows;
    const last = rows.at(-1);
    if (!last || rows.length < rowsAtOnce) return;
    from = new Uint8Array([...last.hash, 0]);
  }
}

/**
 * The digest that every member has when it holds exactly what it should: chunks that are not condemned, and condemned
 * writes until their delete has been acknowledged. Rows that change meanwhile make it one that no member has.
 */
export async function tableDigest(
  database: SqlDatabase,
  group: GroupId,
  pause: () => Promise<void>,
): Promise<{ readonly digest: string; readonly records: number }> {
  let xor = 0n;
  let records = 0;
  const add = (row: Pick<GroupRow, "hash" | "generation">): void => {
    xor ^= recordDigest(row.hash, row.generation);
    records++;
  };
  for await (const rows of groupRows(database, group, { from: new Uint8Array(0), before: undefined })) {
    for (const row of rows) if (row.state !== 1) add(row);
    if (rows.length === rowsAtOnce) await pause();
  }
  let after: Pick<GroupRow, "hash" | "generation"> = { hash: new Uint8Array(0), generation: 0 };
  while (true) {
    const { hash, generation } = after;
    const rows = await database.read((sql) =>
      sql.all<Pick<GroupRow, "hash" | "generation">>(
        `SELECT hash, generation FROM condemned WHERE grp = ? AND (hash > ? OR (hash = ? AND generation > ?))
         AND acked_epoch IS NULL ORDER BY hash, generation LIMIT ${rowsAtOnce}`,
        group,
        hash,
        hash,
        generation,
      ),
    );
    for (const row of rows) add(row);
    const last = rows.at(-1);
    if (!last || rows.length < rowsAtOnce) return { digest: spellDigest(xor), records };
    after = last;
  }
}
