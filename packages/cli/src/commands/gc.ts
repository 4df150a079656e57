import type { CollectionPreview, CollectionStatus } from "@cairn/protocol";
import type { Command } from "commander";
import type { Act, CommandContext } from "../command-context.ts";
import { confirm } from "../confirmation.ts";
import { addExamples } from "../examples.ts";
import { formatAge, formatBytes, formatItems } from "../format.ts";
import { collectionDocument, jobDocument } from "../operations/documents.ts";
import { waitForJob } from "../operations/job-wait.ts";

interface RunOptions {
  readonly dryRun?: boolean;
  readonly detach?: boolean;
}

export function addGcCommand(program: Command, act: Act): void {
  const gc = program.command("gc").description("See and run the collection of what nothing refers to any more.");
  addExamples(gc, [["cairn gc run --dry-run", "what would go, and why"]]);
  const run = gc
    .command("run")
    .description("Collect now; the graces stay as they are set.")
    .option("-n, --dry-run", "show what would go and why, and delete nothing")
    .option("--detach", "come back at once");
  addExamples(run, [
    ["cairn gc run --dry-run", "what would go, and why"],
    ["cairn gc run", "without waiting for its turn"],
  ]);
  act(run, runCollection);
  const status = gc.command("status").description("Show what is being collected and what waits.");
  addExamples(status, [["cairn gc status", "graces, condemned chunks, the last run"]]);
  act(status, showCollection);
  const resume = gc
    .command("resume")
    .description("Let the collection delete again after a restore of the metadata.")
    .option("-y, --yes", "do not ask");
  addExamples(resume, [["cairn gc resume", "what the database does not know is given up then"]]);
  act(resume, resumeCollection);
}

/** What came after the backup is deleted from then on, so it is asked for. */
async function resumeCollection(context: CommandContext, options: { readonly yes?: boolean }): Promise<undefined> {
  const { operations } = await context.client();
  const { state, reason } = await operations.collectionStatus({ signal: context.signal });
  if (state === "no-delete") {
    const question = `Nothing is deleted because ${reason}. Chunks that the database does not know are deleted from now on?`;
    await confirm(context, question, options.yes === true);
    await operations.resumeCollection({ signal: context.signal });
  }
  return showCollection(context);
}

async function runCollection(context: CommandContext, options: RunOptions): Promise<undefined> {
  const { output, signal } = context;
  const { operations } = await context.client();
  if (options.dryRun) return preview(context, await operations.previewCollection({ signal }));
  const begun = await operations.startCollection({ signal });
  const job = options.detach ? begun : await waitForJob(context, begun);
  if (output.format === "json") await output.document({ type: "summary", dryRun: false, job: jobDocument(job) });
  else if (output.format === "human") await output.line(`Job ${job.id}: ${job.message}`);
  else await output.line(String(job.id));
}

async function preview({ output }: CommandContext, { classes }: CollectionPreview): Promise<undefined> {
  switch (output.format) {
    case "json":
      await output.document({ type: "summary", dryRun: true, classes });
      return;
    case "ids":
      return;
    case "plain":
      for (const it of classes) await output.fields([it.why, it.chunks, it.bytes, it.explanation]);
      return;
    case "human":
      for (const it of classes) {
        await output.line(
          `${it.why.padEnd(13)}${formatItems(it.chunks, "chunk")}, ${formatBytes(it.bytes)}: ${it.explanation}`,
        );
      }
      output.note(classes.every(({ chunks }) => chunks === 0) ? "Nothing would be deleted." : "Nothing was deleted.");
  }
}

async function showCollection(context: CommandContext): Promise<undefined> {
  const { output, signal } = context;
  const { operations } = await context.client();
  const status = await operations.collectionStatus({ signal });
  switch (output.format) {
    case "json":
      await output.document(collectionDocument(status));
      return;
    case "ids":
      return;
    case "plain":
      for (const [name, value] of Object.entries(collectionDocument(status)))
        await output.fields([name, String(value ?? "")]);
      return;
    case "human":
      await output.line(describe(status).join("\n"));
  }
}

function describe(status: CollectionStatus): readonly string[] {
  const now = Date.now();
  const age = (at: number | undefined): string => (at === undefined ? "never" : formatAge(at, now));
  return [
    `collection ${status.state} · ${status.reason}`,
    `  in grace   ${formatItems(status.inGraceChunks, "chunk")}, ${formatBytes(status.inGraceBytes)}`,
    `  condemned  ${formatItems(status.condemnedChunks, "chunk")} to delete on nodes`,
    `  deleted    ${formatItems(status.deletedChunks, "chunk")}, ${formatBytes(status.deletedBytes)}, and ${formatItems(status.orphansDeleted, "orphan")}`,
    `  last run   ${age(status.lastRunAt)} · references counted anew ${age(status.lastAuditAt)}`,
  ];
}
