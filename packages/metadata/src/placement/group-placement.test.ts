import type { DiskState } from "@cairn/protocol";
import { beforeEach, expect, test } from "vitest";
import type { GroupRecord } from "../cluster/cluster-map.ts";
import { failureOf, TestCluster, type TestNode } from "../service/testing/test-cluster.ts";
import { copysetsOf } from "./copysets.ts";
import { groupsPerLease } from "./group-placement.ts";

let cluster: TestCluster;
beforeEach(async () => {
  cluster = await TestCluster.open();
});

function nodesOf(group: GroupRecord): string[] {
  return group.slots.map((slot) => cluster.core.map.disk(slot.disk)?.node ?? "").sort();
}

function sorted(groups: readonly GroupRecord[]): string[] {
  return groups.map((group) => nodesOf(group).join(" ")).sort();
}

test("groups are created when they are first needed, stay, and survive a restart", async () => {
  const nodes = await cluster.addNodes(3);
  expect([...cluster.core.map.groups()]).toEqual([]);
  const groups = await cluster.core.placement.writable(2);
  expect(sorted(groups)).toEqual(["node-1 node-2", "node-1 node-3", "node-2 node-3"]);
  const before = cluster.database.writes;
  await cluster.core.placement.writable(2);
  expect(cluster.database.writes).toBe(before);
  await cluster.start();
  await cluster.beatAll(nodes);
  const ids = (list: readonly GroupRecord[]) => list.map((group) => group.id).sort();
  expect(ids(await cluster.core.placement.writable(2))).toEqual(ids(groups));
});

test("requests at the same moment create the groups once", async () => {
  await cluster.addNodes(3);
  await Promise.all(Array.from({ length: 10 }, () => cluster.core.placement.writable(2)));
  expect([...cluster.core.map.groups()]).toHaveLength(3);
});

test("a suspect node gets no new chunks from the moment it is suspect", async () => {
  const nodes = await cluster.addNodes(3);
  await cluster.core.placement.writable(2);
  const alive = nodes.slice(0, 2);
  await cluster.clock.advance(5000);
  await cluster.beatAll(alive);
  await cluster.clock.advance(4999);
  expect(await cluster.core.placement.writable(2)).toHaveLength(3);
  await cluster.clock.advance(1);
  for (const group of await cluster.core.placement.writable(2)) expect(nodesOf(group)).toEqual(["node-1", "node-2"]);
});

test.each<DiskState>(["full", "suspect", "failed"])(
  "a disk that reports %s gets no new chunks at once",
  async (state) => {
    const [, , third] = (await cluster.addNodes(3)) as [TestNode, TestNode, TestNode];
    await cluster.core.placement.writable(2);
    third.report = { ...third.report, state };
    await third.beat();
    for (const group of await cluster.core.placement.writable(2)) expect(nodesOf(group)).toEqual(["node-1", "node-2"]);
    third.report = { ...third.report, state: "ok" };
    await third.beat();
    expect(sorted(await cluster.core.placement.writable(2))).toContain("node-1 node-3");
  },
);

test("with fewer nodes online than copies the refusal names who is missing", async () => {
  const nodes = await cluster.addNodes(3);
  await cluster.advance(12_000, nodes.slice(0, 2));
  await cluster.advance(24_000, nodes.slice(0, 1));
  const failure = await failureOf(cluster.core.placement.writable(2));
  expect(failure.kind).toBe("unavailable");
  expect(failure.subject).toBe("2 copies need 2 nodes online; online: node-1; suspect: node-2; down: node-3");
  await cluster.advance(12_000, nodes.slice(0, 1));
  const later = await failureOf(cluster.core.placement.writable(2));
  expect(later.subject).toBe("2 copies need 2 nodes online; online: node-1; down: node-2, node-3");
  expect(later.hint).toBe("Bring back node-2 or node-3, or let another node join.");
});

test("a cluster without nodes says that nodes must join", async () => {
  const failure = await failureOf(cluster.core.placement.writable(2));
  expect([failure.kind, failure.subject, failure.hint]).toEqual([
    "unavailable",
    "2 copies need 2 nodes online; online: none",
    "Let another node join.",
  ]);
});

test("full disks answer no-space, broken ones unavailable, each with the nodes' names", async () => {
  const nodes = await cluster.addNodes(3);
  const setAll = async (states: readonly DiskState[]): Promise<void> => {
    for (const [index, node] of nodes.entries()) {
      node.report = { ...node.report, state: states[index] ?? "ok" };
      await node.beat();
    }
  };
  await setAll(["ok", "full", "full"]);
  const full = await failureOf(cluster.core.placement.writable(2));
  expect([full.kind, full.subject]).toEqual([
    "no-space",
    "2 copies need 2 nodes with free space; full: node-2, node-3",
  ]);
  await setAll(["ok", "failed", "suspect"]);
  const broken = await failureOf(cluster.core.placement.writable(2));
  expect([broken.kind, broken.hint]).toEqual(["unavailable", expect.stringContaining("node-2, node-3")]);
});

test("groups are created on listed copysets only, on distinct nodes, and a lease is offered a bounded number", async () => {
  const nodes = await cluster.addNodes(24);
  const groups = await cluster.core.placement.writable(3);
  expect(groups).toHaveLength(groupsPerLease);
  const listed = new Set(
    copysetsOf(
      nodes.map((node) => node.name),
      3,
    ).map((set) => set.join(" ")),
  );
  for (const group of cluster.core.map.groups()) {
    expect(new Set(nodesOf(group)).size).toBe(3);
    expect(listed.has(nodesOf(group).join(" "))).toBe(true);
  }
});

test("the copysets follow a new node, and existing groups keep their disks", async () => {
  await cluster.addNodes(2);
  const [first] = await cluster.core.placement.writable(2);
  await cluster.addNodes(1);
  const names = sorted(await cluster.core.placement.writable(2));
  expect(names.some((name) => name.includes("node-3"))).toBe(true);
  expect(cluster.core.map.group(first?.id as GroupRecord["id"])?.slots).toEqual(first?.slots);
});

test("groups with more free space are offered first more often", async () => {
  const [small] = (await cluster.addNodes(1, { freeBytes: 2 ** 30 })) as [TestNode];
  await cluster.addNodes(2, { freeBytes: 50 * 2 ** 30 });
  await cluster.core.placement.writable(2);
  let smallFirst = 0;
  for (let draw = 0; draw < 200; draw++) {
    const [first] = await cluster.core.placement.writable(2);
    if (first && nodesOf(first).includes(small.name)) smallFirst++;
  }
  expect(smallFirst).toBeLessThan(40);
});

test("right after a start writes wait for the nodes to be heard instead of failing", async () => {
  const nodes = await cluster.addNodes(3);
  await cluster.core.placement.writable(2);
  await cluster.start();
  const waiting = cluster.core.placement.writable(2);
  await cluster.advance(3000, nodes);
  await cluster.clock.advance(100);
  expect(await waiting).toHaveLength(3);
});

test("the wait after a start ends, and then the refusal names who is missing", async () => {
  await cluster.addNodes(2);
  await cluster.start();
  const failure = failureOf(cluster.core.placement.writable(2));
  await cluster.clock.advance(6100);
  expect((await failure).subject).toBe("2 copies need 2 nodes online; online: none; suspect: node-1, node-2");
});

test("a group that lacks a member is not written to, for whatever number of copies", async () => {
  await cluster.addNodes(3);
  const [three] = await cluster.core.placement.writable(3);
  if (!three) throw new Error("no group");
  cluster.core.map.putGroup({ ...three, slots: three.slots.slice(0, 2) });
  for (const copies of [2, 3]) {
    const groups = await cluster.core.placement.writable(copies);
    expect(groups.map((group) => group.id)).not.toContain(three.id);
  }
  cluster.core.map.putGroup({ ...three, slots: three.slots.map((slot) => ({ ...slot, state: "joining" as const })) });
  expect((await cluster.core.placement.writable(3)).map((group) => group.id)).not.toContain(three.id);
});
