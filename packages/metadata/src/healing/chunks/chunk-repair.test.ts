import type { ChunkId, DiskId, GroupId } from "@cairn/protocol";
import { beforeEach, expect, test } from "vitest";
import type { WrittenChunk } from "../../contracts.ts";
import type { FakeNode } from "../testing/fake-node.ts";
import { TestHealing } from "../testing/test-healing.ts";

const never = new AbortController().signal;

let cluster: TestHealing;
let chunks: WrittenChunk[];
let chunk: WrittenChunk;
beforeEach(async () => {
  cluster = await TestHealing.open();
  chunks = await cluster.file("film", [1, 2, 3, 4, 5]);
  chunk = chunks[0] as WrittenChunk;
  return () => cluster[Symbol.asyncDispose]();
});

function holders(): [FakeNode, FakeNode] {
  return chunk.written.receipts.map(({ disk }) => cluster.nodeOf(disk)) as [FakeNode, FakeNode];
}

function reports() {
  return cluster.cluster.core.reports({ version: "0", listChunks: () => Promise.reject(new Error("no")) });
}

async function report(node: FakeNode, what: "corrupt" | "not-found" = "corrupt"): Promise<void> {
  await reports().reportBadCopies([{ group: chunk.group, disk: node.node.disk, id: chunk.id, what: what as never }]);
}

function rot(node: FakeNode, id: ChunkId = chunk.id): void {
  const copy = node.copy(chunk.group, id);
  if (copy) copy.corrupt = true;
}

async function repair(): Promise<void> {
  await cluster.healing.repairChunks(never);
}

test("a copy that a reader found damaged is replaced from another member, and one event tells of it", async () => {
  const [first] = holders();
  rot(first);
  await report(first);
  expect((await cluster.healing.repairStatus()).chunksWaiting).toBe(1);
  await repair();
  await cluster.expectWhole(chunks);
  expect(await cluster.rows("SELECT * FROM repair")).toEqual([]);
  expect(await cluster.events("chunks.repaired")).toMatchObject([{ details: { group: chunk.group, copies: 1 } }]);
});

test("a wrong report changes nothing: the copy is found sound and the row goes", async () => {
  const [first] = holders();
  await report(first);
  await repair();
  expect(await cluster.rows("SELECT * FROM repair")).toEqual([]);
  expect(await cluster.events("chunks.repaired")).toEqual([]);
});

test("a second report during the repair is not taken for the first", async () => {
  const [first] = holders();
  rot(first);
  await report(first);
  first.after = async (command) => {
    if (command !== "copyIn") return;
    first.after = async () => undefined;
    rot(first);
    await report(first);
  };
  await repair();
  expect(await cluster.rows("SELECT * FROM repair")).toHaveLength(1);
  await cluster.pass(20_000);
  await cluster.expectWhole(chunks);
});

test("a source that turns out to be bad is queued too", async () => {
  const third = await cluster.healing.setGroupCopies(chunk.group, 3);
  expect(third).toBe(true);
  await cluster.pass(5000);
  const [first, second] = holders();
  rot(first);
  rot(second);
  await report(first);
  await repair();
  expect(await cluster.rows("SELECT disk FROM repair")).toEqual([{ disk: second.node.disk }]);
  await repair();
  await cluster.expectWhole(chunks);
});

test("a chunk of which no disk has a sound copy is lost: status, event and file say so, and storing it again heals it", async () => {
  const [first, second] = holders();
  rot(first);
  rot(second);
  await report(first);
  await repair();
  expect(await cluster.rows("SELECT state FROM chunk WHERE state <> 0")).toEqual([{ state: 2 }]);
  const [event] = await cluster.events("chunk.lost");
  expect(event).toMatchObject({ severity: "error", details: { chunks: [chunk.id], total: 1, files: ["film"] } });
  expect((await reports().status()).redundancy).toMatchObject({ unreachable: 1, canLoseNodes: -1 });
  expect((await cluster.healing.repairStatus()).chunksWaiting).toBe(0);
  const again = cluster.write(1);
  await cluster.commit("again", [again]);
  await repair();
  expect(await cluster.rows("SELECT * FROM repair")).toEqual([]);
  expect(await cluster.rows("SELECT state FROM chunk WHERE state <> 0")).toEqual([]);
  expect((await reports().status()).redundancy.unreachable).toBe(0);
});

test("nothing is lost while a member is away that may have it", async () => {
  const [first, second] = holders();
  rot(first);
  await report(first);
  second.away = true;
  await cluster.sleep(40_000);
  await repair();
  expect(await cluster.rows("SELECT state FROM chunk WHERE state <> 0")).toEqual([]);
  second.away = false;
  await cluster.pass(20_000);
  await cluster.expectWhole(chunks);
});

test("nothing is lost while a disk that was a member may have it", async () => {
  const [first, second] = holders();
  const outside = cluster.nodes.find((node) => node !== first && node !== second) as FakeNode;
  const copy = first.copy(chunk.group, chunk.id);
  outside.put(chunk.group, { id: chunk.id, generation: copy?.generation as never, length: chunk.length });
  await cluster.cluster.database.write((sql) =>
    sql.run("INSERT INTO extra_copy (grp, disk, decided_at) VALUES (?, ?, 0)", chunk.group, outside.node.disk),
  );
  outside.away = true;
  await cluster.sleep(40_000);
  rot(first);
  rot(second);
  await report(first);
  await repair();
  expect(await cluster.rows("SELECT state FROM chunk WHERE state <> 0")).toEqual([]);
  outside.away = false;
  await cluster.pass(60_000);
  await cluster.expectWhole(chunks);
  expect(await cluster.rows("SELECT * FROM repair")).toEqual([]);
});

test("a member that has it after all keeps a chunk from being given up", async () => {
  const [first, second] = holders();
  rot(first);
  await report(first);
  // The first is told that nobody has it, though the second does: its way to the second is cut.
  first.before = async () => undefined;
  const copyIn = first.copyIn.bind(first);
  first.copyIn = async (order, command, signal) => copyIn({ ...order, sources: [] }, command, signal);
  await repair();
  expect(await cluster.rows("SELECT state FROM chunk WHERE state <> 0")).toEqual([]);
  expect(second.copy(chunk.group, chunk.id)?.corrupt).toBe(false);
});

test("a late commit is brought to every member, and nobody has to name the one that lacks it", async () => {
  const [first, second] = holders();
  await cluster.cluster.database.write((sql) =>
    sql.run(
      "INSERT INTO repair (grp, hash, generation, disk, priority, reason, created_at) SELECT grp, hash, generation, 0, 2, 'stale', 0 FROM chunk WHERE hash = ?",
      Buffer.from(chunk.id, "hex"),
    ),
  );
  second.groups.get(chunk.group)?.delete(chunk.id);
  await repair();
  expect(await cluster.rows("SELECT disk, reason FROM repair ORDER BY disk")).toEqual([
    { disk: Math.min(first.node.disk, second.node.disk), reason: "stale" },
    { disk: Math.max(first.node.disk, second.node.disk), reason: "stale" },
  ]);
  await repair();
  await cluster.expectWhole(chunks);
  expect(await cluster.rows("SELECT * FROM repair")).toEqual([]);
});

test("rows of chunks that are gone, and of disks that left, are put aside without a word to any node", async () => {
  await cluster.cluster.database.write(async (sql) => {
    await sql.run(
      "INSERT INTO repair (grp, hash, generation, disk, priority, reason, created_at) VALUES (?, ?, 1, 1, 1, 'corrupt', 0)",
      chunk.group,
      new Uint8Array(32),
    );
    await sql.run(
      "INSERT INTO repair (grp, hash, generation, disk, priority, reason, created_at) SELECT grp, hash, generation, 77, 1, 'corrupt', 0 FROM chunk WHERE hash = ?",
      Buffer.from(chunk.id, "hex"),
    );
  });
  await repair();
  expect(await cluster.rows("SELECT * FROM repair")).toEqual([]);
  expect(cluster.nodes.flatMap((node) => node.commands)).toEqual([]);
});

test("thousands of damaged copies cost orders and events by the group, not by the chunk", async () => {
  const many = await cluster.file(
    "many",
    Array.from({ length: 600 }, (_, index) => 1000 + index),
  );
  const groups = new Set<GroupId>(many.map((one) => one.group));
  const [node] = holders();
  for (const one of many) {
    const copy = node.copy(one.group, one.id);
    if (!copy) continue;
    copy.corrupt = true;
    await cluster.cluster.database.write((sql) =>
      sql.run(
        "INSERT INTO repair (grp, hash, generation, disk, priority, reason, created_at) SELECT grp, hash, generation, ?, 1, 'corrupt', 0 FROM chunk WHERE hash = ?",
        node.node.disk as DiskId,
        Buffer.from(one.id, "hex"),
      ),
    );
  }
  await cluster.pass(20_000);
  await cluster.expectWhole(many);
  expect((await cluster.events("chunks.repaired")).length).toBeLessThanOrEqual(groups.size);
  expect(node.commands.length).toBeLessThan(30);
});
