import type { Command } from "commander";
import type { Act, CommandContext } from "../command-context.ts";
import { addExamples } from "../examples.ts";
import { exitCodes } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { addChangeOptions, type ChangeOptions, runChange } from "../operations/change-run.ts";
import { jobDocument } from "../operations/documents.ts";

const words = { question: "Move data so that every disk has its share?", done: "Every disk has its share." };

export function addRebalanceCommand(program: Command, act: Act): void {
  const rebalance = program.command("rebalance").description("Move data between disks so that each has its share.");
  addExamples(rebalance, [["cairn rebalance plan", "what would move"]]);
  const plan = rebalance.command("plan").description("Show what would move, and change nothing.");
  addExamples(plan, [["cairn rebalance plan", "what would move, and how full each disk would be"]]);
  act(plan, (context) => runChange(context, { kind: "rebalance" }, { options: { dryRun: true }, words }));
  const start = rebalance.command("start").description("Move data until every disk has its share.");
  addChangeOptions(start, { isJob: true });
  addExamples(start, [["cairn rebalance start --yes --detach", "in the background"]]);
  act(start, (context, options: ChangeOptions) => runChange(context, { kind: "rebalance" }, { options, words }));
  const cancel = rebalance.command("cancel").description("End a rebalance in order; what was moved stays moved.");
  addExamples(cancel, [["cairn rebalance cancel", "the one that runs"]]);
  act(cancel, cancelRebalance);
}

async function cancelRebalance(context: CommandContext): Promise<undefined> {
  const { output, signal } = context;
  const { operations } = await context.client();
  const { jobs } = await operations.health({ signal });
  const running = jobs.find(({ kind }) => kind === "rebalance");
  if (!running) throw new Failure("E_NOT_FOUND", "no rebalance is running", { exitCode: exitCodes.notFound });
  const job = await operations.cancelJob(running.id, { signal });
  if (output.format === "json") await output.document(jobDocument(job));
  else if (output.format === "human") await output.line(`Cancelled: job ${job.id}. What was moved stays moved.`);
  else await output.line(String(job.id));
}
