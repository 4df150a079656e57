import type { NodeStatus } from "@cairn/protocol";
import { type Command, Option } from "commander";
import type { Act, CommandContext } from "../command-context.ts";
import { addExamples } from "../examples.ts";
import { formatBytes, formatCount, formatDuration, formatTime } from "../format.ts";
import { durationValue } from "../option-values.ts";
import { nodeResource } from "../resource.ts";
import { renderTable } from "../table.ts";
import { addNodeChanges } from "./node-change.ts";
import { addNodeShow } from "./node-show.ts";

interface NodeAddOptions {
  readonly printJoinCommand?: boolean;
  readonly expires: number;
}

export function addNodeCommand(program: Command, act: Act): void {
  const node = program.command("node").description("See the storage nodes, add, empty and remove them.");
  addExamples(node, [["cairn node list", "every node with its disks"]]);
  const list = node.command("list").alias("ls").description("List the storage nodes.");
  addExamples(list, [["cairn node list", "health, space, last sign of life"]]);
  act(list, listNodes);
  const add = node
    .command("add")
    .description("Make a join token and show how a new node uses it.")
    .option("--print-join-command", "print nothing but the command")
    .addOption(
      new Option("--expires <duration>", "how long the token is good")
        .argParser(durationValue)
        .default(3_600_000, "1h"),
    );
  addExamples(add, [["cairn node add --print-join-command", "what to run on the new machine"]]);
  act(add, addNode);
  addNodeShow(node, act);
  addNodeChanges(node, act);
}

async function listNodes(context: CommandContext): Promise<undefined> {
  const { output } = context;
  const client = await context.client();
  const nodes = await client.nodes({ signal: context.signal });
  switch (output.format) {
    case "json":
      await output.document({ items: nodes.map(nodeResource) });
      return;
    case "ids":
      for (const { node } of nodes) await output.line(node);
      return;
    case "plain":
      for (const node of nodes) {
        const { totalBytes, freeBytes, chunks } = totals(node);
        await output.fields([node.node, node.health, node.url, node.disks.length, chunks, totalBytes, freeBytes]);
      }
      return;
    case "human":
      if (nodes.length === 0) output.note("No node has joined yet. Add one with: cairn node add");
      else await output.line(nodeTable(nodes, context));
  }
}

function nodeTable(nodes: readonly NodeStatus[], { output: { colors } }: CommandContext): string {
  const number = (title: string) => ({ title, align: "right" }) as const;
  const columns = [
    { title: "NODE" },
    { title: "HEALTH" },
    { title: "DUTY" },
    { title: "ADDRESS" },
    number("DISKS"),
    number("CHUNKS"),
    number("STORED"),
    number("FREE"),
    { title: "LAST SEEN" },
    { title: "VERSION" },
  ];
  const paints = { online: colors.green, suspect: colors.yellow, down: colors.red };
  return renderTable(
    columns,
    nodes.map((node) => {
      const { chunks, chunkBytes, freeBytes } = totals(node);
      const seen = node.silentForMs === undefined ? "never" : `${formatDuration(node.silentForMs)} ago`;
      return [
        node.node,
        { text: node.health, paint: paints[node.health] },
        node.duty === "active" ? node.duty : { text: node.duty, paint: colors.yellow },
        node.url,
        String(node.disks.length),
        formatCount(chunks),
        formatBytes(chunkBytes),
        formatBytes(freeBytes),
        seen,
        node.version,
      ];
    }),
  );
}

function totals({ disks }: NodeStatus): Record<"totalBytes" | "freeBytes" | "chunks" | "chunkBytes", number> {
  const sum = { totalBytes: 0, freeBytes: 0, chunks: 0, chunkBytes: 0 };
  for (const disk of disks) {
    sum.totalBytes += disk.totalBytes;
    sum.freeBytes += disk.freeBytes;
    sum.chunks += disk.chunks;
    sum.chunkBytes += disk.chunkBytes;
  }
  return sum;
}

async function addNode(context: CommandContext, options: NodeAddOptions): Promise<undefined> {
  const { output } = context;
  const client = await context.client();
  const { secret, expiresAt } = await client.createJoinToken({ expiresInMs: options.expires }, context);
  const { url } = await context.connection();
  const command = `cairn server node --data FOLDER --metadata ${url} --join ${secret} --host ADDRESS --allow-network`;
  if (output.format === "json") {
    await output.document({ secret, expiresAt: formatTime(expiresAt), metadata: url, command });
    return;
  }
  if (output.format === "ids") {
    await output.line(secret);
    return;
  }
  if (output.format === "human" && options.printJoinCommand !== true) {
    output.note("Run this on the new machine, with a folder of its own and the address others reach it by:\n");
  }
  await output.line(command);
  if (/^https?:\/\/(localhost|127\.|\[::1\])/.test(url)) {
    output.warn(
      `${url} is reached from this machine only: start the metadata server with --host ADDRESS --allow-network`,
    );
  }
  if (options.printJoinCommand !== true) output.note(`\nThe token is good until ${formatTime(expiresAt)}.`);
}
