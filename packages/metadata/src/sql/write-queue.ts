import type { Clock, CrashPoint, Metrics, Random, Sql, SqlDatabase } from "@cairn/env";
import { failed, limits, type Outcome, StorageError, succeeded, unwrap } from "@cairn/protocol";
import { usageShards } from "./make-drive.ts";
import { Transaction } from "./transaction.ts";

/**
 * One change. It checks first and writes then: thrown before its first write, an error is the job's own; thrown after,
 * the whole transaction is undone and run again with a savepoint around each job. It may be run more than once.
 */
export type WriteJob<Result> = (tx: Transaction) => Promise<Result>;

interface QueuedJob {
  readonly job: WriteJob<unknown>;
  readonly weight: number;
  readonly settle: (outcome: Outcome<unknown>) => void;
}

export interface WriteQueueOptions {
  /**
   * Ends when the input that is waiting right now has been taken in, so that requests which arrived together share a
   * transaction. Absent: one turn of the clock's timers.
   */
  readonly gather?: (() => Promise<void>) | undefined;
}

/** Jobs waiting for a transaction; more are refused with overloaded. */
const jobsWaitingMax = 4096;
/** Jobs stop sharing a transaction at this weight, in rows to write, so that none waits long for the others. */
const weightMax = 4096;

/**
 * Group commit: changes that wait together share one database transaction and its sync. A batch closes when the one
 * before has finished, at commitGroupMax jobs at the latest, and each job keeps its own outcome.
 */
export class WriteQueue {
  readonly #database: SqlDatabase;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #gather: () => Promise<void>;
  readonly #crashPoint: CrashPoint;
  readonly #shard: number;
  readonly #batchJobs: { observe(value: number): void };
  #waiting: QueuedJob[] = [];
  #running: Promise<void> | undefined;

  constructor(
    world: {
      readonly database: SqlDatabase;
      readonly clock: Clock;
      readonly random: Random;
      readonly metrics: Metrics;
      readonly crashPoint?: CrashPoint;
    },
    options: WriteQueueOptions = {},
  ) {
    this.#database = world.database;
    this.#clock = world.clock;
    this.#random = world.random;
    this.#gather = options.gather ?? (() => world.clock.sleep(0));
    this.#crashPoint = world.crashPoint ?? (() => undefined);
    this.#shard = Math.floor(world.random.fraction() * usageShards);
    this.#batchJobs = world.metrics.histogram(
      "cairn_metadata_transaction_jobs",
      "Changes that shared one metadata transaction.",
      [1, 2, 4, 8, 16, 32, 64, limits.commitGroupMax],
    );
  }

  /** Ends after the job's transaction is durable. `weight`: about how many rows it writes. Throws what the job throws. */
  async submit<Result>(job: WriteJob<Result>, weight = 8): Promise<Result> {
    if (this.#waiting.length >= jobsWaitingMax) {
      throw new StorageError("overloaded", "change metadata", `${this.#waiting.length} changes are waiting`, {
        hint: "Try again in a moment.",
      });
    }
    const outcome = await new Promise<Outcome<unknown>>((settle) => {
      this.#waiting.push({ job, weight, settle });
      this.#running ??= this.#drain();
    });
    return unwrap(outcome) as Result;
  }

  /** Ends when nothing is waiting or under way any more. */
  async idle(): Promise<void> {
    while (this.#running) await this.#running;
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      await this.#gather();
      const batch = this.#nextBatch();
      const outcomes = await this.#commit(batch);
      this.#batchJobs.observe(batch.length);
      for (const [index, queued] of batch.entries()) {
        queued.settle(outcomes[index] ?? failed(new Error("a job of the batch has no outcome"), "change metadata"));
      }
    }
    this.#running = undefined;
  }

  #nextBatch(): QueuedJob[] {
    let weight = 0;
    let count = 0;
    for (const queued of this.#waiting) {
      weight += queued.weight;
      if (count === limits.commitGroupMax || (count > 0 && weight > weightMax)) break;
      count++;
    }
    const batch = this.#waiting.slice(0, count);
    this.#waiting = this.#waiting.slice(count);
    return batch;
  }

  async #commit(batch: readonly QueuedJob[]): Promise<Outcome<unknown>[]> {
    try {
      return await this.#transact(batch, runUnguarded);
    } catch (error) {
      if (!(error instanceof WrittenAndFailed)) return batch.map(() => failed(error, "change metadata"));
    }
    try {
      return await this.#transact(batch, runGuarded);
    } catch (error) {
      return batch.map(() => failed(error, "change metadata"));
    }
  }

  async #transact(batch: readonly QueuedJob[], run: typeof runGuarded): Promise<Outcome<unknown>[]> {
    const all = await this.#database.write(async (sql: Sql) => {
      const tx = new Transaction(sql, this.#random, this.#clock.now());
      const outcomes: Outcome<unknown>[] = [];
      for (const queued of batch) outcomes.push(await run(tx, queued.job));
      await tx.flush(this.#shard);
      this.#crashPoint("metadata.commit.before-durable");
      return outcomes;
    });
    this.#crashPoint("metadata.commit.after-durable");
    return all;
  }
}

/** A job failed with some of its writes done: only undoing the transaction helps. */
class WrittenAndFailed extends Error {}

async function runUnguarded(tx: Transaction, job: WriteJob<unknown>): Promise<Outcome<unknown>> {
  tx.nextJob();
  try {
    return succeeded(await job(tx));
  } catch (error) {
    if (tx.written) throw new WrittenAndFailed("a job failed after its first write", { cause: error });
    return failed(error, "change metadata");
  }
}

async function runGuarded(tx: Transaction, job: WriteJob<unknown>): Promise<Outcome<unknown>> {
  const mark = tx.mark();
  try {
    return succeeded(await tx.sql.savepoint(() => job(tx)));
  } catch (error) {
    tx.rewind(mark);
    return failed(error, "change metadata");
  }
}
