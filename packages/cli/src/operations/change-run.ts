import type { ChangePlan, Job, MembershipChange } from "@cairn/protocol";
import type { Command } from "commander";
import type { CommandContext } from "../command-context.ts";
import { assertAnswerable, confirm } from "../confirmation.ts";
import { exitCodes } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { formatBytes, formatDuration, formatItems } from "../format.ts";
import { renderTable } from "../table.ts";
import { jobDocument } from "./documents.ts";
import { waitForJob } from "./job-wait.ts";

export interface ChangeOptions {
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly detach?: boolean;
}

/** The options of every command that changes who stores what. */
export function addChangeOptions(command: Command, { isJob }: { readonly isJob: boolean }): Command {
  command.option("-y, --yes", "do not ask").option("-n, --dry-run", "show what would happen and change nothing");
  if (!isJob) return command;
  return command
    .option("--detach", "come back at once; the job goes on by itself")
    .option("--wait", "come back when the job is done (the default)");
}

export interface ChangeWords {
  /** What is asked before it is done. */
  readonly question: string;
  /** What is said when it is done. */
  readonly done: string;
  /** Nothing is asked for what takes no time and can be taken back. */
  readonly harmless?: boolean;
}

/**
 * Preview, confirmation, order, progress. With --json every line is a document, the last one a `summary`. Throws a Failure
 * (conflict) with the reasons when the change would reduce safety.
 */
export async function runChange(
  context: CommandContext,
  change: MembershipChange,
  { options, words }: { readonly options: ChangeOptions; readonly words: ChangeWords },
): Promise<undefined> {
  const { output, signal } = context;
  const { operations } = await context.client();
  const plan = await operations.planChange(change, { signal });
  if (options.dryRun) {
    if (output.format === "human") describePlan(context, plan);
    return finish(context, { plan, dryRun: true, text: "Nothing was changed." });
  }
  assertAllowed(plan);
  if (words.harmless !== true) await ask(context, plan, { question: words.question, yes: options.yes ?? false });
  const job = await operations.applyChange(change, { signal });
  if (!job) return finish(context, { plan, text: words.done });
  if (options.detach) {
    return finish(context, { plan, job, text: `Job ${job.id} has begun. Watch it: cairn job show ${job.id} --watch` });
  }
  return finish(context, { plan, job: await waitForJob(context, job), text: words.done });
}

async function ask(
  context: CommandContext,
  plan: ChangePlan,
  { question, yes }: { readonly question: string; readonly yes: boolean },
): Promise<void> {
  assertAnswerable(context, yes);
  if (context.output.format === "human") describePlan(context, plan);
  await confirm(context, question, yes);
}

async function finish(
  context: CommandContext,
  { plan, job, dryRun = false, text }: { plan: ChangePlan; job?: Job; dryRun?: boolean; text: string },
): Promise<undefined> {
  const { output } = context;
  switch (output.format) {
    case "json":
      await output.document({ type: "summary", dryRun, plan, job: job === undefined ? null : jobDocument(job) });
      break;
    case "ids":
      if (job) await output.line(String(job.id));
      break;
    case "plain":
      await output.fields([plan.change.kind, job?.id ?? "", job?.state ?? "", plan.groupsToMove, plan.bytesToMove]);
      break;
    case "human":
      if (!dryRun) await output.line(text);
      else output.note(text);
  }
  if (dryRun) assertAllowed(plan);
}

function assertAllowed(plan: ChangePlan): void {
  if (plan.refusals.length === 0) return;
  throw new Failure("E_REFUSED", plan.refusals.join(" "), {
    exitCode: exitCodes.conflict,
    hint: "nothing was changed",
  });
}

/** What a person needs to know before saying yes; to stderr, since the answer is what comes after. */
function describePlan({ output }: CommandContext, plan: ChangePlan): void {
  const { groupsToMove, bytesToMove, etaMs, canLoseNodes, disks } = plan;
  const { now, during, after } = canLoseNodes;
  if (groupsToMove > 0) {
    const time = etaMs === undefined || etaMs < 1000 ? "" : `, at least ${formatDuration(etaMs)}`;
    output.note(`It moves ${formatItems(groupsToMove, "group")} with ${formatBytes(bytesToMove)}${time}.`);
    const changed = disks.filter((disk) => disk.beforeBytes !== disk.afterBytes);
    if (changed.length > 0) {
      const number = (title: string) => ({ title, align: "right" }) as const;
      const columns = [{ title: "NODE" }, number("DISK"), number("NOW"), number("AFTER"), number("CHANGE")];
      const rows = changed.map(({ node, disk, beforeBytes, afterBytes }) => {
        const change = `${afterBytes < beforeBytes ? "−" : "+"}${formatBytes(Math.abs(afterBytes - beforeBytes))}`;
        return [node, String(disk), formatBytes(beforeBytes), formatBytes(afterBytes), change];
      });
      output.note(renderTable(columns, rows));
    }
  } else output.note("No data has to move.");
  output.note(`Node failures that all data survives: ${now} now, ${during} during it, ${after} after it.`);
  for (const warning of plan.warnings) output.warn(warning);
}
