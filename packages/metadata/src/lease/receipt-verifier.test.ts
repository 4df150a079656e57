import { type DiskId, type Lease, parseGroupId, type WritableGroup } from "@cairn/protocol";
import { beforeEach, expect, test } from "vitest";
import type { WrittenChunk } from "../contracts.ts";
import { claimsOf, failureOf, TestCluster, type TestNode, writtenBy } from "../service/testing/test-cluster.ts";

let cluster: TestCluster;
let nodes: TestNode[];
let lease: Lease;
let group: WritableGroup;
let members: TestNode[];
let outsider: TestNode;

beforeEach(async () => {
  cluster = await TestCluster.open();
  nodes = await cluster.addNodes(3);
  lease = await cluster.core.leases.open(cluster.drive, "test");
  group = lease.groups[0] as WritableGroup;
  members = group.members.map((member) => nodes.find((node) => node.disk === member.disk) as TestNode);
  outsider = nodes.find((node) => !members.includes(node)) as TestNode;
});

function judge(chunk: WrittenChunk, copies = 2) {
  return cluster.database.write<{ stale: boolean }>((sql) => cluster.core.receipts.judge(sql, chunk, copies));
}

function withReceipts(chunk: WrittenChunk, receipts: WrittenChunk["written"]["receipts"]): WrittenChunk {
  return { ...chunk, written: { ...chunk.written, receipts } };
}

const good = () => writtenBy(members, claimsOf(group, lease.id));

test("the receipts of a group's members are accepted, also after a restart of the metadata server", async () => {
  expect(await judge(good())).toEqual({ stale: false });
  await cluster.start();
  expect(await judge(good())).toEqual({ stale: false });
});

test("too few receipts are not enough, and none at all even less", async () => {
  for (const receipts of [[], good().written.receipts.slice(0, 1)]) {
    expect((await failureOf(judge(withReceipts(good(), receipts)))).kind).toBe("invalid");
  }
});

test("one disk that answers twice is one copy", async () => {
  const [receipt] = good().written.receipts;
  if (!receipt) throw new Error("no receipt");
  expect((await failureOf(judge(withReceipts(good(), [receipt, receipt])))).kind).toBe("invalid");
});

test("two disks of one node are one copy", async () => {
  const [first, second] = members as [TestNode, TestNode];
  const disks = [first, second].map((node) => ({ uuid: node.uuid, totalBytes: 10 ** 11, freeBytes: 10 ** 11 }));
  const map = cluster.core.map;
  const disk = map.disk(second.disk);
  if (!disk || disks.length !== 2) throw new Error("no disk");
  map.putDisk({ ...disk, node: first.name });
  expect((await failureOf(judge(good()))).kind).toBe("invalid");
});

test("the receipt of a node outside of the group does not count", async () => {
  const foreign = writtenBy([members[0] as TestNode, outsider], claimsOf(group, lease.id));
  expect((await failureOf(judge(foreign))).kind).toBe("invalid");
  const chunk = good();
  const three = withReceipts(chunk, [...chunk.written.receipts, outsider.sign(claimsOf(group, lease.id))]);
  expect((await failureOf(judge(three))).kind).toBe("invalid");
});

test.each<[string, (chunk: WrittenChunk) => WrittenChunk]>([
  ["another chunk", (chunk) => ({ ...chunk, id: "f".repeat(64) as WrittenChunk["id"] })],
  ["another length", (chunk) => ({ ...chunk, length: chunk.length + 1 })],
  [
    "another generation",
    (chunk) => ({ ...chunk, written: { ...chunk.written, generation: (chunk.written.generation + 1) as never } }),
  ],
  [
    "a forged signature",
    (chunk) =>
      withReceipts(
        chunk,
        chunk.written.receipts.map((receipt) => ({ ...receipt, mac: "A".repeat(22) })),
      ),
  ],
  [
    "an empty signature",
    (chunk) =>
      withReceipts(
        chunk,
        chunk.written.receipts.map((receipt) => ({ ...receipt, mac: "" })),
      ),
  ],
  [
    "each other's signatures",
    (chunk) => {
      const [a, b] = chunk.written.receipts;
      return withReceipts(chunk, [{ ...a, mac: b?.mac } as never, { ...b, mac: a?.mac } as never]);
    },
  ],
])("receipts for %s are not genuine", async (_what, change) => {
  expect((await failureOf(judge(change(good())))).kind).toBe("unauthenticated");
});

test("a disk that nobody knows has no genuine receipt", async () => {
  const chunk = good();
  const [first] = chunk.written.receipts;
  const unknown = { disk: 4711 as DiskId, epoch: 1, mac: "A".repeat(22) };
  expect((await failureOf(judge(withReceipts(chunk, [first as typeof unknown, unknown])))).kind).toBe("invalid");
});

test("receipts of an earlier epoch are genuine and stale while their disks are members still", async () => {
  const chunk = good();
  await addMember();
  expect(await judge(chunk)).toEqual({ stale: true });
});

test("a disk that left since, or left and came back, is no copy: the chunk must be sent again", async () => {
  const chunk = good();
  await changeMembership();
  expect(await failureOf(judge(chunk))).toMatchObject({ kind: "chunk-gone", details: { chunks: [chunk.id] } });
  const slots = (sets: string) =>
    cluster.database.write((sql) => sql.run(`UPDATE grp_slot SET ${sets} WHERE grp = ?`, group.id));
  const [first, second] = members.map((node) => node.disk);
  await slots(`disk = CASE WHEN disk = ${first} THEN ${first} ELSE ${second} END`);
  expect((await failureOf(judge(chunk))).kind).toBe("chunk-gone");
  await slots("epoch = 1");
  expect(await judge(chunk)).toEqual({ stale: true });
  await slots("state = 1");
  expect((await failureOf(judge(chunk))).kind).toBe("chunk-gone");
});

test("the epoch is that of the transaction, not of the memory", async () => {
  await cluster.database.write((sql) => sql.run("UPDATE grp SET epoch = 2 WHERE id = ?", group.id));
  expect(await judge(good())).toEqual({ stale: true });
});

test("receipts of different epochs do not add up, and an epoch the group never had is refused", async () => {
  const [first, second] = members as [TestNode, TestNode];
  const claims = claimsOf(group, lease.id);
  const mixed = withReceipts(good(), [first.sign(claims), second.sign({ ...claims, epoch: 2 })]);
  expect((await failureOf(judge(mixed))).kind).toBe("invalid");
  const future = writtenBy(members, { ...claims, epoch: 2 });
  expect((await failureOf(judge(future))).kind).toBe("invalid");
});

test("receipts of a group for another group, or for one that is not there, are refused", async () => {
  const other = lease.groups[1] as WritableGroup;
  expect(["invalid", "unauthenticated"]).toContain((await failureOf(judge({ ...good(), group: other.id }))).kind);
  expect((await failureOf(judge({ ...good(), group: parseGroupId(9999) }))).kind).toBe("not-found");
});

test("a drive that keeps three copies does not take two, unless the group has only two so far", async () => {
  const change = (what: string): Promise<unknown> =>
    cluster.database.write((sql) => sql.run(`UPDATE grp SET ${what} WHERE id = ?`, group.id));
  expect(await judge(good(), 3)).toEqual({ stale: false });
  await change("copies = 3, copies_written = 3");
  expect((await failureOf(judge(good(), 3))).kind).toBe("invalid");
  expect(await judge(good(), 2)).toEqual({ stale: false });
});

test("a group that is given more copies takes what was written before with those it had, all of them members still", async () => {
  const chunk = good();
  await cluster.database.write((sql) => sql.run("UPDATE grp SET copies = 3 WHERE id = ?", group.id));
  await addMember();
  expect(await judge(chunk, 3)).toEqual({ stale: true });
  const leaves = "DELETE FROM grp_slot WHERE grp = ? AND disk = ?";
  await cluster.database.write((sql) => sql.run(leaves, group.id, members[0]?.disk ?? 0));
  expect((await failureOf(judge(chunk, 3))).kind).toBe("chunk-gone");
});

async function addMember(): Promise<void> {
  await cluster.database.write(async (sql) => {
    await sql.run("UPDATE grp SET epoch = 2 WHERE id = ?", group.id);
    const slot = "INSERT INTO grp_slot (grp, slot, disk, state, epoch) VALUES (?, 9, ?, 0, 2)";
    await sql.run(slot, group.id, outsider.disk);
  });
}

async function changeMembership(): Promise<void> {
  const record = cluster.core.map.group(group.id);
  if (!record) throw new Error("no group");
  const [kept, left] = record.slots;
  if (!kept || !left) throw new Error("no slots");
  await cluster.database.write(async (sql) => {
    await sql.run("UPDATE grp SET epoch = 2 WHERE id = ?", group.id);
    await sql.run(
      "UPDATE grp_slot SET disk = ?, epoch = 2 WHERE grp = ? AND slot = ?",
      outsider.disk,
      group.id,
      left.slot,
    );
  });
  cluster.core.map.putGroup({ ...record, epoch: 2, slots: [kept, { ...left, disk: outsider.disk }] });
}
