import { type GroupId, limits, StorageError } from "@cairn/protocol";
import { beforeEach, expect, test } from "vitest";
import type { GroupRecord } from "../cluster/cluster-map.ts";
import { failureOf, TestCluster, type TestNode } from "../service/testing/test-cluster.ts";

let cluster: TestCluster;
let nodes: TestNode[];
let group: GroupRecord;
let members: TestNode[];

beforeEach(async () => {
  cluster = await TestCluster.open();
  nodes = await cluster.addNodes(3);
  await cluster.core.leases.open(cluster.drive, "test");
  group = groupNow([...cluster.core.map.groups()][0]?.id as GroupId);
  members = membersOf(group);
});

function groupNow(id: GroupId = group.id): GroupRecord {
  return cluster.core.map.group(id) as GroupRecord;
}

function membersOf(of: GroupRecord): TestNode[] {
  return of.slots.map((slot) => nodes.find((node) => node.disk === slot.disk) as TestNode);
}

async function storedGroup(): Promise<unknown> {
  return cluster.database.read((sql) => sql.get("SELECT bytes, records, state FROM grp WHERE id = ?", group.id));
}

test("a group is as large as its largest member says, in memory and in the database", async () => {
  const [first, second] = members as [TestNode, TestNode];
  await first.beat([first.digest(group.id, { records: 5, bytes: 500 })]);
  await second.beat([second.digest(group.id, { records: 3, bytes: 300 })]);
  expect(groupNow()).toMatchObject({ records: 5, bytes: 500 });
  await first.beat([first.digest(group.id, { records: 1, bytes: 100 })]);
  expect(groupNow()).toMatchObject({ records: 3, bytes: 300 });
  expect(await storedGroup()).toEqual({ records: 3, bytes: 300, state: 0 });
});

test("after a restart the stored size counts until every member has spoken", async () => {
  const [first, second] = members as [TestNode, TestNode];
  await first.beat([first.digest(group.id, { records: 9, bytes: 900 })]);
  await cluster.start();
  await second.beat([second.digest(group.id, { records: 1, bytes: 100 })]);
  expect(groupNow()).toMatchObject({ records: 9, bytes: 900 });
  await first.beat([first.digest(group.id, { records: 2, bytes: 200 })]);
  expect(groupNow()).toMatchObject({ records: 2, bytes: 200 });
});

test("a heartbeat that changes nothing writes nothing", async () => {
  const [first] = members as [TestNode];
  const digest = first.digest(group.id, { records: 5, bytes: 500 });
  await first.beat([digest]);
  const before = cluster.database.writes;
  await first.beat([digest]);
  await first.beat();
  first.report = { ...first.report, freeBytes: first.report.freeBytes - 4096 };
  await first.beat();
  expect(cluster.database.writes).toBe(before);
  expect(cluster.core.map.disk(first.disk)?.freeBytes).toBe(first.report.freeBytes);
});

test("sizes of disks reach the database within a minute or so, their state at once", async () => {
  const [first] = members as [TestNode];
  const stored = () =>
    cluster.database.read((sql) => sql.get("SELECT state, free_bytes FROM disk WHERE id = ?", first.disk));
  first.report = { ...first.report, state: "full" };
  await first.beat();
  expect(await stored()).toMatchObject({ state: "full" });
  first.report = { ...first.report, freeBytes: 12_345 };
  await cluster.advance(63_000, [first]);
  expect(await stored()).toMatchObject({ free_bytes: 12_345 });
});

test.each([
  ["bytes", () => ({ records: 1, bytes: group.bytesMax })],
  ["records", () => ({ records: limits.groupRecordsMax, bytes: 1 })],
])("a group that reaches its limit of %s is sealed, and its nodes are told", async (_what, size) => {
  const [first, second] = members as [TestNode, TestNode];
  const reply = await first.beat([first.digest(group.id, size())]);
  expect(reply.seal).toEqual([group.id]);
  expect(groupNow().state).toBe("sealed");
  expect(await storedGroup()).toMatchObject({ state: 1 });
  expect((await second.beat()).seal).toEqual([group.id]);
  const outsider = nodes.find((node) => !members.includes(node)) as TestNode;
  expect((await outsider.beat()).seal).toEqual([]);
  const lease = await cluster.core.leases.open(cluster.drive, "test");
  expect(lease.groups.map(({ id }) => id)).not.toContain(group.id);
});

test("one byte below the limit a group stays writable", async () => {
  const [first] = members as [TestNode];
  await first.beat([first.digest(group.id, { records: limits.groupRecordsMax - 1, bytes: group.bytesMax - 1 })]);
  expect(groupNow().state).toBe("writable");
});

test("a seal is told until the node reports it, and again after a restart of the metadata server", async () => {
  const [first, second] = members as [TestNode, TestNode];
  const full = { records: 1, bytes: group.bytesMax };
  await first.beat([first.digest(group.id, full)]);
  expect((await first.beat()).seal).toEqual([group.id]);
  const sealed = first.digest(group.id, { ...full, sealed: true });
  expect((await first.beat([sealed])).seal).toEqual([]);
  await cluster.start();
  expect((await second.beat()).seal).toEqual([group.id]);
  await second.beat([second.digest(group.id, { ...full, sealed: true })]);
  expect((await second.beat()).seal).toEqual([]);
});

test("a report is acknowledged only when it is durable, and the node's repetition then counts", async () => {
  const [first] = members as [TestNode];
  cluster.database.failure = new StorageError("unavailable", "change database", "test");
  const digest = first.digest(group.id, { records: 7, bytes: 700 });
  expect((await failureOf(first.beat([digest]))).kind).toBe("unavailable");
  expect(groupNow().records).toBe(0);
  cluster.database.failure = undefined;
  await first.beat([digest]);
  expect(await storedGroup()).toMatchObject({ records: 7, bytes: 700 });
});

test("a heartbeat that was overtaken brings back neither old sizes nor a dead node", async () => {
  const [first] = members as [TestNode];
  await first.beat([first.digest(group.id, { records: 5, bytes: 500 })]);
  const old = first.sequence - 1;
  await cluster.clock.advance(12_000);
  await first.beat([first.digest(group.id, { records: 1, bytes: 100 })], { sequence: old });
  expect(groupNow().records).toBe(5);
  expect(cluster.core.health.health(first.name)).toBe("suspect");
});

test("the count of heartbeats starts anew with every registration", async () => {
  const [first] = members as [TestNode];
  for (let beat = 0; beat < 5; beat++) await first.beat();
  await first.register(first.registration.credential);
  await first.beat([first.digest(group.id, { records: 5, bytes: 500 })]);
  expect(groupNow().records).toBe(5);
});

test("what a former member reports does not count, and unknown groups are passed over", async () => {
  const outsider = nodes.find((node) => !members.includes(node)) as TestNode;
  const size = { records: 9, bytes: group.bytesMax };
  await outsider.beat([outsider.digest(group.id, size), outsider.digest(9999 as GroupId, size)]);
  expect(groupNow()).toMatchObject({ records: 0, state: "writable" });
});
