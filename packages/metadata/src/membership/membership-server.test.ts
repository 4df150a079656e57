import { limits, parseNodeId, toHex } from "@cairn/protocol";
import { beforeEach, expect, test } from "vitest";
import { failureOf, TestCluster, TestNode } from "../service/testing/test-cluster.ts";

let cluster: TestCluster;
let joinToken: string;
beforeEach(async () => {
  cluster = await TestCluster.open();
  joinToken = (await cluster.core.access.createJoinToken({ expiresInMs: 3600_000 })).secret;
});

function newNode(): TestNode {
  return new TestNode(cluster, { totalBytes: 10 ** 11, freeBytes: 10 ** 11 });
}

test("nodes join with a token, get the next free names, and their disks get ids", async () => {
  const [first, second] = [newNode(), newNode()];
  expect(await first.register(joinToken)).toMatchObject({
    cluster: cluster.keys.cluster,
    node: "node-1",
    disks: [{ uuid: first.uuid, disk: 1 }],
    heartbeatMs: limits.heartbeatMs,
    incarnation: 1,
  });
  expect(await second.register(joinToken)).toMatchObject({ node: "node-2", disks: [{ uuid: second.uuid, disk: 2 }] });
  expect(first.registration.receiptKey).not.toBe(second.registration.receiptKey);
  const statuses = await cluster.core.reports({ version: "0", listChunks: () => Promise.reject() }).nodes();
  expect(statuses.map((status) => [status.node, status.health])).toEqual([
    ["node-1", "online"],
    ["node-2", "online"],
  ]);
});

test("no credential is stored, only its hash", async () => {
  const node = newNode();
  await node.register(joinToken);
  const dump = await cluster.database.read<unknown[]>(async (sql) => [
    ...(await sql.all("SELECT * FROM node")),
    ...(await sql.all("SELECT * FROM join_token")),
  ]);
  const text = JSON.stringify(dump);
  expect(text).not.toContain(node.registration.credential);
  expect(text).not.toContain(joinToken);
});

test("without a valid join token or credential nobody joins", async () => {
  for (const secret of ["", "cairn_join_guess", `${joinToken}x`]) {
    expect((await failureOf(newNode().register(secret))).kind).toBe("unauthenticated");
  }
});

test("a join token ends", async () => {
  await cluster.clock.advance(3600_000);
  expect((await failureOf(newNode().register(joinToken))).kind).toBe("unauthenticated");
});

test("a node's credential does not let another machine join under a new name", async () => {
  const node = newNode();
  const { credential } = await node.register(joinToken);
  const failure = await failureOf(newNode().register(credential, { node: parseNodeId("node-9") }));
  expect(failure.kind).toBe("conflict");
});

test("the name of another machine is never given again, wiped or not", async () => {
  const node = newNode();
  await node.register(joinToken);
  const wiped = newNode();
  const failure = await failureOf(wiped.register(joinToken, { node: node.name }));
  expect([failure.kind, failure.hint]).toEqual(["conflict", expect.stringContaining("credential")]);
  expect((await wiped.register(joinToken)).node).toBe("node-2");
});

test("a disk that belongs to another node is refused, and nothing of the registration stays", async () => {
  const [owner, thief] = [newNode(), newNode()];
  await owner.register(joinToken);
  await thief.register(joinToken);
  const disks = [
    { uuid: thief.uuid, totalBytes: 5, freeBytes: 5 },
    { uuid: owner.uuid, totalBytes: 5, freeBytes: 5 },
  ];
  const failure = await failureOf(thief.register(thief.registration.credential, { disks, url: "http://10.9.9.9:1" }));
  expect([failure.kind, failure.details["owner"]]).toEqual(["conflict", "node-1"]);
  expect(cluster.core.map.node(thief.name)?.url).toBe(thief.url);
  const row = await cluster.database.read((sql) => sql.get("SELECT url FROM node WHERE name = ?", thief.name));
  expect(row).toEqual({ url: thief.url });
});

test("a second living process of a node is refused, and the first goes on", async () => {
  const node = newNode();
  await node.register(joinToken);
  node.serveIdentity();
  const clone = node.request({ bootNonce: toHex(cluster.random.bytes(16)), url: "http://10.9.9.9:7071" });
  const failure = await failureOf(cluster.core.membership.register(clone));
  expect([failure.kind, failure.details]).toEqual(["conflict", { node: "node-1", url: node.url }]);
  expect(cluster.log.lines.some((line) => line.level === "error")).toBe(true);
  await node.beat();
});

test("a restarted node is accepted at once: the old process no longer answers, or the new one answers in its place", async () => {
  const node = newNode();
  const { disks } = await node.register(joinToken);
  await node.restart();
  expect(node.registration.disks).toEqual(disks);
  await node.beat();
  const next = toHex(cluster.random.bytes(16));
  node.serveIdentity(next);
  await cluster.core.membership.register(node.request({ bootNonce: next }));
});

test("a process that was replaced is told to register again, and is then refused while the other lives", async () => {
  const node = newNode();
  await node.register(joinToken);
  const old = node.bootNonce;
  await node.restart();
  node.serveIdentity();
  expect((await failureOf(node.beat([], { bootNonce: old }))).kind).toBe("stale");
  expect((await failureOf(cluster.core.membership.register(node.request({ bootNonce: old })))).kind).toBe("conflict");
});

test("an answer that is lost costs nothing: the node registers again with the token and is the same node", async () => {
  const node = newNode();
  const first = await node.register(joinToken);
  const second = await node.register(joinToken);
  expect([second.node, second.disks, second.receiptKey]).toEqual([first.node, first.disks, first.receiptKey]);
  expect(second.credential).not.toBe(first.credential);
  await node.beat();
  expect((await failureOf(node.beat([], { credential: first.credential }))).kind).toBe("unauthenticated");
});

test("who brings a node's disks and a join token is that node, unless the node lives", async () => {
  const node = newNode();
  await node.register(joinToken);
  node.serveIdentity();
  const other = toHex(cluster.random.bytes(16));
  expect((await failureOf(node.register(joinToken, { bootNonce: other }))).kind).toBe("conflict");
  cluster.network.handlers.clear();
  expect((await node.register(joinToken, { bootNonce: other })).node).toBe("node-1");
});

test("two processes of one node that register at the same moment are told apart", async () => {
  const node = newNode();
  await node.register(joinToken);
  const requests = [1, 2].map((index) =>
    node.request({ bootNonce: `nonce-of-${index}`, url: `http://10.0.1.${index}:7071` }),
  );
  for (const request of requests) {
    const body = [Buffer.from(JSON.stringify({ node: node.name, bootNonce: request.bootNonce }))];
    cluster.network.handlers.set(request.url, async () => ({ status: 200, body }));
  }
  const outcomes = await Promise.allSettled(requests.map((request) => cluster.core.membership.register(request)));
  expect(outcomes.map((outcome) => outcome.status).sort()).toEqual(["fulfilled", "rejected"]);
});

test("a node that comes without a disk keeps it as failed, and has it back when the disk is there again", async () => {
  const node = newNode();
  await node.register(joinToken);
  const disk = node.disk;
  const spare = [{ uuid: "spare-uuid", totalBytes: 5, freeBytes: 5 }];
  await node.register(node.registration.credential, { disks: spare });
  expect(cluster.core.map.disk(disk)?.state).toBe("failed");
  await node.register(node.registration.credential);
  expect(cluster.core.map.disk(disk)?.state).toBe("suspect");
  await node.beat();
  expect(cluster.core.map.disk(disk)?.state).toBe("ok");
});

test.each([
  ["a URL with a path", { url: "http://10.0.0.1:7071/x" }],
  ["a URL that is no web address", { url: "file:///etc/passwd" }],
  ["a URL that is not one", { url: "node-1" }],
  ["an empty boot nonce", { bootNonce: "" }],
  ["two disks of one uuid", { disks: [1, 2].map(() => ({ uuid: "u", totalBytes: 1, freeBytes: 1 })) }],
  ["a name that is none", { node: "../etc" as never }],
  ["no disks", { disks: undefined as never }],
  ["a disk that is nothing", { disks: [null] as never }],
  ["a nonce that is a number", { bootNonce: 12345678 as never }],
  ["a disk of negative size", { disks: [{ uuid: "u", totalBytes: -1, freeBytes: 0 }] }],
])("a registration with %s is invalid", async (_what, changes) => {
  expect((await failureOf(newNode().register(joinToken, changes))).kind).toBe("invalid");
});

test("what is no heartbeat at all is refused", async () => {
  const node = newNode();
  await node.register(joinToken);
  const server = cluster.core.membership;
  expect((await failureOf(server.register(undefined as never))).kind).toBe("invalid");
  expect((await failureOf(server.heartbeat(undefined as never))).kind).toBe("unauthenticated");
  expect((await failureOf(server.heartbeat({ node: node.name } as never))).kind).toBe("unauthenticated");
  for (const changes of [{ disks: undefined }, { disks: [null] }, { sequence: "x" }, { groups: [{}] }]) {
    expect((await failureOf(node.beat([], changes as never))).kind).toBe("invalid");
  }
  const [report] = [{ disk: node.disk, ...node.report }];
  const strange = [
    { ...report, freeBytes: -5 },
    { ...report, state: "splendid" },
    { ...report, chunks: Number.NaN },
  ];
  for (const disk of strange) expect((await failureOf(node.beat([], { disks: [disk as never] }))).kind).toBe("invalid");
});

test("heartbeats need the node's own credential and its own disks", async () => {
  const [first, second] = [newNode(), newNode()];
  await first.register(joinToken);
  await second.register(joinToken);
  const { credential } = second.registration;
  expect((await failureOf(first.beat([], { credential }))).kind).toBe("unauthenticated");
  expect((await failureOf(first.beat([], { node: parseNodeId("node-77") }))).kind).toBe("unauthenticated");
  const disks = [{ disk: second.disk, ...second.report, state: "failed" as const }];
  expect((await failureOf(first.beat([], { disks }))).kind).toBe("invalid");
  expect(cluster.core.map.disk(second.disk)?.state).toBe("ok");
});

test("after a restart of the metadata server nodes go on by their credentials, without a probe", async () => {
  const node = newNode();
  await node.register(joinToken);
  await node.beat();
  node.serveIdentity();
  await cluster.start();
  expect(cluster.core.health.health(node.name)).toBe("suspect");
  await node.beat();
  expect(cluster.core.health.health(node.name)).toBe("online");
  await node.register(node.registration.credential);
  expect(node.name).toBe("node-1");
  await node.beat();
});

test("every start of the metadata server leads with a higher epoch, and the one before is fenced", async () => {
  const before = cluster.core.leader;
  await before.renew();
  await cluster.start();
  expect(cluster.core.leader.epoch).toBe(before.epoch + 1);
  expect((await failureOf(before.renew())).kind).toBe("stale");
  expect((await failureOf(cluster.database.write((sql) => before.assertHeld(sql)))).kind).toBe("stale");
});
