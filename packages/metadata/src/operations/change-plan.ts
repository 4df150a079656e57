import {
  type ChangePlan,
  type DiskId,
  type GroupId,
  limits,
  type MembershipChange,
  type NodeId,
  StorageError,
} from "@cairn/protocol";
import {
  type ClusterView,
  onlyCopiesOn,
  redundancyIn,
  usedBytes,
  type ViewedGroup,
  type ViewedNode,
} from "./cluster-view.ts";
import { type MovePlan, type PlannedMove, planLeaving, planMoreCopies, planRebalance } from "./plan-moves.ts";

/** Longest maintenance of a node, ms: who is away longer is gone. */
export const maintenanceMsMax: number = 86_400_000;

export interface PlanSettings {
  /** Bytes per second that moves write to one disk. */
  readonly moveRate: number;
  /** Copies of each chunk that the drive of a change-copies has now. */
  readonly copies: number;
}

/** A change and the moves that it would begin with. */
export interface PlannedChange {
  readonly plan: ChangePlan;
  readonly moves: readonly PlannedMove[];
}

/** What a change would do to this cluster, and why it must not be done if so. Throws not-found (node). */
export function planChange(view: ClusterView, change: MembershipChange, settings: PlanSettings): PlannedChange {
  switch (change.kind) {
    case "drain":
      return planDrain(view, change, settings);
    case "remove":
      return planRemoval(view, change, settings);
    case "undrain":
      return planUndrain(view, change, settings);
    case "maintenance":
      return planMaintenance(view, change, settings);
    case "rebalance":
      return finish(view, settings, { change, moves: planRebalance(view) });
    case "change-copies":
      return planCopies(view, change, settings);
  }
}

function planDrain(
  view: ClusterView,
  change: MembershipChange & { readonly node: NodeId },
  settings: PlanSettings,
): PlannedChange {
  const node = nodeOf(view, change.node);
  const refusals: string[] = [];
  if (node.duty === "removed") refusals.push(`${node.node} was removed.`);
  if (node.duty === "draining") refusals.push(`${node.node} is being drained already.`);
  const leaving = planLeaving(view, node.node);
  return finish(view, settings, {
    change,
    moves: leaving.moves,
    refusals: [...refusals, ...whyNotLeave(view, node, leaving)],
    warnings: warningsOf(view, node),
  });
}

/** A node that holds nothing goes at once; another is drained first, a lost one from the copies on other nodes. */
function planRemoval(
  view: ClusterView,
  change: MembershipChange & { readonly node: NodeId },
  settings: PlanSettings,
): PlannedChange {
  const node = nodeOf(view, change.node);
  const leaving = planLeaving(view, node.node);
  const refusals = node.duty === "removed" ? [`${node.node} was removed already.`] : [];
  return finish(view, settings, {
    change,
    moves: leaving.moves,
    refusals: [...refusals, ...whyNotLeave(view, node, leaving)],
    warnings: [...warningsOf(view, node), `${node.node} can never come back under this name: its credential ends.`],
  });
}

function planUndrain(
  view: ClusterView,
  change: MembershipChange & { readonly node: NodeId },
  settings: PlanSettings,
): PlannedChange {
  const node = nodeOf(view, change.node);
  const refusals = node.duty === "draining" ? [] : [`${node.node} is not being drained: it is ${node.duty}.`];
  return finish(view, settings, { change, refusals });
}

function planMaintenance(
  view: ClusterView,
  change: Extract<MembershipChange, { kind: "maintenance" }>,
  settings: PlanSettings,
): PlannedChange {
  const node = nodeOf(view, change.node);
  const refusals: string[] = [];
  const { durationMs } = change;
  if (!change.on) {
    if (node.duty !== "maintenance") refusals.push(`${node.node} is not in maintenance: it is ${node.duty}.`);
    return finish(view, settings, { change, refusals });
  }
  if (node.duty === "draining" || node.duty === "removed") refusals.push(`${node.node} is ${node.duty}.`);
  if (durationMs !== undefined && !(durationMs > 0 && durationMs <= maintenanceMsMax))
    refusals.push("A maintenance lasts up to 24 hours; who is away longer is drained or removed.");
  const alone = onlyCopiesOn(view, node.node);
  if (alone > 0) refusals.push(`${chunksText(alone)} could not be read meanwhile: no other node has a good copy.`);
  const others = [...view.nodes.values()].filter((other) => other.duty === "maintenance" && other.node !== node.node);
  const warnings = others.map((other) => `${other.node} is in maintenance too.`);
  return finish(view, settings, { change, refusals, warnings, away: node.node });
}

function planCopies(
  view: ClusterView,
  change: Extract<MembershipChange, { kind: "change-copies" }>,
  settings: PlanSettings,
): PlannedChange {
  const { copies } = change;
  const refusals: string[] = [];
  const warnings: string[] = [];
  const active = [...view.nodes.values()].filter(({ health, duty }) => health === "online" && duty === "active").length;
  if (!Number.isSafeInteger(copies) || copies < 1 || copies > limits.copiesMax)
    refusals.push(`Copies are a whole number from 1 to ${limits.copiesMax}.`);
  else if (copies > active)
    refusals.push(`${copies} copies need ${copies} nodes that take data, and there are ${active}.`);
  if (copies === settings.copies) refusals.push(`The drive has ${copies} copies of each chunk already.`);
  if (copies === 1) warnings.push("With one copy the loss of any disk loses data.");
  else if (copies < settings.copies) warnings.push("Fewer node failures are survived with fewer copies.");
  if (refusals.length > 0) return finish(view, settings, { change, refusals, warnings });
  const more = planMoreCopies(view, copies);
  const noRoom = roomRefusal(more);
  return finish(view, settings, { change, moves: more.moves, refusals: noRoom, warnings, copies });
}

function whyNotLeave(view: ClusterView, node: ViewedNode, leaving: MovePlan): string[] {
  const refusals: string[] = [];
  const takers = [...view.nodes.values()].filter(
    (other) => other.node !== node.node && other.health === "online" && other.duty === "active",
  ).length;
  const copies = Math.max(
    0,
    ...leaving.moves.map(({ group }) => copiesOf(view, group)),
    ...leaving.homeless.map((group) => group.copies),
  );
  if (copies > takers) {
    refusals.push(
      `${copies} copies on distinct nodes need ${copies} nodes; without ${node.node} ${takers === 1 ? "1 takes" : `${takers} take`} data. Add a node first.`,
    );
  } else refusals.push(...roomRefusal(leaving));
  const unreachable = node.health === "down" ? onlyCopiesIfDown(view, node.node) : 0;
  if (unreachable > 0) {
    refusals.push(
      `${chunksText(unreachable)} can be read from ${node.node} only, and it does not answer. Bring it back.`,
    );
  }
  return refusals;
}

function roomRefusal({ homeless, homelessBytes }: MovePlan): string[] {
  if (homeless.length === 0) return [];
  return [
    `${homelessBytes} bytes in ${homeless.length} groups find no room on the other nodes. Free space or add a node first.`,
  ];
}

/** Of a node that is down already: what cannot be read now and is on it. */
function onlyCopiesIfDown(view: ClusterView, node: NodeId): number {
  const isMine = ({ disks }: ViewedGroup): boolean => disks.some((disk) => view.disks.get(disk)?.node === node);
  const groups = new Map([...view.groups].filter(([, group]) => isMine(group)));
  return redundancyIn({ ...view, groups }).unreachable;
}

function warningsOf(view: ClusterView, node: ViewedNode): string[] {
  const warnings: string[] = [];
  if (node.health !== "online")
    warnings.push(`${node.node} is ${node.health}: its groups are copied from other nodes.`);
  const { reduced, unreachable } = redundancyIn(view);
  if (unreachable > 0) warnings.push(`${chunksText(unreachable)} cannot be read now.`);
  else if (reduced > 0) warnings.push(`${chunksText(reduced)} lack copies now; they are repaired first.`);
  return warnings;
}

interface Outline {
  readonly change: MembershipChange;
  readonly refusals?: readonly string[];
  readonly warnings?: readonly string[];
  readonly moves?: readonly PlannedMove[];
  /** Not there during the change. */
  readonly away?: NodeId;
  /** Copies of each chunk after it. */
  readonly copies?: number;
}

function finish(view: ClusterView, { moveRate }: PlanSettings, outline: Outline): PlannedChange {
  const { change, refusals = [], warnings = [], moves = [], away, copies } = outline;
  const bytesToMove = moves.reduce((sum, move) => sum + move.bytes, 0);
  const targets = new Set(moves.map((move) => move.to)).size;
  const now = redundancyIn(view).canLoseNodes;
  const during = away === undefined ? now : redundancyIn(view, { without: away }).canLoseNodes;
  const after =
    away === undefined ? redundancyIn(view, { placed: placedAfter(view, moves, copies), copies }).canLoseNodes : now;
  return {
    moves,
    plan: {
      change,
      refusals,
      warnings,
      groupsToMove: moves.length,
      bytesToMove,
      etaMs:
        bytesToMove === 0 ? 0 : moveRate === 0 ? undefined : Math.ceil((bytesToMove / (moveRate * targets)) * 1000),
      disks: disksAfter(view, moves),
      canLoseNodes: { now, during: Math.min(now, during), after },
    },
  };
}

function placedAfter(
  view: ClusterView,
  moves: readonly PlannedMove[],
  copies: number | undefined,
): ReadonlyMap<GroupId, readonly DiskId[]> {
  const placed = new Map<GroupId, readonly DiskId[]>();
  for (const { group, from, to } of moves) {
    const before = placed.get(group) ?? view.groups.get(group)?.disks ?? [];
    placed.set(group, [...before.filter((disk) => disk !== from), to]);
  }
  if (copies === undefined) return placed;
  for (const group of view.groups.values()) {
    const disks = placed.get(group.id) ?? group.disks;
    if (disks.length > copies) placed.set(group.id, disks.slice(0, copies));
  }
  return placed;
}

function disksAfter(view: ClusterView, moves: readonly PlannedMove[]): ChangePlan["disks"] {
  const change = new Map<DiskId, number>();
  for (const { from, to, bytes } of moves) {
    change.set(to, (change.get(to) ?? 0) + bytes);
    if (from !== undefined) change.set(from, (change.get(from) ?? 0) - bytes);
  }
  return [...view.disks.values()].map((disk) => ({
    disk: disk.disk,
    node: disk.node,
    beforeBytes: usedBytes(disk),
    afterBytes: Math.max(0, usedBytes(disk) + (change.get(disk.disk) ?? 0)),
  }));
}

function nodeOf(view: ClusterView, name: NodeId): ViewedNode {
  const node = view.nodes.get(name);
  if (node) return node;
  throw new StorageError("not-found", "find node", String(name).slice(0, 80), {
    hint: "List them with: cairn node list",
  });
}

function copiesOf(view: ClusterView, id: GroupId): number {
  return view.groups.get(id)?.copies ?? 0;
}

function chunksText(count: number): string {
  return count === 1 ? "1 chunk" : `${count} chunks`;
}
