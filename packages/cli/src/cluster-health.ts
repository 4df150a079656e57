import type { ClusterStatus, NodeStatus } from "@cairn/protocol";
import type { Connection } from "./connection.ts";
import { formatBytes, formatDuration, formatItems } from "./format.ts";
import type { Colors } from "./terminal.ts";

/** healthy: every chunk has all its copies and every node is there. unavailable: some data cannot be read now. */
export type ClusterHealth = "healthy" | "degraded" | "unavailable";

export function healthOf({ redundancy, nodes }: ClusterStatus): ClusterHealth {
  if (redundancy.unreachable > 0) return "unavailable";
  const whole = redundancy.reduced === 0 && nodes.every(isWell);
  return whole ? "healthy" : "degraded";
}

export interface StatusView {
  readonly connection: Connection;
  readonly colors: Colors;
}

const nodesShownMax = 8;
const nodesPerLine = 3;

/** The cluster in at most ten lines for people. */
export function describeStatus(status: ClusterStatus, { connection, colors }: StatusView): readonly string[] {
  const health = healthOf(status);
  const paint = { healthy: colors.green, degraded: colors.yellow, unavailable: colors.red }[health];
  const mark = { healthy: "●", degraded: "▲", unavailable: "✕" }[health];
  const where = `${connection.url}${connection.profile === undefined ? "" : `  (profile ${connection.profile})`}`;
  const label = (text: string): string => colors.dim(text.padEnd(8));
  return [
    `${paint(`${mark} ${health}`)}   ${describeSafety(status)}   ${colors.dim(where)}`,
    `  ${label("data")}${describeData(status)}`,
    `  ${label("space")}${describeSpace(status)}`,
    ...describeNodes(status.nodes, colors).map((line, index) => `  ${label(index === 0 ? "nodes" : "")}${line}`),
  ];
}

function describeSafety({ redundancy }: ClusterStatus): string {
  const { unreachable, reduced, canLoseNodes } = redundancy;
  if (unreachable > 0) return `${formatItems(unreachable, "chunk")} cannot be read now`;
  const margin = canLoseNodes > 0 ? `can lose ${formatItems(canLoseNodes, "node")}` : "can lose no node";
  if (reduced > 0) return `all data readable · ${formatItems(reduced, "chunk")} short of copies · ${margin}`;
  return `all data safe · ${margin}`;
}

function describeData({ files, chunks, copies, redundancy, trashed }: ClusterStatus): string {
  const { full, reduced, unreachable, waitingFor } = redundancy;
  const total = full + reduced + unreachable;
  return [
    formatItems(files, "file"),
    formatItems(chunks, "chunk"),
    `${full === total ? "all" : `${full} of ${total}`} with ${copies} ${copies === 1 ? "copy" : "copies"}`,
    ...(trashed > 0 ? [`${formatItems(trashed, "item")} in the trash`] : []),
    ...(waitingFor.length > 0 ? [`waiting for ${waitingFor.slice(0, nodesShownMax).join(", ")}`] : []),
  ].join(" · ");
}

function describeSpace({ logicalBytes, chunkBytes, copies, nodes }: ClusterStatus): string {
  const stored = `${formatBytes(logicalBytes)} of files · ${formatBytes(chunkBytes * copies)} on disks`;
  return `${stored} · room for ${formatBytes(Math.floor(freeBytes(nodes) / copies))} more`;
}

/**
 * Bytes free on all disks. Disks of one host with the same size are taken for folders on the same medium and counted once:
 * better to promise too little room than the same room several times.
 */
export function freeBytes(nodes: readonly NodeStatus[]): number {
  const media = new Map<string, number>();
  for (const { url, disks } of nodes.filter(({ health }) => health === "online")) {
    for (const { totalBytes, freeBytes, state } of disks) {
      if (state !== "ok") continue;
      const medium = `${URL.canParse(url) ? new URL(url).hostname : url} ${totalBytes}`;
      media.set(medium, Math.min(media.get(medium) ?? Number.POSITIVE_INFINITY, freeBytes));
    }
  }
  return [...media.values()].reduce((sum, bytes) => sum + bytes, 0);
}

function isWell({ health, disks }: NodeStatus): boolean {
  return health === "online" && disks.every(({ state }) => state === "ok");
}

function describeNodes(nodes: readonly NodeStatus[], colors: Colors): readonly string[] {
  const byWellness = [...nodes].sort((a, b) => Number(isWell(a)) - Number(isWell(b)));
  const shown = (nodes.length > nodesShownMax ? byWellness.slice(0, nodesShownMax) : nodes).map((node) =>
    describeNode(node, colors),
  );
  const rest = nodes.length - shown.length;
  if (nodes.length === 0) return ["none has joined yet: cairn node add"];
  const cells = rest > 0 ? [...shown, `and ${rest} more: cairn node list`] : shown;
  return Array.from({ length: Math.ceil(cells.length / nodesPerLine) }, (_, line) =>
    cells.slice(line * nodesPerLine, (line + 1) * nodesPerLine).join("   "),
  );
}

function describeNode({ node, health, disks, silentForMs }: NodeStatus, colors: Colors): string {
  const paint = { online: colors.green, suspect: colors.yellow, down: colors.red }[health];
  const total = disks.reduce((sum, { totalBytes }) => sum + totalBytes, 0);
  const used = total - disks.reduce((sum, disk) => sum + disk.freeBytes, 0);
  const full = total > 0 ? ` ${Math.round((used / total) * 100)} %` : "";
  const silent = health === "online" || silentForMs === undefined ? "" : ` for ${formatDuration(silentForMs)}`;
  const bad = disks.find(({ state }) => state !== "ok");
  return `${node} ${paint(health)}${health === "online" ? full : silent}${bad ? ` ${colors.red(`disk ${bad.state}`)}` : ""}`;
}
