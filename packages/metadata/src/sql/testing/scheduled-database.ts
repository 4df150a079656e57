import type { Sql, SqlDatabase } from "@cairn/env";
import { StorageError } from "@cairn/protocol";

/** Decides when something may go on; fast-check's scheduler is one. */
export interface Gatekeeper {
  schedule<Value>(task: Promise<Value>, label?: string): Promise<Value>;
}

/**
 * A database whose transactions begin in an order that a test chooses, and whose answers may get lost after the commit,
 * as when the connection breaks at the worst moment.
 */
export class ScheduledDatabase implements SqlDatabase {
  readonly #inner: SqlDatabase;
  /** Absent: transactions begin at once. */
  gatekeeper: Gatekeeper | undefined;
  /** Answers that are still to be lost. */
  answersToLose = 0;

  constructor(inner: SqlDatabase) {
    this.#inner = inner;
  }

  async write<Result>(work: (sql: Sql) => Promise<Result>): Promise<Result> {
    await this.gatekeeper?.schedule(Promise.resolve(), "write");
    const result = await this.#inner.write(work);
    if (this.answersToLose > 0) {
      this.answersToLose--;
      throw new StorageError("unavailable", "end transaction", "the connection broke; the outcome is unknown");
    }
    return result;
  }

  async read<Result>(work: (sql: Sql) => Promise<Result>): Promise<Result> {
    await this.gatekeeper?.schedule(Promise.resolve(), "read");
    return await this.#inner.read(work);
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#inner[Symbol.asyncDispose]();
  }
}
