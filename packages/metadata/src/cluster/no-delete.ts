import type { Sql, SqlDatabase } from "@cairn/env";

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

/** No-delete mode as whoever cannot ask the database each time sees it. Decisions read the row in their own transaction. */
export class NoDelete {
  readonly #database: SqlDatabase;
  #reason: string | undefined;

  private constructor(database: SqlDatabase, reason: string | undefined) {
    this.#database = database;
    this.#reason = reason;
  }

  static async load(database: SqlDatabase): Promise<NoDelete> {
    return new NoDelete(database, await database.read(noDeleteReason));
  }

  get reason(): string | undefined {
    return this.#reason;
  }

  /** Forbids every deletion for a reason, or allows them again with undefined. Durable when it returns. */
  async set(reason: string | undefined): Promise<void> {
    await this.#database.write(async (sql) => {
      await sql.run("DELETE FROM cluster WHERE name = ?", rowName);
      if (reason !== undefined) await sql.run("INSERT INTO cluster (name, value) VALUES (?, ?)", rowName, reason);
    });
    this.#reason = reason;
  }
}
