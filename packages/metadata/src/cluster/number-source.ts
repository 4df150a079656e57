import type { Sql } from "@cairn/env";

/** A series of numbers that starts at 1 and never gives one twice, whatever is deleted. Kept in table `cluster`. */
export type NumberSeries = "next_group" | "next_disk" | "next_lease" | "next_job" | "next_event";

/** Takes `count` numbers in the caller's transaction and tells the first. */
export async function takeNumbers(sql: Sql, series: NumberSeries, count: number): Promise<number> {
  await sql.run("INSERT INTO cluster (name, value) VALUES (?, '1') ON CONFLICT (name) DO NOTHING", series);
  await sql.run(
    "UPDATE cluster SET value = CAST(CAST(value AS BIGINT) + CAST(? AS BIGINT) AS TEXT) WHERE name = ?",
    count,
    series,
  );
  const row = await sql.get<{ value: string }>("SELECT value FROM cluster WHERE name = ?", series);
  return Number(row?.value) - count;
}
