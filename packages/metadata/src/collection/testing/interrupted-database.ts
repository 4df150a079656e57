import type { SqlDatabase } from "@cairn/env";

/** Does something once, between two reads of the database. */
export class InterruptedDatabase implements SqlDatabase {
  readonly #inner: SqlDatabase;
  reads = 0;
  interruptAfter = Number.POSITIVE_INFINITY;
  interruption: () => Promise<void> = async () => undefined;

  constructor(inner: SqlDatabase) {
    this.#inner = inner;
  }

  write<Result>(work: Parameters<SqlDatabase["write"]>[0]): Promise<Result> {
    return this.#inner.write(work) as Promise<Result>;
  }

  async read<Result>(work: Parameters<SqlDatabase["read"]>[0]): Promise<Result> {
    const result = (await this.#inner.read(work)) as Result;
    if (this.reads++ === this.interruptAfter) await this.interruption();
    return result;
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#inner[Symbol.asyncDispose]();
  }
}
