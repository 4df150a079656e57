import { setTimeout as sleep } from "node:timers/promises";
import { type Job, StorageError } from "@cairn/protocol";
import type { CommandContext } from "../command-context.ts";
import { exitCodes } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { jobDocument } from "./documents.ts";
import { describeJob } from "./job-text.ts";

const askEveryMs = 500;
const lineEveryMs = 30_000;
const statusEveryMs = 1000;
const unreachableMs = 60_000;

/**
 * Follows a job to its end: a line that is painted anew on a terminal, one now and then elsewhere, `status` documents with
 * --json. Ctrl-C stops the watching and not the job. Throws a Failure when the job fails or is cancelled.
 */
export async function waitForJob(context: CommandContext, job: Job): Promise<Job> {
  const line = new JobLine(context);
  try {
    const ended = await follow(context, job, line);
    if (ended.state === "done") return ended;
    throw new Failure("E_JOB", `${ended.kind} ${ended.subject} ${ended.state}: ${ended.message}`, {
      exitCode: exitCodes.failure,
      hint: "see what happened with `cairn events`",
    });
  } catch (error) {
    if (context.signal.aborted) {
      context.output.warn(
        `job ${job.id} goes on: see \`cairn job show ${job.id}\`, end it with \`cairn job cancel ${job.id}\``,
      );
    }
    throw error;
  } finally {
    line[Symbol.dispose]();
  }
}

async function follow(context: CommandContext, first: Job, line: JobLine): Promise<Job> {
  const { operations } = await context.client();
  let job = first;
  let heardAt = performance.now();
  while (job.state === "running" || job.state === "paused") {
    await line.show(job);
    await sleep(askEveryMs, undefined, { signal: context.signal });
    try {
      job = await operations.job(job.id, { signal: context.signal });
      heardAt = performance.now();
    } catch (error) {
      // The job outlives a restart of the metadata server, so watching it does as well.
      const passing = error instanceof StorageError && (error.kind === "unavailable" || error.kind === "overloaded");
      if (!passing || performance.now() - heardAt > unreachableMs) throw error;
    }
  }
  return job;
}

class JobLine implements Disposable {
  readonly #context: CommandContext;
  readonly #painted: boolean;
  #shownAt = Number.NEGATIVE_INFINITY;

  constructor(context: CommandContext) {
    this.#context = context;
    const { output, terminal, options } = context;
    const wanted = options.progress !== "never" && !output.flags.quiet && !output.flags.json;
    this.#painted = wanted && terminal.stderr.isTTY === true && terminal.env["TERM"] !== "dumb";
    if (this.#painted) output.repaint({ clear: () => void terminal.stderr.write("\r\u001b[2K") });
  }

  async show(job: Job): Promise<void> {
    const { output, terminal, options } = this.#context;
    if (this.#painted) {
      terminal.stderr.write(`\r\u001b[2K${describeJob(job).slice(0, (terminal.stderr.columns ?? 80) - 1)}`);
      return;
    }
    const every = output.flags.json ? statusEveryMs : lineEveryMs;
    if (options.progress === "never" || performance.now() - this.#shownAt < every) return;
    this.#shownAt = performance.now();
    if (output.flags.json) await output.document({ type: "status", job: jobDocument(job) });
    else output.note(describeJob(job));
  }

  [Symbol.dispose](): void {
    if (this.#painted) this.#context.terminal.stderr.write("\r\u001b[2K");
    this.#context.output.repaint(undefined);
  }
}
