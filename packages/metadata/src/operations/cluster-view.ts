import type { DiskId, DiskState, GroupId, NodeDuty, NodeHealth, NodeId, Redundancy } from "@cairn/protocol";
import type { ClusterMap, GroupRecord } from "../cluster/cluster-map.ts";
import type { GroupChunks } from "../cluster/group-usage.ts";
import { type DamagedChunk, type HeldGroup, redundancyOf } from "../cluster/redundancy.ts";
import { copyHealth, type HealthBoard } from "../membership/health-board.ts";

export interface ViewedNode {
  readonly node: NodeId;
  readonly health: NodeHealth;
  readonly duty: NodeDuty;
}

export interface ViewedDisk {
  readonly disk: DiskId;
  readonly node: NodeId;
  readonly state: DiskState;
  readonly totalBytes: number;
  readonly freeBytes: number;
}

/** A group with the chunks that versions need; `disks` are those that hold them, `joining` those that are being filled. */
export interface ViewedGroup {
  readonly id: GroupId;
  readonly copies: number;
  readonly chunks: number;
  readonly bytes: number;
  readonly disks: readonly DiskId[];
  readonly joining: readonly DiskId[];
}

/** The cluster at one moment: what plans are made from. */
export interface ClusterView {
  readonly nodes: ReadonlyMap<NodeId, ViewedNode>;
  readonly disks: ReadonlyMap<DiskId, ViewedDisk>;
  readonly groups: ReadonlyMap<GroupId, ViewedGroup>;
  readonly damaged: readonly DamagedChunk[];
}

export function viewCluster(
  world: { readonly map: ClusterMap; readonly health: HealthBoard; readonly duty: (node: NodeId) => NodeDuty },
  held: ReadonlyMap<GroupId, GroupChunks>,
  damaged: readonly DamagedChunk[],
): ClusterView {
  const { map, health, duty } = world;
  return {
    nodes: new Map([...map.nodes()].map(({ node }) => [node, { node, health: health.health(node), duty: duty(node) }])),
    disks: new Map([...map.disks()].map((disk) => [disk.disk, disk])),
    groups: new Map([...map.groups()].map((group) => [group.id, viewGroup(group, held.get(group.id))])),
    damaged,
  };
}

function viewGroup({ id, copies, slots }: GroupRecord, held: GroupChunks = { chunks: 0, bytes: 0 }): ViewedGroup {
  const of = (isJoining: boolean): DiskId[] =>
    slots.filter((slot) => (slot.state === "joining") === isJoining).map((slot) => slot.disk);
  return { id, copies, ...held, disks: of(false), joining: of(true) };
}

/** How safe the data is in a cluster like this, when some nodes are taken for gone or groups for moved. */
export function redundancyIn(
  view: ClusterView,
  what: {
    readonly without?: NodeId | undefined;
    /** Disks of groups where they differ from the view. */
    readonly placed?: ReadonlyMap<GroupId, readonly DiskId[]> | undefined;
    readonly copies?: number | undefined;
  } = {},
): Redundancy {
  const groups = new Map<GroupId, HeldGroup>();
  for (const group of view.groups.values()) {
    const disks = what.placed?.get(group.id) ?? group.disks;
    const members = disks.flatMap((id, slot) => {
      const disk = view.disks.get(id);
      const health = disk && view.nodes.get(disk.node)?.health;
      if (!disk || !health) return [];
      const gone = disk.node === what.without;
      return [
        { slot, disk: id, node: disk.node, url: "", health: gone ? ("down" as const) : copyHealth(health, disk.state) },
      ];
    });
    groups.set(group.id, { copies: what.copies ?? group.copies, held: group, members });
  }
  const online = [...view.nodes.values()].filter(({ health, node }) => health === "online" && node !== what.without);
  const copies = Math.max(1, ...[...view.groups.values()].map((group) => what.copies ?? group.copies));
  return redundancyOf(groups, view.damaged, Math.max(Math.min(copies, online.length) - 1, 0));
}

export function usedBytes(disk: ViewedDisk): number {
  return Math.max(0, disk.totalBytes - disk.freeBytes);
}

/** Chunks whose every sound and reachable copy is on this node. */
export function onlyCopiesOn(view: ClusterView, node: NodeId): number {
  return redundancyIn(view, { without: node }).unreachable - redundancyIn(view).unreachable;
}
