import type { Sql, SqlDatabase, SqlRow, SqlValue } from "@cairn/env";
import { assert, isKind, StorageError } from "@cairn/protocol";
import type { DatabaseSyncInstance, StatementSyncInstance } from "@photostructure/sqlite";
import { makePrivateFile } from "./private-file.ts";
import { openEngine } from "./sqlite-engine.ts";

const inMemory = ":memory:";
const statementsKept = 300;

/**
 * Opens a database file, or `:memory:`. WAL with `synchronous=FULL` set explicitly on the writing connection: a commit
 * that returned survives a power cut. One connection writes and checkpoints; readers are read-only. A new file is 0600.
 * The whole file is checked first, some hundred MiB a second. Throws corrupt when it is not a sound database.
 */
export async function openSqlite(file: string): Promise<SqlDatabase> {
  const engine = await openEngine();
  if (file !== inMemory) await makePrivateFile(file);
  const opened: DatabaseSyncInstance[] = [];
  try {
    const writer = new engine(file);
    opened.push(writer);
    writer.exec("PRAGMA page_size=8192; PRAGMA busy_timeout=5000; PRAGMA journal_mode=WAL");
    writer.exec("PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA cache_size=-65536; PRAGMA temp_store=MEMORY");
    assertSound(writer);
    if (file === inMemory) return new SqliteDatabase(writer, writer);
    const reader = new engine(file, { readOnly: true });
    opened.push(reader);
    reader.exec("PRAGMA busy_timeout=5000; PRAGMA cache_size=-32768; PRAGMA query_only=ON");
    return new SqliteDatabase(writer, reader, () => openSnapshot(engine, file));
  } catch (error) {
    for (const connection of opened) connection.close();
    throw translate(error, "open database");
  }
}

/** A damaged page that nobody reads for months would be in every backup by then. */
function assertSound(database: DatabaseSyncInstance): void {
  const [found] = database.prepare("PRAGMA quick_check(1)").all() as { quick_check?: string }[];
  if (found?.quick_check !== "ok") throw new Error(`the database is malformed: ${found?.quick_check}`);
}

function openSnapshot(engine: Awaited<ReturnType<typeof openEngine>>, file: string): DatabaseSyncInstance {
  const connection = new engine(file, { readOnly: true });
  connection.exec("PRAGMA busy_timeout=5000; PRAGMA cache_size=-16384; PRAGMA query_only=ON");
  return connection;
}

class SqliteDatabase implements SqlDatabase {
  readonly #openSnapshot: (() => DatabaseSyncInstance) | undefined;
  readonly #snapshots = new Set<Promise<unknown>>();
  readonly #writer: SqliteConnection;
  readonly #reader: SqliteConnection;
  readonly #shared: boolean;
  #writing: Promise<unknown> = Promise.resolve();
  #reading: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | undefined;

  constructor(writer: DatabaseSyncInstance, reader: DatabaseSyncInstance, openSnapshot?: () => DatabaseSyncInstance) {
    this.#openSnapshot = openSnapshot;
    this.#writer = new SqliteConnection(writer);
    this.#shared = writer === reader;
    this.#reader = this.#shared ? this.#writer : new SqliteConnection(reader);
  }

  write<Result>(work: (sql: Sql) => Promise<Result>): Promise<Result> {
    const run = this.#writing.then(() => transaction(this.#writer, "BEGIN IMMEDIATE", work));
    this.#writing = run.catch(() => undefined);
    return run;
  }

  read<Result>(work: (sql: Sql) => Promise<Result>): Promise<Result> {
    // A database in memory has one connection: readers then take their turn among the writers.
    if (this.#shared) return this.write(work);
    const run = this.#reading.then(() => transaction(this.#reader, "BEGIN", work));
    this.#reading = run.catch(() => undefined);
    return run;
  }

  async snapshot<Result>(work: (sql: Sql) => Promise<Result>): Promise<Result> {
    if (!this.#openSnapshot) return await this.read(work);
    const connection = new SqliteConnection(this.#openSnapshot());
    const run = transaction(connection, "BEGIN", (sql) => work(new YieldingSql(sql)));
    this.#snapshots.add(run);
    try {
      return await run;
    } finally {
      this.#snapshots.delete(run);
      connection.close();
    }
  }

  durability(): { readonly durable: boolean; readonly words: string } {
    return this.#writer.durability();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await Promise.all([this.#writing, this.#reading, ...[...this.#snapshots].map((run) => run.catch(() => undefined))]);
    if (!this.#shared) this.#reader.close();
    this.#writer.checkpoint();
    this.#writer.close();
  }
}

async function transaction<Result>(
  connection: SqliteConnection,
  begin: string,
  work: (sql: Sql) => Promise<Result>,
): Promise<Result> {
  connection.begin(begin);
  try {
    const result = await work(connection);
    connection.commit();
    return result;
  } catch (error) {
    if (connection.inTransaction) connection.exec("ROLLBACK");
    throw error;
  }
}

/** Lets everybody else run after each statement of work that has many. */
class YieldingSql implements Sql {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  async all<Row = SqlRow>(text: string, ...parameters: readonly SqlValue[]): Promise<Row[]> {
    await turn();
    return await this.#sql.all<Row>(text, ...parameters);
  }

  async get<Row = SqlRow>(text: string, ...parameters: readonly SqlValue[]): Promise<Row | undefined> {
    await turn();
    return await this.#sql.get<Row>(text, ...parameters);
  }

  async run(text: string, ...parameters: readonly SqlValue[]): Promise<number> {
    await turn();
    return await this.#sql.run(text, ...parameters);
  }

  savepoint<Result>(work: () => Promise<Result>): Promise<Result> {
    return this.#sql.savepoint(work);
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** One connection and its prepared statements, the oldest first: beyond a number it goes. */
class SqliteConnection implements Sql {
  readonly #database: DatabaseSyncInstance;
  readonly #statements = new Map<string, StatementSyncInstance>();
  #savepoints = 0;
  /** What made SQLite undo the whole transaction under way, if anything did. */
  #undoneBy: StorageError | undefined;

  constructor(database: DatabaseSyncInstance) {
    this.#database = database;
  }

  /** As the connection says that it is now, and not as it was told to be. */
  durability(): { readonly durable: boolean; readonly words: string } {
    const level = Number(Object.values(this.#database.prepare("PRAGMA synchronous").get() ?? {})[0]);
    const mode = String(Object.values(this.#database.prepare("PRAGMA journal_mode").get() ?? {})[0]);
    const name = ["OFF", "NORMAL", "FULL", "EXTRA"][level] ?? String(level);
    return { durable: level >= 2 && mode === "wal", words: `SQLite: journal_mode=${mode}, synchronous=${name}` };
  }

  get inTransaction(): boolean {
    return this.#database.isOpen && this.#database.isTransaction;
  }

  begin(text: string): void {
    this.#undoneBy = undefined;
    this.exec(text);
  }

  /** Throws unavailable when the transaction may or may not be there after the next start. */
  commit(): void {
    try {
      this.exec("COMMIT");
    } catch (error) {
      if (this.inTransaction || !isKind(error, "internal")) throw error;
      // The commit can stand in the log although syncing it failed: the next start would then find it.
      throw new StorageError("unavailable", "commit transaction", error.subject, {
        cause: error,
        details: { outcome: "unknown" },
        hint: "The disk of the metadata database reports errors. Check it before anything else.",
      });
    }
  }

  exec(text: string): void {
    if (this.#undoneBy) throw this.#undoneBy;
    try {
      this.#statement(text).run();
    } catch (error) {
      throw this.#failed(error, "control transaction");
    }
  }

  async all<Row = SqlRow>(text: string, ...parameters: readonly SqlValue[]): Promise<Row[]> {
    if (this.#undoneBy) throw this.#undoneBy;
    try {
      return this.#statement(text).all(...parameters) as Row[];
    } catch (error) {
      throw this.#failed(error, "query database");
    }
  }

  async get<Row = SqlRow>(text: string, ...parameters: readonly SqlValue[]): Promise<Row | undefined> {
    if (this.#undoneBy) throw this.#undoneBy;
    try {
      return this.#statement(text).get(...parameters) as Row | undefined;
    } catch (error) {
      throw this.#failed(error, "query database");
    }
  }

  async run(text: string, ...parameters: readonly SqlValue[]): Promise<number> {
    if (this.#undoneBy) throw this.#undoneBy;
    try {
      return Number(this.#statement(text).run(...parameters).changes);
    } catch (error) {
      throw this.#failed(error, "change database");
    }
  }

  async savepoint<Result>(work: () => Promise<Result>): Promise<Result> {
    const name = `s${this.#savepoints++ % 8}`;
    this.exec(`SAVEPOINT ${name}`);
    try {
      const result = await work();
      this.exec(`RELEASE ${name}`);
      return result;
    } catch (error) {
      this.exec(`ROLLBACK TO ${name}`);
      this.exec(`RELEASE ${name}`);
      throw error;
    }
  }

  /**
   * Brings everything into the main file. SQLite does so on closing, but the prebuilt binding cannot finalise statements:
   * the connection behind it lives on until they are collected.
   */
  checkpoint(): void {
    try {
      this.#database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    } catch (error) {
      // Without room or right to write, the log stays beside the file and the next opening reads it: nothing is lost.
      const failure = translate(error, "close database");
      if (failure.kind === "corrupt") throw failure;
    }
  }

  close(): void {
    this.#statements.clear();
    this.#database.close();
  }

  /**
   * A full disk or an I/O error can make SQLite undo the whole transaction by itself. Whatever came after it would then
   * commit alone, statement by statement: so nothing comes after it.
   */
  #failed(error: unknown, operation: string): StorageError {
    const failure = translate(error, operation);
    if (!this.inTransaction) this.#undoneBy = failure;
    return failure;
  }

  #statement(text: string): StatementSyncInstance {
    const known = this.#statements.get(text);
    if (known) return known;
    const prepared = this.#database.prepare(text);
    if (this.#statements.size >= statementsKept) {
      const oldest = this.#statements.keys().next().value;
      assert(oldest !== undefined, "a full cache has an oldest statement");
      this.#statements.delete(oldest);
    }
    this.#statements.set(text, prepared);
    return prepared;
  }
}

function translate(error: unknown, operation: string): StorageError {
  if (error instanceof StorageError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const options = { cause: error };
  if (/full/i.test(message) && /disk|database/i.test(message))
    return new StorageError("no-space", operation, message, options);
  if (/constraint/i.test(message)) return new StorageError("conflict", operation, message, options);
  if (/malformed|not a database|corrupt/i.test(message)) {
    return new StorageError("corrupt", operation, message, {
      ...options,
      hint: "The metadata database is damaged. Stop the server and restore a backup of its folder.",
    });
  }
  if (/locked|busy/i.test(message)) return new StorageError("unavailable", operation, message, options);
  return new StorageError("internal", operation, message, options);
}
