import {
  type ChunkId,
  type DamagedCopy,
  type Generation,
  type GroupId,
  type HeartbeatRequest,
  hashOfChunkId,
  limits,
  StorageError,
} from "@cairn/protocol";
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

async function chunkOn(disks: readonly TestNode[]): Promise<DamagedCopy[]> {
  const id = "ab".repeat(32) as ChunkId;
  await cluster.database.write((sql) =>
    sql.run(
      "INSERT INTO chunk (hash, generation, grp, length, refs, state) VALUES (?, 17, ?, 100, 1, 0)",
      hashOfChunkId(id),
      group.id,
    ),
  );
  return disks.map((node) => ({ group: group.id, disk: node.disk, id, generation: 17 as Generation }));
}

const repairs = () => cluster.database.read((sql) => sql.all("SELECT disk, reason, priority FROM repair"));

test("copies that a node found damaged are queued for repair before it is answered, once, with an event", async () => {
  const [first] = members as [TestNode];
  const damaged = await chunkOn([first]);
  await first.beat([], { damaged });
  expect(await repairs()).toEqual([{ disk: first.disk, reason: "corrupt", priority: 0 }]);
  await first.beat([], { damaged });
  const events = await cluster.core.events.after(0, { limit: 10 });
  expect(events.map(({ kind, subject }) => ({ kind, subject }))).toEqual([
    { kind: "copies.damaged", subject: first.name },
  ]);
  await cluster.start();
  expect(await repairs()).toHaveLength(1);
});

test("a damaged copy that cannot be kept is not answered, and one of a heartbeat that was overtaken is kept", async () => {
  const [first] = members as [TestNode];
  const damaged = await chunkOn([first]);
  cluster.database.failure = new StorageError("no-space", "write metadata", "the disk is full");
  expect((await failureOf(first.beat([], { damaged }))).kind).toBe("no-space");
  cluster.database.failure = undefined;
  await first.beat();
  await first.beat([], { damaged, sequence: 1 });
  expect(await repairs()).toHaveLength(1);
});

test("damage is queued only for the generation that counts, and only on members", async () => {
  const [first] = members as [TestNode];
  const [copy] = await chunkOn([first]);
  await first.beat([], { damaged: [{ ...copy!, generation: 16 as Generation }] });
  const stranger = nodes.find((node) => !members.includes(node)) as TestNode;
  await stranger.beat([], { damaged: [{ ...copy!, disk: stranger.disk }] });
  expect(await repairs()).toEqual([]);
});

test("the time of a group's last check is kept, never goes back, and is not ahead of the server's clock", async () => {
  const [first] = members as [TestNode];
  const now = cluster.clock.now();
  const verified = (at: number) => first.beat([], { verified: [{ group: group.id, disk: first.disk, at }] });
  const stored = () => cluster.database.read((sql) => sql.all("SELECT grp, disk, verified_at FROM group_copy"));
  await verified(now - 1000);
  await verified(now - 5000);
  expect(await stored()).toEqual([{ grp: group.id, disk: first.disk, verified_at: now - 1000 }]);
  await verified(now + 1_000_000);
  expect(await stored()).toEqual([{ grp: group.id, disk: first.disk, verified_at: now }]);
});

test("malformed or foreign reports of checks are refused and write nothing", async () => {
  const [first, second] = members as [TestNode, TestNode];
  const [copy] = await chunkOn([first]);
  const wrong: Partial<HeartbeatRequest>[] = [
    { damaged: [{ ...copy!, id: "zz" as ChunkId }] },
    { damaged: [{ ...copy!, generation: -1 as Generation }] },
    { damaged: [{ ...copy!, disk: second.disk }] },
    { damaged: Array.from({ length: limits.badCopiesPerHeartbeatMax + 1 }, () => copy!) },
    { damaged: {} as DamagedCopy[] },
    { verified: [{ group: group.id, disk: first.disk, at: Number.NaN }] },
    { verified: [{ group: group.id, disk: second.disk, at: 1 }] },
    { scrub: [null as never] },
    { everything: "yes" as never },
  ];
  for (const changes of wrong) expect((await failureOf(first.beat([], changes))).kind).toBe("invalid");
  expect(await repairs()).toEqual([]);
});

test("nodes are told the thresholds, and in no-delete mode to keep what they have", async () => {
  const [first] = members as [TestNode];
  expect((await first.beat()).settings).toEqual({
    scrubBytesPerSecond: 10 * 2 ** 20,
    scrubEveryMs: 30 * 86_400_000,
    repairBytesPerSecond: 50 * 2 ** 20,
    compactionBytesPerSecond: 20 * 2 ** 20,
    trashMs: 3 * 86_400_000,
  });
  await cluster.core.settings.change({ "scrub.paused": 1, "collect.trash": 5000 });
  expect((await first.beat()).settings).toMatchObject({ scrubBytesPerSecond: 0, trashMs: 5000 });
  await cluster.core.noDelete.set("restored");
  await cluster.start();
  const { settings } = await first.beat();
  expect(settings?.compactionBytesPerSecond).toBe(0);
  expect(settings?.trashMs).toBeGreaterThan(300 * 86_400_000);
});

test("after a start a node is asked for everything until it has told of it; then what it has not told of is not there", async () => {
  const [first] = members as [TestNode];
  const { copies } = cluster.core;
  const digest = first.digest(group.id, { records: 5, bytes: 500 });
  expect(await first.beat([digest])).toMatchObject({ everything: true });
  expect(copies.heardAll(first.name)).toBe(false);
  expect(await first.beat([digest], { everything: true })).not.toHaveProperty("everything");
  expect(copies.heardAll(first.name)).toBe(true);
  expect(copies.of(group.id).get(first.disk)?.digest).toEqual(digest);
  await first.beat([], { everything: true });
  expect(copies.of(group.id).get(first.disk)).toBeUndefined();
  await first.restart();
  expect(await first.beat()).toMatchObject({ everything: true });
  expect(copies.heardAll(first.name)).toBe(false);
});

test("what a node tells of its scrub is there to be shown", async () => {
  const [first] = members as [TestNode];
  const scrub = [{ disk: first.disk, passFinishedAt: undefined, passStartedAt: 5, checkedBytes: 10, totalBytes: 100 }];
  await first.beat([], { scrub });
  expect(cluster.core.scrubs.all()).toEqual([{ node: first.name, ...scrub[0] }]);
});
