import type { Clock, Log } from "@cairn/env";
import { isKind, type Job, type JobId, type JobKind } from "@cairn/protocol";
import { type JobProgress, type JobTable, type StoredJob, shownJob } from "./job-table.ts";

/** What one round of a job came to. */
export interface JobRound {
  readonly progress: JobProgress;
  readonly message: string;
  /** Absent: there will be another round. */
  readonly end?: "done" | "failed" | undefined;
}

/** How one kind of job is done: in short rounds, each from what the cluster is like now, so that a restart changes nothing. */
export interface JobWork {
  round(job: StoredJob, signal: AbortSignal): Promise<JobRound>;
  /** True when one round does it all and takes its time: other jobs do not wait for it. */
  readonly roundIsWhole?: boolean;
  /** Before a job counts as cancelled: stops what it has set going. What is done stays done. */
  stop(job: StoredJob): Promise<void>;
}

interface Pace {
  bytes: number;
  at: number;
  rate: number;
}

/** The share of the newest observation in a job's rate. */
const smoothing = 0.2;

/** Runs the jobs in table `job`, whoever created them and however often the server was started since. */
export class JobRunner {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #table: JobTable;
  readonly #works: Readonly<Record<JobKind, JobWork>>;
  readonly #paces = new Map<JobId, Pace>();
  readonly #failing = new Map<JobId, string>();

  constructor(
    world: { readonly clock: Clock; readonly log: Log },
    table: JobTable,
    works: Readonly<Record<JobKind, JobWork>>,
  ) {
    this.#clock = world.clock;
    this.#log = world.log;
    this.#table = table;
    this.#works = works;
  }

  /** One round of every running job whose rounds are short, or of those whose one round is the `whole` of it. */
  async round(signal: AbortSignal, { whole }: { readonly whole: boolean }): Promise<void> {
    const all = await this.#table.running();
    const running = all.filter(({ kind }) => (this.#works[kind].roundIsWhole === true) === whole);
    const known = new Set(all.map((job) => job.id));
    for (const id of this.#paces.keys()) if (!known.has(id)) this.#paces.delete(id);
    for (const id of this.#failing.keys()) if (!known.has(id)) this.#failing.delete(id);
    await Promise.all(running.map((job) => this.#roundOf(job, signal)));
  }

  /** Throws not-found, conflict (has ended). */
  async cancel(id: JobId): Promise<Job> {
    const job = await this.#table.get(id);
    if (job.state === "running") await this.#works[job.kind].stop(job);
    return this.show(await this.#table.end(id, "cancelled", "cancelled; what was done stays done"));
  }

  show(job: StoredJob): Job {
    const failure = this.#failing.get(job.id);
    const shown = shownJob(job, Math.round(this.#paces.get(job.id)?.rate ?? 0));
    return failure === undefined ? shown : { ...shown, message: `${job.message} (last round failed: ${failure})` };
  }

  async #roundOf(job: StoredJob, signal: AbortSignal): Promise<void> {
    try {
      const { progress, message, end } = await this.#works[job.kind].round(job, signal);
      this.#failing.delete(job.id);
      this.#observe(job.id, progress.doneBytes);
      if (differs(job, progress) || message !== job.message) await this.#table.advance(job.id, progress, message);
      if (end !== undefined) await this.#end(job.id, end, message);
    } catch (error) {
      if (signal.aborted) return;
      this.#failing.set(job.id, error instanceof Error ? error.message : String(error));
      this.#log.error({ err: error, job: job.id, kind: job.kind }, "a round of a job failed and will be tried again");
    }
  }

  async #end(id: JobId, state: "done" | "failed", message: string): Promise<void> {
    try {
      await this.#table.end(id, state, message);
    } catch (error) {
      // Somebody cancelled it while the round was under way: then that is how it ended.
      if (!isKind(error, "conflict")) throw error;
    }
  }

  #observe(id: JobId, bytes: number): void {
    const now = this.#clock.monotonic();
    const pace = this.#paces.get(id);
    if (!pace) {
      this.#paces.set(id, { bytes, at: now, rate: 0 });
      return;
    }
    const seconds = (now - pace.at) / 1000;
    if (seconds < 0.5) return;
    const rate = Math.max(0, bytes - pace.bytes) / seconds;
    pace.rate = pace.rate === 0 ? rate : pace.rate * (1 - smoothing) + rate * smoothing;
    pace.bytes = bytes;
    pace.at = now;
  }
}

function differs(a: JobProgress, b: JobProgress): boolean {
  return (
    a.doneItems !== b.doneItems ||
    a.totalItems !== b.totalItems ||
    a.doneBytes !== b.doneBytes ||
    a.totalBytes !== b.totalBytes
  );
}
