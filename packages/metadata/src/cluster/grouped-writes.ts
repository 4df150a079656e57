import type { Sql, SqlDatabase } from "@cairn/env";
import { failed, limits, type Outcome, StorageError, succeeded } from "@cairn/protocol";

interface Waiting {
  readonly work: (sql: Sql) => Promise<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

const waitingMax = 4096;

/**
 * Small writes that share transactions: what arrives while one transaction is being made durable goes into the next, so
 * many leases and heartbeats cost one sync. Each piece of work fails alone. No timer holds anything back.
 */
export class GroupedWrites {
  readonly #database: SqlDatabase;
  readonly #waiting: Waiting[] = [];
  #running = false;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /**
   * Runs the work in a transaction with others; it is durable when the promise resolves. The work may run twice, as in
   * `SqlDatabase.write`. Throws what the work throws, what the database throws, and overloaded when too many wait.
   */
  run<Result>(work: (sql: Sql) => Promise<Result>): Promise<Result> {
    if (this.#waiting.length >= waitingMax) {
      return Promise.reject(
        new StorageError("overloaded", "write metadata", `${waitingMax} changes are waiting already`, {
          hint: "Try again in a moment.",
        }),
      );
    }
    return new Promise<Result>((resolve, reject) => {
      this.#waiting.push({ work, resolve: resolve as (value: unknown) => void, reject });
      if (!this.#running) void this.#drain();
    });
  }

  async #drain(): Promise<void> {
    this.#running = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, limits.commitGroupMax);
      try {
        const outcomes = await this.#database.write((sql) => runAll(sql, batch));
        batch.forEach((item, index) => {
          const outcome = outcomes[index];
          if (outcome?.ok) item.resolve(outcome.value);
          else item.reject(outcome?.error);
        });
      } catch (error) {
        for (const item of batch) item.reject(error);
      }
    }
    this.#running = false;
  }
}

async function runAll(sql: Sql, batch: readonly Waiting[]): Promise<Outcome<unknown>[]> {
  const outcomes: Outcome<unknown>[] = [];
  for (const item of batch) {
    try {
      outcomes.push(succeeded(await sql.savepoint(() => item.work(sql))));
    } catch (error) {
      outcomes.push(failed(error, "write metadata"));
    }
  }
  return outcomes;
}
