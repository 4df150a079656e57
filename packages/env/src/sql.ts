/**
 * A SQL engine in the subset that SQLite and PostgreSQL share. Parameters are `?`, in order. Integers come back as
 * numbers (all ids stay below 2^53), blobs as Uint8Array.
 */
export interface SqlDatabase extends AsyncDisposable {
  /**
   * Runs `work` in one serialisable, durable read-write transaction; one at a time. Committed before it returns;
   * rolled back when `work` throws. `work` awaits nothing but its statements, and may be run again on a
   * serialisation failure. Throws unavailable when the outcome is unknown, no-space when the disk is full.
   */
  write<Result>(work: (sql: Sql) => Promise<Result>): Promise<Result>;
  /** Runs `work` on one consistent snapshot; never sees uncommitted changes and never waits for writers. */
  read<Result>(work: (sql: Sql) => Promise<Result>): Promise<Result>;
  /**
   * Like `read`, for work that takes minutes: it has a connection of its own, so that nobody waits for it, and lets others
   * run between its statements. What is written meanwhile stays in the engine's log until it ends. Absent: use `read`.
   */
  snapshot?<Result>(work: (sql: Sql) => Promise<Result>): Promise<Result>;
  /** Whether a committed transaction survives a power cut, as the engine itself says; the words are for people. */
  durability?(): { readonly durable: boolean; readonly words: string };
}

export interface Sql {
  all<Row = SqlRow>(text: string, ...parameters: readonly SqlValue[]): Promise<Row[]>;
  get<Row = SqlRow>(text: string, ...parameters: readonly SqlValue[]): Promise<Row | undefined>;
  /** Tells how many rows changed. */
  run(text: string, ...parameters: readonly SqlValue[]): Promise<number>;
  /** Undoes what `work` did when it throws, and keeps the rest of the transaction. */
  savepoint<Result>(work: () => Promise<Result>): Promise<Result>;
}

export type SqlValue = string | number | Uint8Array | null;
export type SqlRow = Record<string, SqlValue>;
