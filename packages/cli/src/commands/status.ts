import { setTimeout as sleep } from "node:timers/promises";
import type { ClusterStatus } from "@cairn/protocol";
import type { Command } from "commander";
import { type ClusterHealth, describeStatus, healthOf } from "../cluster-health.ts";
import type { Act, CommandContext } from "../command-context.ts";
import { addExamples } from "../examples.ts";
import { exitCodes } from "../exit-codes.ts";
import { usageFailure } from "../failure.ts";
import { formatTime } from "../format.ts";

interface StatusCommandOptions {
  readonly watch?: boolean;
  readonly exitCode?: boolean;
}

const watchEveryMs = 2000;

export function addStatusCommand(program: Command, act: Act): void {
  const command = program
    .command("status")
    .description("Show whether all data is safe and every node is there.")
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
  const client = await context.client();
  const seen = await client.status({ signal: context.signal });
  const health = healthOf(seen);
  await show(context, seen, health);
  return options.exitCode && health !== "healthy" ? exitCodes.degraded : exitCodes.ok;
}

async function show(context: CommandContext, seen: ClusterStatus, health: ClusterHealth): Promise<void> {
  const { output } = context;
  switch (output.format) {
    case "json":
      return output.document({ health, ...seen, startedAt: formatTime(seen.startedAt) });
    case "ids":
      return;
    case "plain":
      for (const fields of plainStatus(seen, health)) await output.fields(fields);
      return;
    case "human": {
      const connection = await context.connection();
      await output.line(describeStatus(seen, { connection, colors: output.colors }).join("\n"));
      output.note(output.messageColors.dim("Next: cairn upload <path>   ·   cairn list"));
    }
  }
}

function plainStatus(seen: ClusterStatus, health: ClusterHealth): readonly (readonly (string | number)[])[] {
  const { redundancy } = seen;
  return [
    ["health", health],
    ["files", seen.files],
    ["chunks", seen.chunks],
    ["bytes", seen.logicalBytes],
    ["copies", seen.copies],
    ["canLoseNodes", redundancy.canLoseNodes],
    ["reduced", redundancy.reduced],
    ["unreachable", redundancy.unreachable],
    ...seen.nodes.map((node) => ["node", node.node, node.health]),
  ];
}

/** On a terminal the screen is painted anew; with --json every round is a line. */
async function watch(context: CommandContext): Promise<undefined> {
  const { output, terminal, signal } = context;
  const { json } = output.flags;
  if (!json && terminal.stdout.isTTY !== true) {
    throw usageFailure("--watch needs a terminal", "use --watch --json for one line per round");
  }
  const client = await context.client();
  while (!signal.aborted) {
    const seen = await client.status({ signal });
    const health = healthOf(seen);
    if (json) {
      await output.document({ type: "status", at: formatTime(Date.now()), health, ...seen });
    } else {
      const connection = await context.connection();
      const lines = describeStatus(seen, { connection, colors: output.colors });
      await output.data(`\u001b[H\u001b[2J${lines.join("\n")}\n`);
    }
    await sleep(watchEveryMs, undefined, { signal });
  }
}
