import type { Sql, SqlDatabase, SqlRow, SqlValue } from "@cairn/env";
import { StorageError } from "@cairn/protocol";
import type { SeededRandom } from "../random/seeded-random.ts";
import { type Life, ProcessEnded } from "./life.ts";

/** How a database misbehaves; each is a chance in [0, 1]. */
export interface DatabaseFaults {
  /** A statement takes a moment, in which others run and the process may end. */
  slowStatement: number;
  /** The answer to a commit is lost; half of these commits took place. */
  unknownOutcome: number;
}

/**
 * The database as one process sees it. What was committed outlives the process; a transaction in which it ends is undone,
 * and none of its waiting ones begins.
 */
export class ProcessDatabase implements SqlDatabase {
  readonly #inner: SqlDatabase;
  readonly #life: Life;
  readonly #random: SeededRandom;
  readonly #faults: DatabaseFaults;
  readonly #ended: Promise<never>;
  readonly #faulted: () => void;

  constructor(
    inner: SqlDatabase,
    life: Life,
    options: { readonly random: SeededRandom; readonly faults: DatabaseFaults; readonly faulted: () => void },
  ) {
    this.#inner = inner;
    this.#life = life;
    this.#random = options.random;
    this.#faults = options.faults;
    this.#faulted = options.faulted;
    this.#ended = new Promise((_, reject) => {
      life.atEnd(() => reject(new ProcessEnded("the process ended in a transaction")));
    });
    this.#ended.catch(() => undefined);
  }

  write<Result>(work: (sql: Sql) => Promise<Result>): Promise<Result> {
    return this.#life.hears(this.#write(work));
  }

  read<Result>(work: (sql: Sql) => Promise<Result>): Promise<Result> {
    return this.#life.hears(this.#inner.read((sql) => this.#work(sql, work)));
  }

  durability(): { readonly durable: boolean; readonly words: string } {
    return { durable: true, words: "simulated" };
  }

  /** The database outlives the process. */
  async [Symbol.asyncDispose](): Promise<void> {}

  async #write<Result>(work: (sql: Sql) => Promise<Result>): Promise<Result> {
    const unknown = this.#random.fraction() < this.#faults.unknownOutcome;
    const undone = unknown && this.#random.fraction() < 0.5;
    const lost = new StorageError("unavailable", "commit transaction", "injected fault", {
      details: { outcome: "unknown" },
    });
    const result = await this.#inner.write(async (sql) => {
      const done = await this.#work(sql, work);
      if (undone) throw lost;
      return done;
    });
    if (!unknown) return result;
    this.#faulted();
    throw lost;
  }

  #work<Result>(sql: Sql, work: (sql: Sql) => Promise<Result>): Promise<Result> {
    if (!this.#life.alive) throw new ProcessEnded("the process has ended");
    return Promise.race([work(new ProcessSql(sql, (ms) => this.#life.pause(ms), this.#pauseMs)), this.#ended]);
  }

  readonly #pauseMs = (): number =>
    this.#random.fraction() < this.#faults.slowStatement ? this.#random.fraction() * 5 : 0;
}

class ProcessSql implements Sql {
  readonly #sql: Sql;
  readonly #pause: (ms: number) => Promise<void>;
  readonly #pauseMs: () => number;

  constructor(sql: Sql, pause: (ms: number) => Promise<void>, pauseMs: () => number) {
    this.#sql = sql;
    this.#pause = pause;
    this.#pauseMs = pauseMs;
  }

  async all<Row = SqlRow>(text: string, ...parameters: readonly SqlValue[]): Promise<Row[]> {
    await this.#wait();
    return this.#sql.all<Row>(text, ...parameters);
  }

  async get<Row = SqlRow>(text: string, ...parameters: readonly SqlValue[]): Promise<Row | undefined> {
    await this.#wait();
    return this.#sql.get<Row>(text, ...parameters);
  }

  async run(text: string, ...parameters: readonly SqlValue[]): Promise<number> {
    await this.#wait();
    return this.#sql.run(text, ...parameters);
  }

  savepoint<Result>(work: () => Promise<Result>): Promise<Result> {
    return this.#sql.savepoint(work);
  }

  async #wait(): Promise<void> {
    const ms = this.#pauseMs();
    if (ms > 0) await this.#pause(ms);
  }
}
