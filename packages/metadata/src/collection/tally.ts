import type { Sql } from "@cairn/env";

const names = ["deletedChunks", "deletedBytes", "orphansDeleted", "lastRunAt", "lastAuditAt"] as const;

/** What the collection has done since the cluster was made; times are wall clock ms, 0 before the first. */
export type Tally = Readonly<Record<(typeof names)[number], number>>;

/** Kept in table `cluster`, each under `collect.` and its name. */
const prefix = "collect.";

export async function readTally(sql: Sql): Promise<Tally> {
  const rows = await sql.all<{ name: string; value: string }>(
    "SELECT name, value FROM cluster WHERE name >= ? AND name < ?",
    prefix,
    "collect/",
  );
  const values = new Map(rows.map((row) => [row.name.slice(prefix.length), Number(row.value)]));
  return Object.fromEntries(names.map((name) => [name, values.get(name) ?? 0])) as Tally;
}

/** Adds to counters, in the caller's transaction. */
export async function addToTally(
  sql: Sql,
  counts: Partial<Pick<Tally, "deletedChunks" | "deletedBytes" | "orphansDeleted">>,
): Promise<void> {
  for (const [name, count] of Object.entries(counts)) {
    if (count === 0) continue;
    await sql.run("INSERT INTO cluster (name, value) VALUES (?, '0') ON CONFLICT (name) DO NOTHING", prefix + name);
    await sql.run(
      "UPDATE cluster SET value = CAST(CAST(value AS BIGINT) + CAST(? AS BIGINT) AS TEXT) WHERE name = ?",
      count,
      prefix + name,
    );
  }
}

/** Notes when something ended, in the caller's transaction. */
export async function noteTime(sql: Sql, name: "lastRunAt" | "lastAuditAt", at: number): Promise<void> {
  await sql.run(
    "INSERT INTO cluster (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    prefix + name,
    String(at),
  );
}
