import { generationOf, type InventoryPage, limits, StorageError } from "@cairn/protocol";
import { expect, test } from "vitest";
import type { WrittenChunk } from "../../contracts.ts";
import { audit } from "../../sql/testing/audit.ts";
import { addCopy, commandsOf, lose, membersOf } from "../testing/copies.ts";
import { TestStorage } from "../testing/test-storage.ts";

const day = 86_400_000;
const hour = 3_600_000;

const repairs = (storage: TestStorage) =>
  storage.rows("SELECT grp, disk, reason, priority FROM repair ORDER BY grp, disk");

test("left-overs of a closed lease go from every disk, and what versions need stays", async () => {
  await using storage = await TestStorage.open();
  const collection = storage.collection();
  const left = [await storage.write(1), await storage.write(2), await storage.write(3)];
  const { chunks } = await storage.file("a", [4, 5, 6, 7]);
  await storage.closeLease();
  await storage.beat();
  expect(await storage.run(collection)).toMatchObject({ orphansDeleted: 6, missingCopies: 0 });
  for (const chunk of left) expect(await storage.copiesOf(chunk)).toBe(0);
  for (const chunk of chunks) expect(await storage.copiesOf(chunk)).toBe(2);
  expect((await collection.status()).orphansDeleted).toBe(6);
  await storage.expectNothingLost();
});

test("what an open lease has written is kept for as long as the lease is open, with a sweep each minute", async () => {
  await using storage = await TestStorage.open();
  const { metadata } = storage;
  const { cluster, lease } = metadata;
  const collection = storage.collection();
  const chunk = await storage.write(1);
  for (let minute = 0; minute < 360; minute++) {
    for (let passed = 0; passed < 60_000; passed += limits.leaseRenewMs) {
      await storage.pass(limits.leaseRenewMs);
      await cluster.core.leases.renew(lease.id);
    }
    expect(await storage.run(collection)).toMatchObject({ orphansDeleted: 0 });
  }
  await metadata.commit(metadata.request("slow", [chunk]));
  await storage.closeLease();
  await storage.pass(60_000);
  await storage.run(collection);
  expect(await storage.copiesOf(chunk)).toBe(2);
  await storage.expectNothingLost();
});

test("a lease that has merely expired closes nothing", async () => {
  await using storage = await TestStorage.open();
  const collection = storage.collection();
  const expired = await storage.write(1);
  await storage.pass(hour);
  expect(await storage.run(collection)).toMatchObject({ orphansDeleted: 0 });
  expect(await storage.copiesOf(expired)).toBe(2);
  await storage.metadata.cluster.core.leases.closeExpired();
  expect(await storage.run(collection)).toMatchObject({ orphansDeleted: 2 });
  expect(await storage.copiesOf(expired)).toBe(0);
});

test("chunks of a lease that this database never gave show that it is older than its nodes: nothing is deleted any more", async () => {
  await using storage = await TestStorage.open();
  const { core } = storage.metadata.cluster;
  const collection = storage.collection();
  const ofAnotherTime = await storage.write(2, { generation: generationOf(4000 as never, 1) });
  await storage.pass(hour);
  expect(await storage.run(collection)).toMatchObject({ orphansDeleted: 0 });
  expect(core.noDelete.reason).toMatch(/holds chunks of write lease 4000/);
  expect(await collection.status()).toMatchObject({ state: "no-delete" });
  expect(await storage.rows("SELECT kind FROM event WHERE kind = 'database.older'")).toHaveLength(1);
  expect((await storage.metadata.newLease()).id).toBeGreaterThan(4000);
  const left = await storage.write(1);
  await storage.closeLease();
  await storage.pass(hour);
  await expect(storage.run(collection)).rejects.toMatchObject({ kind: "unavailable" });
  expect([await storage.copiesOf(ofAnotherTime), await storage.copiesOf(left)]).toEqual([2, 2]);
});

test("a chunk that is committed, and its lease closed, after the disk was listed is no left-over", async () => {
  await using storage = await TestStorage.open();
  const { metadata } = storage;
  const collection = storage.collection();
  const chunk = await storage.write(1);
  await storage.beat();
  let done = false;
  for (const node of storage.nodes) {
    node.after = async (page: InventoryPage) => {
      if (!done) {
        done = true;
        await metadata.commit(metadata.request("late", [chunk]));
        await storage.closeLease();
      }
      return page;
    };
  }
  expect(await storage.run(collection)).toMatchObject({ orphansDeleted: 0 });
  expect(done).toBe(true);
  expect(await storage.copiesOf(chunk)).toBe(2);
  await storage.expectNothingLost();
});

test("what is condemned goes its own way: the sweep leaves it to the delete that all members acknowledge", async () => {
  await using storage = await TestStorage.open();
  const collection = storage.collection();
  const { entry, chunks } = await storage.file("a", [1]);
  await storage.closeLease();
  await storage.remove(entry);
  await storage.pass(day + 1);
  const [first, second] = membersOf(storage, chunks[0]!);
  second!.before = async (command) => {
    if (command === "delete") throw new StorageError("unavailable", "send request", "no answer");
  };
  const run = await storage.run(collection);
  expect(run).toMatchObject({ condemnedChunks: 1, deletedChunks: 0, orphansDeleted: 0 });
  expect(first!.commands).toContain("delete");
});

test("a copy that lacks a chunk is repaired: the row says which disk, and a second run adds none", async () => {
  await using storage = await TestStorage.open();
  const collection = storage.collection();
  const { chunks } = await storage.file("a", [1, 4, 7, 10]);
  const [first] = membersOf(storage, chunks[0]!);
  await lose(first!, chunks[1]!);
  await storage.pass(60_000);
  expect(await storage.run(collection)).toMatchObject({ missingCopies: 1 });
  expect(await repairs(storage)).toEqual([
    { grp: chunks[1]!.group, disk: first!.node.disk, reason: "missing", priority: 0 },
  ]);
  expect(await storage.run(collection)).toMatchObject({ missingCopies: 0 });
  const events = await storage.metadata.cluster.core.events.after(0, { limit: 50 });
  expect(events.filter(({ kind }) => kind === "copies.missing")).toHaveLength(1);
  expect(await storage.rows("SELECT checked_digest FROM group_copy WHERE checked_digest IS NULL")).toHaveLength(1);
});

test("a chunk that nothing refers to any more is still missed while it is in its grace, and not once it is condemned", async () => {
  await using storage = await TestStorage.open();
  const collection = storage.collection();
  const { entry, chunks } = await storage.file("a", [1]);
  await storage.remove(entry);
  await lose(membersOf(storage, chunks[0]!)[0]!, chunks[0]!);
  await storage.pass(1000);
  expect(await storage.run(collection)).toMatchObject({ missingCopies: 1 });
  await storage.database.write((sql) => sql.run("DELETE FROM repair"));
  await storage.pass(day + 1);
  expect(await storage.run(collection)).toMatchObject({ condemnedChunks: 1, missingCopies: 0 });
});

test("a chunk that is written and committed while its disk is being listed is not missed", async () => {
  await using storage = await TestStorage.open();
  const { metadata } = storage;
  const collection = storage.collection();
  await storage.file("a", [1]);
  await storage.write(4);
  await storage.beat();
  let later: WrittenChunk | undefined;
  for (const node of storage.nodes) {
    node.after = async (page: InventoryPage) => {
      if (later) return page;
      later = await storage.write(7);
      await metadata.commit(metadata.request("later", [later]));
      return page;
    };
  }
  expect(await storage.run(collection)).toMatchObject({ missingCopies: 0, orphansDeleted: 0 });
  expect(later).toBeDefined();
  expect(await repairs(storage)).toEqual([]);
});

test("a chunk that is removed and collected between the listing and the second look is not repaired", async () => {
  await using storage = await TestStorage.open();
  const collection = storage.collection();
  const { chunks } = await storage.file("a", [1, 4]);
  const [first] = membersOf(storage, chunks[0]!);
  await lose(first!, chunks[0]!);
  await storage.beat();
  let pages = 0;
  first!.after = async (page) => {
    if (++pages === 2) await storage.database.write((sql) => sql.run("UPDATE chunk SET generation = generation + 99"));
    return page;
  };
  expect(await storage.run(collection)).toMatchObject({ missingCopies: 0 });
  expect(pages).toBeGreaterThan(1);
});

test("what a disk lacks is not repaired on it when it is no member any more by the second look", async () => {
  await using storage = await TestStorage.open();
  const collection = storage.collection();
  const { chunks } = await storage.file("a", [1, 4]);
  const members = membersOf(storage, chunks[0]!);
  const other = storage.nodes.find((node) => !members.includes(node))!;
  await lose(members[0]!, chunks[0]!);
  await storage.beat();
  let pages = 0;
  members[0]!.after = async (page) => {
    const [disk, left] = [other.node.disk, members[0]!.node.disk];
    if (++pages === 2) {
      await storage.database.write((sql) => sql.run("UPDATE grp_slot SET disk = ? WHERE disk = ?", disk, left));
    }
    return page;
  };
  expect(await storage.run(collection)).toMatchObject({ missingCopies: 0 });
  expect(await repairs(storage)).toEqual([]);
});

test("several writes of one chunk are told apart wherever the pages of the inventory end", async () => {
  for (const pageSize of [1, 2, 3, 4]) {
    await using storage = await TestStorage.open();
    const collection = storage.collection();
    for (const node of storage.nodes) node.pageSize = pageSize;
    const left = [await storage.write(1), await storage.write(1), await storage.write(4)];
    await storage.file("a", [1, 4, 7]);
    left.push(await storage.write(1), await storage.write(7));
    await storage.closeLease();
    await storage.beat();
    expect(await storage.run(collection)).toMatchObject({ orphansDeleted: 10, missingCopies: 0 });
    for (const chunk of left) expect(await storage.copiesOf(chunk)).toBe(0);
    await storage.expectNothingLost();
  }
});

test("an inventory that breaks off in the middle decides nothing", async () => {
  await using storage = await TestStorage.open();
  const collection = storage.collection();
  const left = await storage.write(100);
  const { chunks } = await storage.file("a", [1, 4, 7, 10, 13, 16, 19, 22]);
  await storage.closeLease();
  const members = membersOf(storage, chunks[0]!);
  await lose(members[0]!, chunks[0]!);
  await storage.beat();
  for (const node of storage.nodes) {
    node.before = async (command, cursor) => {
      if (command === "inventory" && cursor !== undefined) {
        throw new StorageError("unavailable", "send request", "the connection broke");
      }
    };
  }
  await storage.run(collection);
  expect(await repairs(storage)).toEqual([]);
  expect(await storage.copiesOf(left)).toBe(2);
  expect(storage.nodes.flatMap((node) => node.commands)).not.toContain("delete");
});

test.each([
  ["ends too early", (page: InventoryPage) => ({ ...page, cursor: undefined })],
  ["leaves records out", (page: InventoryPage) => ({ ...page, chunks: page.chunks.slice(1) })],
] as const)("from an inventory that %s nobody concludes that the rest is gone", async (_, mangle) => {
  await using storage = await TestStorage.open();
  const collection = storage.collection();
  const { chunks } = await storage.file("a", [1, 4, 7, 10, 13, 16, 19, 22]);
  await lose(membersOf(storage, chunks[0]!)[0]!, chunks[0]!);
  await storage.beat();
  for (const node of storage.nodes) node.after = async (page) => mangle(page);
  expect(await storage.run(collection)).toMatchObject({ missingCopies: 0 });
  expect(await repairs(storage)).toEqual([]);
  for (const node of storage.nodes) node.after = async (page) => page;
  expect(await storage.run(collection)).toMatchObject({ missingCopies: 1 });
});

test("an inventory whose pages are not in order is refused", async () => {
  await using storage = await TestStorage.open();
  const collection = storage.collection();
  const { chunks } = await storage.file("a", [1, 4, 7]);
  await lose(membersOf(storage, chunks[0]!)[0]!, chunks[0]!);
  await storage.beat();
  for (const node of storage.nodes) {
    node.after = async (page) => ({ ...page, chunks: [...page.chunks].reverse() });
  }
  expect(await storage.run(collection)).toMatchObject({ missingCopies: 0, orphansDeleted: 0 });
});

test("a disk that was wiped has all its chunks queued for repair, and nobody forgets a reference", async () => {
  await using storage = await TestStorage.open();
  const collection = storage.collection();
  const { chunks } = await storage.file("a", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  await storage.closeLease();
  const [wiped] = storage.nodes;
  await wiped!.wipe();
  await wiped!.node.restart();
  await storage.pass(60_000);
  const held = chunks.filter((chunk) => membersOf(storage, chunk).includes(wiped!)).length;
  expect(held).toBeGreaterThan(0);
  expect(await storage.run(collection)).toMatchObject({ missingCopies: held, orphansDeleted: 0 });
  expect(new Set((await repairs(storage)).map((row) => row["disk"]))).toEqual(new Set([wiped!.node.disk]));
  await audit(storage.database);
});

test("what a node has not told of is not taken for gone before it has told of everything", async () => {
  await using storage = await TestStorage.open();
  const collection = storage.collection();
  await storage.file("a", [1, 2, 3]);
  for (const node of storage.nodes) {
    await node.node.restart();
    await node.node.beat();
  }
  expect(await commandsOf(storage, () => storage.run(collection))).toEqual([]);
  expect(await repairs(storage)).toEqual([]);
});

test("a disk that comes back as it was long ago: deleted chunks stay deleted, missing ones are repaired", async () => {
  await using storage = await TestStorage.open();
  const { metadata } = storage;
  const collection = storage.collection();
  const old = await storage.file("old", [1, 4]);
  await storage.closeLease();
  await metadata.newLease();
  const fresh = await storage.file("new", [7]);
  await storage.closeLease();
  await storage.remove(old.entry);
  await storage.pass(day + 1);
  expect(await storage.run(collection)).toMatchObject({ deletedChunks: 2 });
  const [stale] = membersOf(storage, old.chunks[0]!);
  await stale!.wipe();
  for (const [index, content] of [1, 4].entries()) await addCopy(stale!, old.chunks[index]!, { content });
  await stale!.node.restart();
  await storage.pass(60_000);
  expect(await storage.run(collection)).toMatchObject({ orphansDeleted: 2, missingCopies: 1 });
  for (const chunk of old.chunks) expect(await storage.copiesOf(chunk)).toBe(0);
  expect(await repairs(storage)).toMatchObject([{ grp: fresh.chunks[0]!.group, disk: stale!.node.disk }]);
  expect(await storage.rows("SELECT refs FROM chunk")).toEqual([{ refs: 1 }]);
});
