import { type NodeId, StorageError } from "@cairn/protocol";
import { beforeEach, expect, test } from "vitest";
import { failureOf, TestCluster, type TestNode } from "../service/testing/test-cluster.ts";

let cluster: TestCluster;
let nodes: TestNode[];
beforeEach(async () => {
  cluster = await TestCluster.open();
  nodes = await cluster.addNodes(3);
  return async () => cluster.database[Symbol.asyncDispose]();
});

function first(): TestNode {
  const [node] = nodes;
  if (!node) throw new Error("no node");
  return node;
}

test("a duty outlives a restart", async () => {
  await cluster.core.duties.set(first().name, "draining");
  expect(cluster.core.duties.of(first().name)).toBe("draining");
  await cluster.start();
  expect(cluster.core.duties.of(first().name)).toBe("draining");
});

test("a registration changes nothing about the duty", async () => {
  await cluster.core.duties.set(first().name, "draining");
  await first().restart();
  expect(cluster.core.duties.of(first().name)).toBe("draining");
});

test.each(["draining", "maintenance"] as const)(
  "a node that is %s gets no new groups, and its own take no writes",
  async (duty) => {
    await cluster.core.duties.set(first().name, duty, cluster.clock.now() + 1_000_000);
    for (const group of await cluster.core.placement.writable(2)) {
      expect(group.slots.map((slot) => slot.disk)).not.toContain(first().disk);
    }
    await cluster.core.duties.set(first().name, "active");
    const disks = (await cluster.core.placement.writable(2)).flatMap((group) => group.slots.map((slot) => slot.disk));
    expect(disks).toContain(first().disk);
  },
);

test("maintenance ends with its time", async () => {
  await cluster.core.duties.set(first().name, "maintenance", cluster.clock.now() + 60_000);
  await cluster.advance(60_000, nodes);
  expect(cluster.core.duties.of(first().name)).toBe("active");
  await cluster.core.duties.endMaintenance();
  await cluster.start();
  expect(cluster.core.map.node(first().name)?.duty).toBe("active");
});

test("a removed node is refused for good: its heartbeats, its credential and its disks with a join token", async () => {
  await cluster.core.duties.set(first().name, "removed");
  expect((await failureOf(first().beat())).kind).toBe("conflict");
  expect((await failureOf(first().restart())).message).toContain("removed");
  const { secret } = await cluster.core.access.createJoinToken({ expiresInMs: 60_000 });
  expect((await failureOf(first().register(secret))).message).toContain("removed");
  await cluster.start();
  expect((await failureOf(first().restart())).message).toContain("removed");
  expect((await failureOf(cluster.core.duties.set(first().name, "active"))).kind).toBe("conflict");
});

test("a node that holds groups cannot be removed", async () => {
  await cluster.core.placement.writable(2);
  const failure = await failureOf(cluster.core.duties.set(first().name, "removed"));
  expect(failure).toBeInstanceOf(StorageError);
  expect(failure.kind).toBe("conflict");
  expect(cluster.core.duties.of(first().name)).toBe("active");
});

test("a node that nobody knows cannot be given a duty", async () => {
  expect((await failureOf(cluster.core.duties.set("node-9" as NodeId, "draining"))).kind).toBe("not-found");
});
