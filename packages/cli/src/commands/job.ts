import { type Job, type JobId, parseJobId } from "@cairn/protocol";
import { type Command, InvalidArgumentError } from "commander";
import type { Act, CommandContext } from "../command-context.ts";
import { addExamples } from "../examples.ts";
import { formatAge, formatBytes, formatTime } from "../format.ts";
import { jobDocument } from "../operations/documents.ts";
import { describeJob, percentOf } from "../operations/job-text.ts";
import { waitForJob } from "../operations/job-wait.ts";
import { renderTable } from "../table.ts";

interface ShowOptions {
  readonly watch?: boolean;
}

const listed = 100;

export function addJobCommand(program: Command, act: Act): void {
  const job = program.command("job").description("See and cancel long work such as drains and rebalances.");
  addExamples(job, [["cairn job list", "what runs and what ran"]]);
  const list = job.command("list").alias("ls").description("List jobs, newest first.");
  addExamples(list, [["cairn job list", "what runs and what ran"]]);
  act(list, listJobs);
  const show = job
    .command("show")
    .description("Show how far a job is.")
    .argument("<job>", "its number", jobValue)
    .option("-w, --watch", "until it ends");
  addExamples(show, [["cairn job show 3 --watch", "until it is done"]]);
  act(show, showJob);
  const cancel = job
    .command("cancel")
    .description("End a job in order; what it has moved stays moved.")
    .argument("<job>", "its number", jobValue);
  addExamples(cancel, [["cairn job cancel 3", "by its number"]]);
  act(cancel, cancelJob);
}

function jobValue(text: string): JobId {
  try {
    return parseJobId(/^\d+$/.test(text) ? Number(text) : Number.NaN);
  } catch {
    throw new InvalidArgumentError("A job is known by its number.");
  }
}

async function listJobs(context: CommandContext): Promise<undefined> {
  const { output, signal } = context;
  const { operations } = await context.client();
  const { items } = await operations.jobs({ pageSize: listed, signal });
  switch (output.format) {
    case "json":
      await output.document({ items: items.map(jobDocument) });
      return;
    case "ids":
      for (const { id } of items) await output.line(String(id));
      return;
    case "plain":
      for (const it of items) {
        await output.fields([
          it.id,
          it.kind,
          it.subject,
          it.state,
          it.doneBytes,
          it.totalBytes,
          formatTime(it.createdAt),
        ]);
      }
      return;
    case "human":
      if (items.length === 0) output.note("No job was started yet.");
      else await output.line(jobTable(items));
  }
}

function jobTable(jobs: readonly Job[]): string {
  const now = Date.now();
  const columns = [
    { title: "JOB", align: "right" },
    { title: "KIND" },
    { title: "SUBJECT" },
    { title: "STATE" },
    { title: "DONE", align: "right" },
    { title: "BYTES", align: "right" },
    { title: "STARTED" },
    { title: "MESSAGE" },
  ] as const;
  return renderTable(
    columns,
    jobs.map((job) => [
      String(job.id),
      job.kind,
      job.subject,
      job.state,
      `${percentOf(job)} %`,
      formatBytes(job.doneBytes),
      formatAge(job.createdAt, now),
      job.message,
    ]),
  );
}

async function showJob(context: CommandContext, options: ShowOptions, id: JobId): Promise<undefined> {
  const { operations } = await context.client();
  const first = await operations.job(id, { signal: context.signal });
  if (!options.watch) return print(context, first);
  const ended = await waitForJob(context, first);
  if (context.output.format === "json") await context.output.document({ type: "summary", job: jobDocument(ended) });
  else await print(context, ended);
  return undefined;
}

async function cancelJob(context: CommandContext, _options: unknown, id: JobId): Promise<undefined> {
  const { operations } = await context.client();
  await print(context, await operations.cancelJob(id, { signal: context.signal }));
}

async function print({ output }: CommandContext, job: Job): Promise<undefined> {
  switch (output.format) {
    case "json":
      await output.document(jobDocument(job));
      return;
    case "ids":
      await output.line(String(job.id));
      return;
    case "plain":
      await output.fields([job.id, job.kind, job.subject, job.state, job.doneBytes, job.totalBytes]);
      return;
    case "human":
      await output.line(`job ${job.id}  ${describeJob(job)}`);
  }
}
