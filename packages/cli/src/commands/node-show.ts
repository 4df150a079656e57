import type { NodeImpact } from "@cairn/protocol";
import type { Command } from "commander";
import type { Act, CommandContext } from "../command-context.ts";
import { addExamples } from "../examples.ts";
import { formatBytes, formatCount, formatDuration, formatItems } from "../format.ts";
import { nodeResource } from "../resource.ts";

interface ShowOptions {
  readonly impact?: boolean;
}

export function addNodeShow(node: Command, act: Act): void {
  const show = node
    .command("show")
    .description("Show one node with its disks and its duty.")
    .argument("<node>", "such as node-2")
    .option("--impact", "what would happen if it died now");
  addExamples(show, [
    ["cairn node show node-2", "its disks, what it stores"],
    ["cairn node show node-2 --impact", "what would happen if it died now"],
  ]);
  act(show, showNode);
}

async function showNode(context: CommandContext, options: ShowOptions, name: string): Promise<undefined> {
  const { output, signal } = context;
  const { operations } = await context.client();
  const impact = await operations.nodeImpact(name, { signal });
  switch (output.format) {
    case "json":
      await output.document({ ...impact, node: nodeResource(impact.node) });
      return;
    case "ids":
      await output.line(impact.node.node);
      return;
    case "plain":
      for (const fields of plainNode(impact)) await output.fields(fields);
      return;
    case "human":
      await output.line(describeNode(impact).join("\n"));
      if (options.impact) await output.line(describeImpact(impact));
      else
        output.note(output.messageColors.dim(`Next: cairn node show ${name} --impact   ·   cairn node drain ${name}`));
  }
}

function plainNode({ node, duty, health, groups, chunks, bytes, onlyCopyChunks, canLoseNodesWithout }: NodeImpact) {
  return [
    ["node", node.node],
    ["health", health],
    ["duty", duty],
    ["groups", groups],
    ["chunks", chunks],
    ["bytes", bytes],
    ["onlyCopyChunks", onlyCopyChunks],
    ["canLoseNodesWithout", canLoseNodesWithout],
    ...node.disks.map((disk) => ["disk", disk.disk, disk.state, disk.totalBytes, disk.freeBytes]),
  ];
}

function describeNode({ node, duty, health, groups, chunks, bytes }: NodeImpact): readonly string[] {
  const seen =
    node.silentForMs === undefined ? "not heard since the start" : `heard ${formatDuration(node.silentForMs)} ago`;
  return [
    `${node.node}   ${health}, ${duty}   ${node.url}   ${seen}   version ${node.version}`,
    `  holds   ${formatItems(groups, "group")} · ${formatItems(chunks, "chunk")} · ${formatBytes(bytes)}`,
    ...node.disks.map((disk) => {
      const used = disk.totalBytes === 0 ? 0 : Math.round((1 - disk.freeBytes / disk.totalBytes) * 100);
      return `  disk ${disk.disk}  ${disk.state} · ${used} % of ${formatBytes(disk.totalBytes)} used · ${formatCount(disk.chunks)} chunks`;
    }),
  ];
}

function describeImpact({ node, onlyCopyChunks, canLoseNodesWithout, chunks, bytes, health }: NodeImpact): string {
  const when = health === "online" ? `If ${node.node} died now` : `While ${node.node} is away`;
  if (onlyCopyChunks > 0)
    return `${when}: ${formatItems(onlyCopyChunks, "chunk")} could not be read. Their only good copy is there.`;
  const margin =
    canLoseNodesWithout > 0
      ? `${canLoseNodesWithout} more ${canLoseNodesWithout === 1 ? "node" : "nodes"} could be lost`
      : "no further node could be lost until the copies are made again";
  return `${when}: all data could still be read; ${formatItems(chunks, "chunk")} (${formatBytes(bytes)}) would be copied anew; ${margin}.`;
}
