import { type ClusterHealth, type ClusterStatus, limits, type NodeStatus } from "@cairn/protocol";
import type { Connection } from "./connection.ts";
import { formatBytes, formatDuration, formatItems } from "./format.ts";
import { describeJob, describeRepair } from "./operations/job-text.ts";
import type { Colors } from "./terminal.ts";

/** healthy: every chunk has all its copies and every node is there. unavailable: some data cannot be read now. */
export type Wellness = "healthy" | "degraded" | "unavailable";

export function wellnessOf({ redundancy, nodes }: ClusterStatus): Wellness {
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
const jobsShownMax = 3;
/** A node that is silent for longer has missed a heartbeat: people see it before the cluster draws conclusions. */
const silenceShownMs: number = limits.heartbeatMs * 1.5;

/** The cluster in at most twelve lines for people: is it safe, what may fail, when is it full, who is there, what runs. */
export function describeStatus(health: ClusterHealth, { connection, colors }: StatusView): readonly string[] {
  const { status } = health;
  const wellness = wellnessOf(status);
  const paint = { healthy: colors.green, degraded: colors.yellow, unavailable: colors.red }[wellness];
  const mark = { healthy: "●", degraded: "▲", unavailable: "✕" }[wellness];
  const where = `${connection.url}${connection.profile === undefined ? "" : `  (profile ${connection.profile})`}`;
  const label = (text: string): string => colors.dim(text.padEnd(8));
  return [
    `${paint(`${mark} ${wellness}`)}   ${describeSafety(status)}   ${colors.dim(where)}`,
    `  ${label("data")}${describeData(status)}`,
    `  ${label("space")}${describeSpace(health)}`,
    ...describeNodes(status.nodes, colors).map((line, index) => `  ${label(index === 0 ? "nodes" : "")}${line}`),
    ...describeRunning(health).map((line, index) => `  ${label(index === 0 ? "runs" : "")}${line}`),
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

function describeSpace({ status, freeBytes, fullInDays }: ClusterHealth): string {
  const { logicalBytes, chunkBytes, copies } = status;
  return [
    `${formatBytes(logicalBytes)} of files`,
    `${formatBytes(chunkBytes * copies)} on disks`,
    `room for ${formatBytes(freeBytes)} more`,
    ...(fullInDays === undefined ? [] : [describeFull(fullInDays)]),
  ].join(" · ");
}

function describeFull(days: number): string {
  if (days > 3650) return "not full for years";
  if (days < 1) return "full within a day";
  return days > 90
    ? `full in about ${Math.round(days / 30)} months`
    : `full in about ${formatItems(Math.floor(days), "day")}`;
}

/** Repair is worth a line when it has something to do, and when something keeps it from doing it. */
function describeRunning({ repair, jobs }: ClusterHealth): readonly string[] {
  const lines = jobs.slice(0, jobsShownMax).map(describeJob);
  const rest = jobs.length - lines.length;
  return [
    ...(repair.state === "idle" ? [] : [describeRepair(repair)]),
    ...lines,
    ...(rest > 0 ? [`and ${rest} more: cairn job list`] : []),
  ].concat(repair.state === "idle" && jobs.length === 0 ? ["nothing"] : []);
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

function describeNode({ node, health, duty, disks, silentForMs }: NodeStatus, colors: Colors): string {
  const paint = { online: colors.green, suspect: colors.yellow, down: colors.red }[health];
  const total = disks.reduce((sum, { totalBytes }) => sum + totalBytes, 0);
  const used = total - disks.reduce((sum, disk) => sum + disk.freeBytes, 0);
  const full = total > 0 ? ` ${Math.round((used / total) * 100)} %` : "";
  const silence = silentForMs === undefined ? "" : ` for ${formatDuration(silentForMs)}`;
  const overdue = health === "online" && (silentForMs ?? 0) > silenceShownMs;
  const state = overdue ? colors.yellow("silent") : paint(health);
  const bad = disks.find(({ state }) => state !== "ok");
  const aside = duty === "active" ? "" : ` ${colors.yellow(duty)}`;
  const detail = overdue || health !== "online" ? silence : full;
  return `${node} ${state}${aside}${detail}${bad ? ` ${colors.red(`disk ${bad.state}`)}` : ""}`;
}
