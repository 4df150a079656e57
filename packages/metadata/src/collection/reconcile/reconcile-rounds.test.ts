import type { GroupId } from "@cairn/protocol";
import { expect, test } from "vitest";
import { failureOf } from "../../service/testing/test-cluster.ts";
import { addCopy, commandsOf, lose, membersOf } from "../testing/copies.ts";
import { TestStorage } from "../testing/test-storage.ts";

const hour = 3_600_000;

test("copies whose digest is that of the table cost their nodes nothing, and keep their check over a restart", async () => {
  await using storage = await TestStorage.open();
  await storage.file("a", [1, 2, 3, 4, 5]);
  await storage.beat();
  expect(await commandsOf(storage, () => storage.run(storage.collection()))).toEqual([]);
  const checks = await storage.rows("SELECT grp, disk, checked_digest, checked_at FROM group_copy");
  expect(checks).toHaveLength(6);
  for (const check of checks) {
    const { grp, disk } = check as { grp: GroupId; disk: number };
    const digest = storage
      .nodeOf(disk)
      .engine.digests()
      .find((one) => one.group === grp)?.digest;
    expect(check["checked_digest"]).toBe(digest ?? "0".repeat(16));
  }
  await storage.metadata.cluster.start();
  await storage.beat();
  const before = storage.metadata.cluster.database.writes;
  expect(await commandsOf(storage, () => storage.run(storage.collection()))).toEqual([]);
  expect(storage.metadata.cluster.database.writes - before).toBeLessThanOrEqual(2);
});

test("a copy that changes loses its check at once, so that its old state does not look whole later", async () => {
  await using storage = await TestStorage.open();
  const collection = storage.collection();
  const first = await storage.file("a", [1]);
  await storage.beat();
  await storage.run(collection);
  const second = await storage.file("b", [4]);
  await storage.beat();
  await storage.settle(collection.jobs()[1]!.run(new AbortController().signal));
  expect(await storage.rows("SELECT disk FROM group_copy WHERE checked_digest IS NULL")).toHaveLength(2);
  const [back] = membersOf(storage, first.chunks[0]!);
  await lose(back!, second.chunks[0]!);
  await storage.beat();
  expect(await storage.run(collection)).toMatchObject({ missingCopies: 1 });
});

test("in no-delete mode left-overs are kept", async () => {
  await using storage = await TestStorage.open();
  const { core } = storage.metadata.cluster;
  const collection = storage.collection();
  const left = await storage.write(1);
  await storage.closeLease();
  await storage.pass(hour);
  await core.noDelete.set("restored from a backup");
  expect((await failureOf(storage.run(collection))).kind).toBe("unavailable");
  await storage.settle(collection.jobs()[1]!.run(new AbortController().signal));
  expect(await storage.copiesOf(left)).toBe(2);
  await core.noDelete.set(undefined);
  for (const node of storage.nodes)
    node.before = async (command) => {
      if (command === "inventory") await core.noDelete.set("restored meanwhile");
    };
  await storage.run(collection);
  expect(await storage.copiesOf(left)).toBe(2);
});

test("the job compares a group when it is quiet, at most once in its time, and at once when a member came back", async () => {
  await using storage = await TestStorage.open();
  const { cluster } = storage.metadata;
  const collection = storage.collection();
  const job = collection.jobs()[1]!;
  const look = () => commandsOf(storage, () => storage.settle(job.run(new AbortController().signal)));
  const left = await storage.write(1);
  await storage.pass(5000);
  expect(await look()).toEqual([]);
  await storage.pass(60_000);
  expect((await look()).length).toBeGreaterThan(0);
  await cluster.core.leases.closeExpired();
  await storage.pass(60_000);
  expect(await look()).toEqual([]);
  expect(await storage.copiesOf(left)).toBe(2);
  await membersOf(storage, left)[0]!.node.restart();
  await storage.pass(1000);
  expect((await look()).filter((command) => command === "delete")).toHaveLength(2);
  expect(await storage.copiesOf(left)).toBe(0);
});

test("a group with left-overs of an open lease is looked at again until they could be decided", async () => {
  await using storage = await TestStorage.open();
  const collection = storage.collection();
  const job = collection.jobs()[1]!;
  const left = await storage.write(1);
  await storage.file("a", [4]);
  await storage.pass(60_000);
  await storage.settle(job.run(new AbortController().signal));
  expect(await storage.copiesOf(left)).toBe(2);
  await storage.closeLease();
  await storage.pass(hour);
  await storage.settle(job.run(new AbortController().signal));
  expect(await storage.copiesOf(left)).toBe(0);
});

test("members that differ are compared although each is what it was when it was checked", async () => {
  await using storage = await TestStorage.open();
  const { chunks } = await storage.file("a", [1, 4]);
  const [first] = membersOf(storage, chunks[0]!);
  await lose(first!, chunks[0]!);
  for (const node of storage.nodes) {
    for (const { group, disk, digest } of node.engine.digests()) {
      await storage.database.write((sql) =>
        sql.run(
          "INSERT INTO group_copy (grp, disk, checked_digest, checked_at) VALUES (?, ?, ?, 1)",
          group,
          disk,
          digest,
        ),
      );
    }
  }
  await storage.beat();
  expect(await storage.run(storage.collection())).toMatchObject({ missingCopies: 1 });
});

test("a copy on a disk that is no member becomes extra only while all members are whole and nothing is under way", async () => {
  await using storage = await TestStorage.open();
  const collection = storage.collection();
  const { chunks } = await storage.file("a", [1]);
  const [chunk] = chunks;
  const members = membersOf(storage, chunk!);
  const stranger = storage.nodes.find((node) => !members.includes(node))!;
  await addCopy(stranger, chunk!, { content: 1 });
  const extras = () => storage.rows("SELECT grp, disk FROM extra_copy");
  const sql = (text: string, ...values: number[]) => storage.database.write((tx) => tx.run(text, ...values));
  await lose(members[0]!, chunk!);
  await storage.pass(60_000);
  await storage.run(collection);
  expect(await extras(), "a member lacks a chunk").toEqual([]);
  await members[0]!.wipe();
  await addCopy(members[0]!, chunk!, { content: 1 });
  await storage.beat();
  await storage.run(collection);
  expect(await extras(), "a repair is queued").toEqual([]);
  await sql("DELETE FROM repair");
  await sql(
    `INSERT INTO group_move (grp, from_disk, to_disk, reason, state, done_bytes, total_bytes, started_at)
     VALUES (?, 0, ?, 'lost', 0, 0, 0, 0)`,
    chunk!.group,
    stranger.node.disk,
  );
  await storage.run(collection);
  expect(await extras(), "a move is under way").toEqual([]);
  await sql("DELETE FROM group_move");
  await sql("UPDATE grp SET copies = 3 WHERE id = ?", chunk!.group);
  await storage.run(collection);
  expect(await extras(), "a copy is lacking").toEqual([]);
  await sql("UPDATE grp SET copies = 2 WHERE id = ?", chunk!.group);
  await sql("UPDATE grp_slot SET state = 2 WHERE grp = ? AND disk = ?", chunk!.group, members[0]!.node.disk);
  await storage.run(collection);
  expect(await extras(), "a member is about to leave").toEqual([]);
  await sql("UPDATE grp_slot SET state = 0 WHERE grp = ?", chunk!.group);
  await members[0]!.node.restart();
  await members[0]!.node.beat();
  await storage.run(collection);
  expect(await extras(), "a member has not told of itself").toEqual([]);
  await storage.beat();
  await storage.run(collection);
  expect(await extras()).toEqual([{ grp: chunk!.group, disk: stranger.node.disk }]);
  await storage.run(collection);
  const events = await storage.metadata.cluster.core.events.after(0, { limit: 50 });
  expect(events.filter(({ kind }) => kind === "copy.extra")).toHaveLength(1);
  expect(await storage.copiesOf(chunk!)).toBe(3);
});

test("a copy of a group that the cluster does not know is kept and told of once", async () => {
  await using storage = await TestStorage.open();
  const collection = storage.collection();
  const { chunks } = await storage.file("a", [1]);
  await addCopy(storage.nodes[0]!, chunks[0]!, { content: 1, group: 4711 as GroupId });
  await storage.closeLease();
  await storage.pass(hour);
  await storage.run(collection);
  await storage.run(collection);
  expect(await storage.rows("SELECT * FROM extra_copy")).toEqual([]);
  const held = await storage.nodes[0]!.engine.inventory(4711 as GroupId, undefined, 10);
  expect(held.chunks).toHaveLength(1);
  const events = await storage.metadata.cluster.core.events.after(0, { limit: 50 });
  expect(events.filter(({ kind }) => kind === "copy.unknown-group")).toHaveLength(1);
  expect((await collection.status()).reason).toContain("not know");
});
