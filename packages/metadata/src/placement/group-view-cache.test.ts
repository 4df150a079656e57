import { type GroupId, limits, parseGroupId, verifyToken } from "@cairn/protocol";
import { beforeEach, expect, test } from "vitest";
import { TestCluster, type TestNode } from "../service/testing/test-cluster.ts";

let cluster: TestCluster;
let nodes: TestNode[];
let group: GroupId;
beforeEach(async () => {
  cluster = await TestCluster.open();
  nodes = await cluster.addNodes(2);
  group = (await cluster.core.placement.writable(2))[0]?.id as GroupId;
});

async function view() {
  const [found] = await cluster.core.views.views([group]);
  if (!found) throw new Error("no view");
  return found;
}

test("a view names the members with URL and health, and carries a read token that nodes accept", async () => {
  const found = await view();
  expect(found).toMatchObject({ id: group, epoch: 1 });
  expect([...found.members].sort((a, b) => a.disk - b.disk)).toMatchObject(
    nodes.map((node) => ({ node: node.name, disk: node.disk, url: node.url, health: "online" })),
  );
  const mac = (message: Uint8Array) => cluster.hasher.hmac(cluster.keys.tokenKey, message);
  const claims = verifyToken(cluster.keys.cluster, found.readToken, mac, cluster.clock.now());
  expect(claims).toEqual({ kind: "read", group, expiresAt: cluster.clock.now() + limits.readTokenTtlMs });
});

test("each group comes once, and one that does not exist is left out", async () => {
  expect(await cluster.core.views.views([group, group, parseGroupId(99_999)])).toHaveLength(1);
});

test("health, addresses and disk states are those of now", async () => {
  const [first, second] = nodes as [TestNode, TestNode];
  expect((await view()).members.map((member) => member.health)).toEqual(["online", "online"]);
  await cluster.advance(12_000, [first]);
  const healthOf = async (node: TestNode) => (await view()).members.find((member) => member.node === node.name)?.health;
  expect(await healthOf(second)).toBe("suspect");
  await second.beat();
  expect(await healthOf(second)).toBe("online");
  second.report = { ...second.report, state: "failed" };
  await second.beat();
  expect(await healthOf(second)).toBe("down");
  await first.register(first.registration.credential, { url: "http://10.7.7.7:1234" });
  expect((await view()).members.find((member) => member.node === first.name)?.url).toBe("http://10.7.7.7:1234");
});

test("a read token is handed out until half of its life is over", async () => {
  const { readToken } = await view();
  await cluster.clock.advance(limits.readTokenTtlMs / 2 - 1);
  expect((await view()).readToken).toBe(readToken);
  await cluster.clock.advance(1);
  expect((await view()).readToken).not.toBe(readToken);
});

test("an unchanged view is not made anew", async () => {
  expect(await view()).toBe(await view());
});
