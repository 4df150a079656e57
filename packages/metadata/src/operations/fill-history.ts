import type { Clock, SqlDatabase } from "@cairn/env";

/** How often what is stored is noted, and for how long; ms. */
export const sampleEveryMs = 3_600_000;
const keptMs = 8 * 86_400_000;
const weekMs = 7 * 86_400_000;
const dayMs = 86_400_000;
/** Growth is not told from less than this: the first hours of a cluster are seldom like the rest. */
const shortestMs = dayMs;

/** How much was stored when, in table `fill_sample`: what tells when the cluster will be full. */
export class FillHistory {
  readonly #clock: Clock;
  readonly #database: SqlDatabase;

  constructor(world: { readonly clock: Clock; readonly database: SqlDatabase }) {
    this.#clock = world.clock;
    this.#database = world.database;
  }

  /** Notes the bytes that are stored now, of chunks that versions need, each once. */
  async note(bytes: number): Promise<void> {
    const now = this.#clock.now();
    await this.#database.write(async (sql) => {
      await sql.run("DELETE FROM fill_sample WHERE at < ? OR at > ?", now - keptMs, now);
      await sql.run(
        "INSERT INTO fill_sample (at, bytes) VALUES (?, ?) ON CONFLICT (at) DO UPDATE SET bytes = excluded.bytes",
        now,
        bytes,
      );
    });
  }

  /** Bytes per day by which the data grew in the last week; undefined when too little is known. Negative: it shrank. */
  async growthPerDay(bytesNow: number): Promise<number | undefined> {
    const now = this.#clock.now();
    const first = await this.#database.read((sql) =>
      sql.get<{ at: number; bytes: number }>(
        "SELECT at, bytes FROM fill_sample WHERE at >= ? ORDER BY at LIMIT 1",
        now - weekMs,
      ),
    );
    if (!first || now - first.at < shortestMs) return undefined;
    return ((bytesNow - first.bytes) / (now - first.at)) * dayMs;
  }
}
