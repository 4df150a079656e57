import { StorageError } from "@cairn/protocol";
import { expect, test } from "vitest";
import { failureOf } from "../service/testing/test-cluster.ts";
import { audit } from "../sql/testing/audit.ts";
import { TestStorage } from "./testing/test-storage.ts";

const never = new AbortController().signal;
const day = 86_400_000;

test("what nobody needs any more is deleted from every node after its grace, and forgotten", async () => {
  await using storage = await TestStorage.open();
  const collection = storage.collection();
  const { entry, chunks } = await storage.file("a", [1, 2, 3]);
  const kept = await storage.file("b", [4]);
  await storage.closeLease();
  await storage.remove(entry);
  await storage.pass(day - 1);
  expect(await storage.run(collection)).toMatchObject({ condemnedChunks: 0, deletedChunks: 0 });
  expect(await collection.status()).toMatchObject({ state: "idle", inGraceChunks: 3, condemnedChunks: 0 });
  await storage.pass(2);
  const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  expect(await storage.run(collection)).toMatchObject({ condemnedChunks: 3, deletedChunks: 3, deletedBytes: bytes });
  for (const chunk of chunks) expect(await storage.copiesOf(chunk)).toBe(0);
  for (const chunk of kept.chunks) expect(await storage.copiesOf(chunk)).toBe(2);
  expect(await storage.rows("SELECT * FROM condemned")).toEqual([]);
  expect(await storage.rows("SELECT * FROM chunk")).toHaveLength(1);
  expect(await collection.status()).toMatchObject({ inGraceChunks: 0, deletedChunks: 3, deletedBytes: bytes });
  const [event] = await storage.metadata.cluster.core.events.after(0, { limit: 10 });
  expect(event).toMatchObject({ kind: "collection.run", details: { deletedChunks: 3 } });
  await storage.expectNothingLost();
  await audit(storage.database);
});

test("a write whose lease is open is deleted but not forgotten, so that it cannot be committed again", async () => {
  await using storage = await TestStorage.open();
  const { metadata } = storage;
  const collection = storage.collection();
  const { entry, chunks } = await storage.file("a", [1]);
  const [chunk] = chunks;
  await storage.remove(entry);
  await metadata.cluster.core.settings.change({ "collect.grace": 0 });
  await storage.pass(1000);
  expect(await storage.run(collection)).toMatchObject({ condemnedChunks: 1, deletedChunks: 0 });
  expect(await storage.copiesOf(chunk!)).toBe(0);
  expect((await failureOf(metadata.commit(metadata.request("again", [chunk!])))).kind).toBe("chunk-gone");
  const deletes = () => storage.nodes.flatMap((node) => node.commands).filter((command) => command === "delete").length;
  const sent = deletes();
  await storage.run(collection);
  expect(deletes()).toBe(sent);
  await storage.closeLease();
  expect(await storage.run(collection)).toMatchObject({ deletedChunks: 1 });
  expect(await storage.rows("SELECT * FROM condemned")).toEqual([]);
  expect((await failureOf(metadata.commit(metadata.request("again", [chunk!])))).kind).toBe("stale");
});

test("while a member is away its group waits, and the others are collected", async () => {
  await using storage = await TestStorage.open();
  const collection = storage.collection();
  const { entry, chunks } = await storage.file("a", [1, 2, 3]);
  await storage.closeLease();
  await storage.remove(entry);
  const away = storage.nodes[0]!;
  away.away = true;
  await storage.pass(day + 1);
  const run = await storage.run(collection);
  const onAway = chunks.filter((chunk) =>
    storage.metadata.cluster.core.map.group(chunk.group)?.slots.some((slot) => slot.disk === away.node.disk),
  );
  expect(onAway.length).toBeGreaterThan(0);
  expect(run).toMatchObject({ condemnedChunks: 3, deletedChunks: 3 - onAway.length });
  for (const chunk of onAway) expect(await storage.copiesOf(chunk)).toBe(2);
  away.away = false;
  await storage.pass(1000);
  expect(await storage.run(collection)).toMatchObject({ deletedChunks: onAway.length });
  for (const chunk of chunks) expect(await storage.copiesOf(chunk)).toBe(0);
});

test("a delete that one member did not take is not acknowledged and is sent again", async () => {
  await using storage = await TestStorage.open();
  const collection = storage.collection();
  const { entry, chunks } = await storage.file("a", [1]);
  await storage.closeLease();
  await storage.remove(entry);
  await storage.pass(day + 1);
  const disks = storage.metadata.cluster.core.map.group(chunks[0]!.group)!.slots.map((slot) => slot.disk);
  const deaf = storage.nodeOf(disks[1]!);
  deaf.before = async () => {
    throw new Error("the connection broke");
  };
  expect(await storage.run(collection)).toMatchObject({ condemnedChunks: 1, deletedChunks: 0 });
  expect(await storage.copiesOf(chunks[0]!)).toBe(1);
  expect(await storage.rows("SELECT acked_epoch FROM condemned")).toEqual([{ acked_epoch: null }]);
  deaf.before = async () => undefined;
  expect(await storage.run(collection)).toMatchObject({ deletedChunks: 1 });
  expect(await storage.copiesOf(chunks[0]!)).toBe(0);
});

test("a member that joined during the delete has acknowledged nothing: it is told too before anything is forgotten", async () => {
  await using storage = await TestStorage.open();
  const { cluster } = storage.metadata;
  const collection = storage.collection();
  const { entry, chunks } = await storage.file("a", [1]);
  const [chunk] = chunks;
  await storage.closeLease();
  await storage.remove(entry);
  await storage.pass(day + 1);
  const group = cluster.core.map.group(chunk!.group)!;
  const third = storage.nodes.find((node) => !group.slots.some((slot) => slot.disk === node.node.disk))!;
  const join = async () => {
    await cluster.database.write(async (sql) => {
      const slots = await sql.all("SELECT disk FROM grp_slot WHERE grp = ?", group.id);
      if (slots.length > 2) return;
      await sql.run(
        "INSERT INTO grp_slot (grp, slot, disk, state, epoch) VALUES (?, 9, ?, 1, 2)",
        group.id,
        third.node.disk,
      );
      await sql.run("UPDATE grp SET epoch = 2 WHERE id = ?", group.id);
    });
  };
  storage.nodeOf(group.slots[0]!.disk).before = join;
  expect(await storage.run(collection)).toMatchObject({ condemnedChunks: 1, deletedChunks: 0 });
  expect(await storage.rows("SELECT * FROM condemned")).toHaveLength(1);
  expect(await storage.run(collection)).toMatchObject({ deletedChunks: 1 });
  expect(third.commands).toContain("delete");
});

test.each([
  ["no-delete", async (storage: TestStorage) => storage.metadata.cluster.core.noDelete.set("restored today")],
  [
    "safe-mode",
    async (storage: TestStorage) => {
      storage.hold = { state: "safe-mode", reason: "half of the copies were reported" };
    },
  ],
] as const)("in %s nothing is condemned, nothing is deleted, and the status says why", async (state, begin) => {
  await using storage = await TestStorage.open();
  const collection = storage.collection();
  const { entry } = await storage.file("a", [1]);
  const other = await storage.file("b", [2]);
  await storage.closeLease();
  await storage.remove(entry);
  await storage.pass(day + 1);
  // One chunk is condemned already when it begins.
  for (const node of storage.nodes) node.away = true;
  await storage.pass(60_000);
  expect(await storage.run(collection)).toMatchObject({ condemnedChunks: 1, deletedChunks: 0 });
  for (const node of storage.nodes) node.away = false;
  await storage.remove(other.entry);
  await storage.pass(day + 1);
  await begin(storage);
  expect(await collection.status()).toMatchObject({ state, reason: expect.stringMatching(/restored today|half/) });
  expect((await failureOf(storage.run(collection))).kind).toBe("unavailable");
  await collection.jobs()[0]!.run(never);
  expect(storage.nodes.flatMap((node) => node.commands)).toEqual([]);
  expect(await storage.rows("SELECT * FROM condemned")).toHaveLength(1);
  storage.hold = undefined;
  await storage.metadata.cluster.core.noDelete.set(undefined);
  expect(await storage.run(collection)).toMatchObject({ condemnedChunks: 1, deletedChunks: 2 });
});

test("no-delete mode that begins during a run stops it before the next command", async () => {
  await using storage = await TestStorage.open();
  const collection = storage.collection();
  const { entry, chunks } = await storage.file("a", [1, 2, 3, 4, 5, 6]);
  await storage.closeLease();
  await storage.remove(entry);
  await storage.pass(day + 1);
  const groups = new Set(chunks.map((chunk) => chunk.group));
  expect(groups.size).toBe(3);
  for (const node of storage.nodes) {
    node.before = () => storage.metadata.cluster.core.noDelete.set("restored");
  }
  expect((await failureOf(storage.run(collection))).kind).toBe("unavailable");
  expect(storage.nodes.flatMap((node) => node.commands)).toEqual(["delete", "delete"]);
  expect(await storage.rows("SELECT * FROM condemned")).toHaveLength(6);
});

test("no-delete mode is asked before each group, also when nothing was acknowledged before", async () => {
  await using storage = await TestStorage.open();
  const { noDelete } = storage.metadata.cluster.core;
  const collection = storage.collection();
  const { entry, chunks } = await storage.file("a", [1, 2, 3]);
  await storage.closeLease();
  await storage.remove(entry);
  await storage.pass(day + 1);
  let asked = 0;
  for (const node of storage.nodes) {
    node.before = async () => {
      asked++;
      await noDelete.set("restored");
      throw new StorageError("unavailable", "send request", "no answer");
    };
  }
  expect((await failureOf(storage.run(collection))).kind).toBe("unavailable");
  expect(asked).toBe(2);
  for (const chunk of chunks) expect(await storage.copiesOf(chunk)).toBe(2);
});

test("a leader that was overtaken neither condemns nor forgets", async () => {
  await using storage = await TestStorage.open();
  const { cluster } = storage.metadata;
  const collection = storage.collection();
  const { entry, chunks } = await storage.file("a", [1]);
  await storage.closeLease();
  await storage.remove(entry);
  await storage.pass(day + 1);
  await cluster.start();
  expect((await failureOf(storage.run(collection))).kind).toBe("stale");
  expect(await storage.rows("SELECT state FROM chunk")).toEqual([{ state: 0 }]);
  expect(await storage.copiesOf(chunks[0]!)).toBe(2);
});

test("a wall clock that is set forward shortens no grace", async () => {
  await using storage = await TestStorage.open();
  const collection = storage.collection();
  const { entry } = await storage.file("a", [1]);
  await storage.remove(entry);
  storage.metadata.cluster.clock.jump(365 * day);
  expect(await storage.run(collection)).toMatchObject({ condemnedChunks: 0 });
});

test("the same bytes that come again while the old write is deleted are a new write and stay", async () => {
  await using storage = await TestStorage.open();
  const { metadata } = storage;
  const collection = storage.collection();
  const { entry, chunks } = await storage.file("a", [1]);
  await storage.closeLease();
  await storage.remove(entry);
  await storage.pass(day + 1);
  await metadata.newLease();
  const disks = metadata.cluster.core.map.group(chunks[0]!.group)!.slots.map((slot) => slot.disk);
  let again: Awaited<ReturnType<typeof storage.file>> | undefined;
  storage.nodeOf(disks[0]!).before = async () => {
    again ??= await storage.file("again", [1]);
  };
  expect(await storage.run(collection)).toMatchObject({ condemnedChunks: 1, deletedChunks: 1 });
  expect(await storage.copiesOf(chunks[0]!)).toBe(0);
  expect(await storage.copiesOf(again!.chunks[0]!)).toBe(2);
  await storage.expectNothingLost();
  await audit(storage.database);
});
