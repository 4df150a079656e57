import { setTimeout as sleep } from "node:timers/promises";
import type { ClusterHealth } from "@cairn/protocol";
import type { Command } from "commander";
import { describeStatus, type Wellness, wellnessOf } from "../cluster-health.ts";
import type { Act, CommandContext } from "../command-context.ts";
import { addExamples } from "../examples.ts";
import { exitCodes } from "../exit-codes.ts";
import { usageFailure } from "../failure.ts";
import { formatTime } from "../format.ts";
import { healthDocument } from "../operations/documents.ts";

interface StatusCommandOptions {
  readonly watch?: boolean;
  readonly exitCode?: boolean;
}

const watchEveryMs = 2000;

export function addStatusCommand(program: Command, act: Act): void {
  const command = program
    .command("status")
    .description("Show whether all data is safe, what may fail, when it is full and what runs.")
    .option("-w, --watch", "show it again and again, until Ctrl-C")
    .option("--exit-code", "end with 11 unless the cluster is healthy");
  addExamples(command, [
    ["cairn status", "the cluster on one screen"],
    ["cairn status --watch", "while nodes come and go"],
    ["cairn status --exit-code -q || alert", "for a monitor"],
  ]);
  act(command, status);
}

async function status(context: CommandContext, options: StatusCommandOptions): Promise<number | undefined> {
  if (options.watch) return watch(context);
  const { operations } = await context.client();
  const seen = await operations.health({ signal: context.signal });
  const wellness = wellnessOf(seen.status);
  await show(context, seen, wellness);
  return options.exitCode && wellness !== "healthy" ? exitCodes.degraded : exitCodes.ok;
}

async function show(context: CommandContext, seen: ClusterHealth, wellness: Wellness): Promise<void> {
  const { output } = context;
  switch (output.format) {
    case "json":
      return output.document(statusDocument(seen, wellness));
    case "ids":
      return;
    case "plain":
      for (const fields of plainStatus(seen, wellness)) await output.fields(fields);
      return;
    case "human": {
      const connection = await context.connection();
      await output.line(describeStatus(seen, { connection, colors: output.colors }).join("\n"));
      output.note(
        output.messageColors.dim(
          wellness === "healthy"
            ? "Next: cairn upload <path>   ·   cairn list"
            : "Next: cairn cluster health --explain",
        ),
      );
    }
  }
}

function statusDocument(seen: ClusterHealth, wellness: Wellness): Readonly<Record<string, unknown>> {
  const { status } = seen;
  return { health: wellness, ...healthDocument(seen), ...status, startedAt: formatTime(status.startedAt) };
}

function plainStatus(seen: ClusterHealth, wellness: Wellness): readonly (readonly (string | number)[])[] {
  const { files, chunks, logicalBytes, copies, redundancy, nodes } = seen.status;
  return [
    ["health", wellness],
    ["files", files],
    ["chunks", chunks],
    ["bytes", logicalBytes],
    ["copies", copies],
    ["canLoseNodes", redundancy.canLoseNodes],
    ["reduced", redundancy.reduced],
    ["unreachable", redundancy.unreachable],
    ["freeBytes", seen.freeBytes],
    ["fullInDays", seen.fullInDays ?? ""],
    ["repair", seen.repair.state],
    ["jobs", seen.jobs.length],
    ...nodes.map((node) => ["node", node.node, node.health]),
  ];
}

/** On a terminal the screen is painted anew; with --json every round is a line. */
async function watch(context: CommandContext): Promise<undefined> {
  const { output, terminal, signal } = context;
  const { json } = output.flags;
  if (!json && terminal.stdout.isTTY !== true) {
    throw usageFailure("--watch needs a terminal", "use --watch --json for one line per round");
  }
  const { operations } = await context.client();
  while (!signal.aborted) {
    const seen = await operations.health({ signal });
    if (json) {
      const document = statusDocument(seen, wellnessOf(seen.status));
      await output.document({ type: "status", at: formatTime(Date.now()), ...document });
    } else {
      const connection = await context.connection();
      const lines = describeStatus(seen, { connection, colors: output.colors });
      await output.data(`\u001b[H\u001b[2J${lines.join("\n")}\n`);
    }
    await sleep(watchEveryMs, undefined, { signal });
  }
}
