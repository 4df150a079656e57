import type { DiskId, GroupId, NodeDuty, NodeHealth, NodeId } from "@cairn/protocol";
import { expect, test } from "vitest";
import { planChange } from "./change-plan.ts";
import type { ClusterView, ViewedDisk, ViewedGroup } from "./cluster-view.ts";

const gibibyte = 2 ** 30;

interface Sketch {
  /** Per node: used and total GiB of its one disk. */
  readonly nodes: Readonly<Record<string, { used?: number; total?: number; health?: NodeHealth; duty?: NodeDuty }>>;
  /** Per group: GiB and the numbers of its nodes. */
  readonly groups: readonly (readonly [gib: number, ...nodes: number[]])[];
  readonly copies?: number;
  /** Groups with a chunk that is bad on a disk. */
  readonly damaged?: readonly (readonly [group: number, ...disks: number[]])[];
}

function cluster({ nodes, groups, copies = 2, damaged = [] }: Sketch): ClusterView {
  const names = Object.keys(nodes);
  const disks = names.map((name, index): ViewedDisk => {
    const { used = 10, total = 100 } = nodes[name] ?? {};
    const totalBytes = total * gibibyte;
    return {
      disk: (index + 1) as DiskId,
      node: name as NodeId,
      state: "ok",
      totalBytes,
      freeBytes: totalBytes - used * gibibyte,
    };
  });
  const viewed = groups.map(
    ([gib, ...on], index): ViewedGroup => ({
      id: (index + 1) as GroupId,
      copies,
      chunks: gib * 1024,
      bytes: gib * gibibyte,
      disks: on as DiskId[],
      joining: [],
    }),
  );
  return {
    nodes: new Map(
      names.map((name) => {
        const { health = "online", duty = "active" } = nodes[name] ?? {};
        return [name as NodeId, { node: name as NodeId, health, duty }];
      }),
    ),
    disks: new Map(disks.map((disk) => [disk.disk, disk])),
    groups: new Map(viewed.map((group) => [group.id, group])),
    damaged: damaged.map(([group, ...bad]) => ({ group: group as GroupId, bad: bad as DiskId[] })),
  };
}

const settings = { moveRate: 100 * 2 ** 20, copies: 2 };
const plan = (view: ClusterView, kind: "drain" | "undrain" | "remove", node = "node-1") =>
  planChange(view, { kind, node: node as NodeId }, settings);

test("a drain moves every copy to the emptiest node that has none of its group, and tells how long it takes at least", () => {
  const view = cluster({
    nodes: { "node-1": {}, "node-2": { used: 30 }, "node-3": {}, "node-4": { used: 5 } },
    groups: [
      [4, 1, 2],
      [2, 1, 4],
      [1, 2, 3],
    ],
  });
  const { plan: planned, moves } = plan(view, "drain");
  expect(moves.map(({ group, from, to }) => [group, from, to])).toEqual([
    [1, 1, 4],
    [2, 1, 3],
  ]);
  expect(planned).toMatchObject({
    refusals: [],
    warnings: [],
    groupsToMove: 2,
    bytesToMove: 6 * gibibyte,
    canLoseNodes: { now: 1, during: 1, after: 1 },
  });
  expect(planned.etaMs).toBe(Math.ceil(((6 * 1024) / 200) * 1000));
  expect(planned.disks.map(({ beforeBytes, afterBytes }) => (afterBytes - beforeBytes) / gibibyte)).toEqual([
    -6, 0, 2, 4,
  ]);
});

test("a drain is refused when fewer nodes would take data than there are copies", () => {
  const two = cluster({ nodes: { "node-1": {}, "node-2": {} }, groups: [[1, 1, 2]] });
  expect(plan(two, "drain").plan.refusals).toEqual([
    "2 copies on distinct nodes need 2 nodes; without node-1 1 takes data. Add a node first.",
  ]);
  for (const other of [{ health: "down" }, { duty: "draining" }, { duty: "maintenance" }] as const) {
    const view = cluster({ nodes: { "node-1": {}, "node-2": {}, "node-3": other }, groups: [[1, 1, 2]] });
    expect(plan(view, "drain").plan.refusals).toHaveLength(1);
  }
});

test("a drain is refused when the other nodes have no room, and nothing is planned beyond their watermark", () => {
  const nodes = { "node-1": {}, "node-2": { used: 84 }, "node-3": { used: 83 } };
  const view = cluster({ nodes, groups: [[3, 1, 2]] });
  expect(plan(view, "drain").plan.refusals[0]).toMatch(/find no room on the other nodes/);
  expect(
    plan(cluster({ nodes: { ...nodes, "node-3": { used: 81 } }, groups: [[3, 1, 2]] }), "drain").plan.refusals,
  ).toEqual([]);
});

test("a node that is down and has the only good copy of something is neither drained nor removed", () => {
  const view = cluster({
    nodes: { "node-1": { health: "down" }, "node-2": {}, "node-3": {}, "node-4": {} },
    groups: [[1, 1, 2]],
    damaged: [[1, 2]],
  });
  for (const kind of ["drain", "remove"] as const) {
    expect(plan(view, kind).plan.refusals).toEqual([
      "1 chunk can be read from node-1 only, and it does not answer. Bring it back.",
    ]);
  }
});

test("a lost node is removed when other nodes have copies of all it held, and at once when it holds nothing", () => {
  const nodes = { "node-1": { health: "down" }, "node-2": {}, "node-3": {}, "node-4": {} } as const;
  const held = plan(cluster({ nodes, groups: [[1, 1, 2]] }), "remove").plan;
  expect(held).toMatchObject({ refusals: [], groupsToMove: 1, canLoseNodes: { now: 0, during: 0, after: 1 } });
  expect(held.warnings.join(" ")).toContain("node-1 is down");
  expect(plan(cluster({ nodes, groups: [[1, 2, 3]] }), "remove").plan).toMatchObject({ refusals: [], groupsToMove: 0 });
});

test("a node that was removed cannot be removed, drained or put into maintenance again", () => {
  const view = cluster({ nodes: { "node-1": { duty: "removed" }, "node-2": {}, "node-3": {} }, groups: [] });
  expect(plan(view, "remove").plan.refusals).toEqual(["node-1 was removed already."]);
  expect(plan(view, "drain").plan.refusals).toEqual(["node-1 was removed."]);
  expect(plan(view, "undrain").plan.refusals).toEqual(["node-1 is not being drained: it is removed."]);
  const change = { kind: "maintenance", node: "node-1" as NodeId, on: true } as const;
  expect(planChange(view, change, settings).plan.refusals).toEqual(["node-1 is removed."]);
});

test("an unknown node is not found", () => {
  expect(() => plan(cluster({ nodes: {}, groups: [] }), "drain", "node-9")).toThrow(
    expect.objectContaining({ kind: "not-found" }),
  );
});

test("maintenance is refused while some data could not be read meanwhile, and beyond a day", () => {
  const nodes = { "node-1": {}, "node-2": {}, "node-3": { duty: "maintenance" as const } };
  const change = { kind: "maintenance", node: "node-1" as NodeId, on: true } as const;
  const good = planChange(cluster({ nodes, groups: [[1, 1, 2]] }), change, settings).plan;
  expect(good).toMatchObject({ refusals: [], canLoseNodes: { now: 1, during: 0, after: 1 } });
  expect(good.warnings).toEqual(["node-3 is in maintenance too."]);
  const damaged = cluster({ nodes, groups: [[1, 1, 2]], damaged: [[1, 2]] });
  expect(planChange(damaged, change, settings).plan.refusals).toEqual([
    "1 chunk could not be read meanwhile: no other node has a good copy.",
  ]);
  for (const durationMs of [86_400_001, 0, -1]) {
    expect(planChange(cluster({ nodes, groups: [] }), { ...change, durationMs }, settings).plan.refusals).toHaveLength(
      1,
    );
  }
});

test("a rebalance moves groups to a new node until all disks have about their share, and then nothing more", () => {
  const view = cluster({
    nodes: { "node-1": { used: 40 }, "node-2": { used: 40 }, "node-3": { used: 40 }, "node-4": { used: 0 } },
    groups: Array.from({ length: 60 }, (_, index) => [1, 1 + (index % 3), 1 + ((index + 1) % 3)]),
  });
  const { moves, plan: planned } = planChange(view, { kind: "rebalance" }, settings);
  const after = planned.disks.map((disk) => disk.afterBytes / gibibyte);
  expect(Math.max(...after) - Math.min(...after)).toBeLessThanOrEqual(4);
  expect(moves.every(({ to }) => to === 4)).toBe(true);
  expect(new Set(moves.map(({ group }) => group)).size).toBe(moves.length);
  const placed = new Map([...view.groups].map(([id, group]) => [id, group]));
  for (const { group, from, to } of moves) {
    const old = placed.get(group) as ViewedGroup;
    placed.set(group, { ...old, disks: [...old.disks.filter((disk) => disk !== from), to] });
  }
  const disks = new Map(
    [...view.disks].map(([id, disk]) => [
      id,
      { ...disk, freeBytes: disk.totalBytes - (planned.disks.find((one) => one.disk === id)?.afterBytes ?? 0) },
    ]),
  );
  expect(
    planChange({ ...view, groups: placed, disks }, { kind: "rebalance" }, settings).moves.length,
  ).toBeLessThanOrEqual(2);
});

test("a larger disk has a larger share, but one copy of anything at most", () => {
  const view = cluster({
    nodes: {
      "node-1": { used: 40, total: 100 },
      "node-2": { used: 40, total: 100 },
      "node-3": { used: 0, total: 400 },
    },
    groups: Array.from({ length: 40 }, () => [1, 1, 2]),
  });
  const { plan: planned } = planChange(view, { kind: "rebalance" }, settings);
  expect(planned.disks.map((disk) => disk.afterBytes / gibibyte)).toEqual([20, 20, 40]);
});

test("two copies of a group never come to one node", () => {
  const view = cluster({ nodes: { "node-1": { used: 80 }, "node-2": {} }, groups: [[5, 1, 2]] });
  expect(planChange(view, { kind: "rebalance" }, settings).moves).toEqual([]);
});

test("more copies need so many nodes and room for them; fewer copies are a warning", () => {
  const view = cluster({
    nodes: { "node-1": {}, "node-2": {}, "node-3": { used: 20 } },
    groups: [
      [2, 1, 2],
      [3, 1, 3],
    ],
  });
  const change = (copies: number) =>
    planChange(view, { kind: "change-copies", drive: "dr_x" as never, copies }, settings).plan;
  expect(change(3)).toMatchObject({ refusals: [], bytesToMove: 5 * gibibyte, canLoseNodes: { now: 1, after: 2 } });
  expect(change(4).refusals).toEqual(["4 copies need 4 nodes that take data, and there are 3."]);
  expect(change(2).refusals).toEqual(["The drive has 2 copies of each chunk already."]);
  expect(change(1)).toMatchObject({
    refusals: [],
    warnings: ["With one copy the loss of any disk loses data."],
    canLoseNodes: { after: 0 },
  });
  for (const copies of [0, 9, 1.5]) expect(change(copies).refusals).toEqual(["Copies are a whole number from 1 to 8."]);
});
