import { beforeEach, expect, test } from "vitest";
import { TestCluster, type TestNode } from "../service/testing/test-cluster.ts";

let cluster: TestCluster;
let nodes: TestNode[];
beforeEach(async () => {
  cluster = await TestCluster.open();
  nodes = await cluster.addNodes(5);
  for (const node of nodes) await node.beat([], { everything: true });
  // Groups on all of them.
  await cluster.core.placement.writable(2);
  return async () => cluster.database[Symbol.asyncDispose]();
});

function hold() {
  return cluster.core.readiness.hold();
}

async function beat(...some: readonly TestNode[]): Promise<void> {
  for (const node of some) await node.beat([], { everything: true });
}

async function kinds(): Promise<string[]> {
  await cluster.core.readiness.look();
  return (await cluster.core.events.after(0, { limit: 100 })).map((event) => event.kind);
}

test("a cluster whose nodes have told of everything is ready", () => {
  expect(hold()).toBeUndefined();
});

test("after a start nothing goes on until the nodes have told of their copies", async () => {
  await cluster.start();
  expect(hold()).toMatchObject({ state: "safe-mode", reason: "no storage node has been heard since the start" });
  await beat(...nodes.slice(0, 4));
  expect(hold()?.reason).toMatch(/copies of groups were reported/);
  await beat(...nodes);
  expect(hold()).toBeUndefined();
});

test("a heartbeat that names no copies does not count as a report", async () => {
  await cluster.start();
  for (const node of nodes) await node.beat();
  expect(hold()?.state).toBe("safe-mode");
});

test("safe mode ends after its time, but not before a node was heard", async () => {
  await cluster.start();
  await cluster.advance(601_000);
  expect(hold()?.state).toBe("safe-mode");
  for (const node of nodes) await node.beat();
  expect(hold()).toBeUndefined();
});

test("copies on removed nodes are not waited for", async () => {
  await cluster.database.write(async (sql) => {
    await sql.run("UPDATE node SET duty = 3 WHERE name = ?", nodes[4]?.name ?? "");
  });
  await cluster.start();
  await beat(...nodes.slice(0, 4));
  expect(hold()).toBeUndefined();
});

test("one node is never a storm, however large a part of the cluster it is", async () => {
  await cluster.advance(60_000, nodes.slice(1));
  expect(hold()).toBeUndefined();
});

test("disks of two nodes that go away together stop everything, and their return releases it", async () => {
  await cluster.advance(30_000, nodes.slice(2));
  expect(hold()).toMatchObject({ state: "storm-brake" });
  expect(hold()?.reason).toContain("2 of 5 disks");
  expect(hold()?.reason).toContain("node-1, node-2");
  expect(await kinds()).toContain("storm-brake.pulled");
  await cluster.advance(3000, nodes);
  expect(hold()).toBeUndefined();
  expect(await kinds()).toContain("storm-brake.released");
});

test("too few disks hold everything up however slowly they went; whoever wants it otherwise sets it so", async () => {
  await cluster.core.settings.change({ "storm.lost-disks": 100 });
  await cluster.advance(3_600_000, nodes.slice(2));
  expect(hold()?.reason).toContain("only 3 of 5 disks are there");
  await cluster.core.settings.change({ "storm.disks-up": 60 });
  expect(hold()).toBeUndefined();
});

test("disks that went away one after the other over a long time are no storm", async () => {
  await cluster.core.settings.change({ "storm.disks-up": 50 });
  await cluster.advance(30_000, nodes.slice(1));
  expect(hold()).toBeUndefined();
  await cluster.advance(1_200_000, nodes.slice(1));
  await cluster.advance(60_000, nodes.slice(2));
  expect(hold()).toBeUndefined();
});

test("a node in maintenance is not missed", async () => {
  await cluster.core.duties.set(nodes[0]?.name as never, "maintenance", cluster.clock.now() + 3_600_000);
  await cluster.advance(60_000, nodes.slice(2));
  expect(hold()).toBeUndefined();
});

test("nodes that somebody has given up do not hold up the copying that their removal waits for", async () => {
  const [one, two, ...others] = nodes;
  await cluster.advance(60_000);
  await beat(...others);
  expect(hold()?.state).toBe("storm-brake");
  expect(hold()?.reason).toContain("cairn node remove");
  await cluster.core.duties.set(one?.name as never, "draining");
  await cluster.core.duties.set(two?.name as never, "draining");
  expect(hold()).toBeUndefined();
});

test("a disk whose groups live elsewhere by now is no part of a storm", async () => {
  const disk = nodes[0]?.disk;
  for (const group of [...cluster.core.map.groups()]) {
    cluster.core.map.changeGroup(group.id, { slots: group.slots.filter((slot) => slot.disk !== disk) });
  }
  await cluster.advance(60_000, nodes.slice(2));
  expect(hold()).toBeUndefined();
});

test("what begins and ends is told once", async () => {
  await cluster.start();
  await kinds();
  await kinds();
  await beat(...nodes);
  expect(await kinds()).toEqual(["safe-mode.entered", "safe-mode.left"]);
  expect(await kinds()).toHaveLength(2);
});
