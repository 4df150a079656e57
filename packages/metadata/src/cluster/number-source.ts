import type { Sql } from "@cairn/env";

/** A series of numbers that starts at 1 and never gives one twice, whatever is deleted. Kept in table `cluster`. */
export type NumberSeries = "next_group" | "next_disk" | "next_lease" | "next_job" | "next_event" | "next_notification";

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

/** Makes `next` the lowest number that may be given from now on, in the caller's transaction; a series never goes back. */
export async function raiseNumbers(sql: Sql, series: NumberSeries, next: number): Promise<void> {
  await takeNumbers(sql, series, 0);
  await sql.run(
    "UPDATE cluster SET value = CAST(CAST(? AS BIGINT) AS TEXT) WHERE name = ? AND CAST(value AS BIGINT) < ?",
    next,
    series,
    next,
  );
}
