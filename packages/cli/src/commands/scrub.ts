import type { Command } from "commander";
import type { Act, CommandContext } from "../command-context.ts";
import { addExamples } from "../examples.ts";
import { formatAge, formatBytes, formatTime } from "../format.ts";
import { jobDocument, scrubDocument } from "../operations/documents.ts";
import { waitForJob } from "../operations/job-wait.ts";
import { renderTable } from "../table.ts";

export function addScrubCommand(program: Command, act: Act): void {
  const scrub = program.command("scrub").description("Read every disk in full and check every byte of it.");
  addExamples(scrub, [["cairn scrub status", "when each disk was read last"]]);
  const start = scrub
    .command("start")
    .description("Begin a full pass now; it also happens by itself, every scrub.every.")
    .option("--wait", "come back when every disk was read");
  addExamples(start, [["cairn scrub start", "after a disk behaved oddly"]]);
  act(start, startScrub);
  const status = scrub.command("status").description("Show when each disk was read in full, and how far the pass is.");
  addExamples(status, [["cairn scrub status", "disk by disk"]]);
  act(status, showScrub);
}

async function startScrub(context: CommandContext, options: { readonly wait?: boolean }): Promise<undefined> {
  const { output, signal } = context;
  const { operations } = await context.client();
  const begun = await operations.startScrub({ signal });
  const job = options.wait ? await waitForJob(context, begun) : begun;
  if (output.format === "json") await output.document({ type: "summary", job: jobDocument(job) });
  else if (output.format === "human") await output.line(`Job ${job.id}: ${job.message}`);
  else await output.line(String(job.id));
}

async function showScrub(context: CommandContext): Promise<undefined> {
  const { output, signal } = context;
  const { operations } = await context.client();
  const passes = await operations.scrubStatus({ signal });
  switch (output.format) {
    case "json":
      await output.document({ items: passes.map(scrubDocument) });
      return;
    case "ids":
      for (const { disk } of passes) await output.line(String(disk));
      return;
    case "plain":
      for (const it of passes) {
        const finished = it.passFinishedAt === undefined ? "" : formatTime(it.passFinishedAt);
        await output.fields([it.node, it.disk, finished, it.checkedBytes, it.totalBytes]);
      }
      return;
    case "human": {
      if (passes.length === 0) output.note("No node has told of a scrub yet.");
      else await output.line(scrubTable(passes));
    }
  }
}

function scrubTable(
  passes: Awaited<ReturnType<Awaited<ReturnType<CommandContext["client"]>>["operations"]["scrubStatus"]>>,
): string {
  const now = Date.now();
  const columns = [
    { title: "NODE" },
    { title: "DISK", align: "right" },
    { title: "READ IN FULL" },
    { title: "PASS SINCE" },
    { title: "CHECKED", align: "right" },
    { title: "OF", align: "right" },
  ] as const;
  return renderTable(
    columns,
    passes.map((it) => [
      it.node,
      String(it.disk),
      it.passFinishedAt === undefined ? "never" : formatAge(it.passFinishedAt, now),
      it.passStartedAt === undefined ? "–" : formatAge(it.passStartedAt, now),
      formatBytes(it.checkedBytes),
      formatBytes(it.totalBytes),
    ]),
  );
}
