import { existsSync, statSync } from "node:fs";
import { pathToFileURL } from "node:url";
import type {
  DatabaseSyncInstance,
  DatabaseSync as PhotostructureDatabase,
  StatementSyncInstance,
} from "@photostructure/sqlite";
import { FsckError } from "../fsck-error.ts";

export type Value = string | number | null | Uint8Array;

/** One moment of the database; every statement sees the same rows. */
export interface Snapshot {
  all<Row>(text: string, ...values: readonly Value[]): readonly Row[];
  get<Row>(text: string, ...values: readonly Value[]): Row | undefined;
  /** Row by row, however many there are. */
  rows<Row>(text: string, ...values: readonly Value[]): Iterable<Row>;
}

/**
 * The metadata database (docs/formats/metadata.md), opened so that nothing of it can change. Beside a running server each
 * snapshot is a read transaction. Of a server that has stopped there is no log beside the file, and then it is read
 * without making one.
 */
export class MetadataDatabase {
  readonly #file: string;
  readonly #engine: typeof PhotostructureDatabase;

  private constructor(file: string, engine: typeof PhotostructureDatabase) {
    this.#file = file;
    this.#engine = engine;
  }

  /** Throws FsckError when there is no such file. */
  static async at(file: string): Promise<MetadataDatabase> {
    if (!existsSync(file)) {
      throw new FsckError(`there is no metadata database at ${file}`, {
        hint: "Name the data folder with --data, or the file with --database.",
      });
    }
    return new MetadataDatabase(file, await sqliteEngine());
  }

  /** Throws FsckError when the file is no sound database, or when a server began to use it meanwhile. */
  async read<Result>(work: (snapshot: Snapshot) => Result | Promise<Result>): Promise<Result> {
    const stopped = !existsSync(`${this.#file}-wal`);
    const before = stateOf(this.#file);
    const connection = this.#connect(stopped);
    try {
      connection.exec("PRAGMA query_only=ON; PRAGMA cache_size=-65536; PRAGMA temp_store=MEMORY; BEGIN");
      const result = await work(snapshotOf(connection));
      if (stopped && (existsSync(`${this.#file}-wal`) || stateOf(this.#file) !== before)) {
        throw new FsckError("a metadata server began to use the database meanwhile", {
          hint: "Run the same command again.",
          again: true,
        });
      }
      return result;
    } catch (cause) {
      throw isSqliteError(cause)
        ? new FsckError(`${this.#file} cannot be read: ${cause.message}`, {
            hint: "Restore the metadata from a backup if the file is damaged.",
            cause,
          })
        : cause;
    } finally {
      // A binding may close a connection later, when its statements are collected: the moment it holds ends here.
      if (connection.isTransaction) connection.exec("ROLLBACK");
      connection.close();
    }
  }

  #connect(stopped: boolean): DatabaseSyncInstance {
    // Opening a database with a write-ahead log makes the log's files anew; `immutable` leaves the folder as it is.
    const place = pathToFileURL(this.#file);
    if (stopped) place.searchParams.set("immutable", "1");
    const connection = new this.#engine(place, { readOnly: true });
    connection.exec("PRAGMA busy_timeout=10000");
    return connection;
  }
}

/** Databases of different ages have different tables, and all of them can be checked. */
export function hasTable(snapshot: Snapshot, table: string): boolean {
  return snapshot.get("SELECT 1 AS one FROM sqlite_schema WHERE type = 'table' AND name = ?", table) !== undefined;
}

function snapshotOf(connection: DatabaseSyncInstance): Snapshot {
  const held = new Set<StatementSyncInstance>();
  return {
    all: <Row>(text: string, ...values: readonly Value[]) => connection.prepare(text).all(...values) as Row[],
    get: <Row>(text: string, ...values: readonly Value[]) => connection.prepare(text).get(...values) as Row | undefined,
    rows: <Row>(text: string, ...values: readonly Value[]) => rowsOf<Row>(connection.prepare(text), values, held),
  };
}

/** The binding ends an iteration when its statement is collected as garbage: it is held for as long. */
function* rowsOf<Row>(
  statement: StatementSyncInstance,
  values: readonly Value[],
  held: Set<StatementSyncInstance>,
): Generator<Row, undefined> {
  held.add(statement);
  try {
    yield* statement.iterate(...values) as IterableIterator<Row>;
  } finally {
    held.delete(statement);
  }
}

function stateOf(file: string): string {
  const { size, mtimeMs } = statSync(file);
  return `${size} ${mtimeMs}`;
}

/** Two builds of SQLite in one process break each other's locks, so this is the one that a server would use here. */
async function sqliteEngine(): Promise<typeof PhotostructureDatabase> {
  const [major = 0, minor = 0, patch = 0] = (process.versions["sqlite"] ?? "0").split(".").map(Number);
  if (major * 1_000_000 + minor * 1000 + patch >= 3_051_003) {
    const name = "node:sqlite";
    return ((await import(name)) as { DatabaseSync: typeof PhotostructureDatabase }).DatabaseSync;
  }
  return (await import("@photostructure/sqlite")).DatabaseSync;
}

function isSqliteError(error: unknown): error is Error {
  return (
    error instanceof Error &&
    !(error instanceof FsckError) &&
    /sqlite/i.test(String((error as { code?: unknown }).code))
  );
}
