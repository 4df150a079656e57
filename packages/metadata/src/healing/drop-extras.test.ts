import type { DiskId, GroupId } from "@cairn/protocol";
import { limits } from "@cairn/protocol";
import { beforeEach, expect, test } from "vitest";
import type { WrittenChunk } from "../contracts.ts";
import { failureOf } from "../service/testing/test-cluster.ts";
import { GroupMembership } from "./group-membership.ts";
import type { FakeNode } from "./testing/fake-node.ts";
import { TestHealing } from "./testing/test-healing.ts";

const never = new AbortController().signal;

let cluster: TestHealing;
let chunks: WrittenChunk[];
let group: GroupId;
/** Has the copy that may go. */
let old: FakeNode;
let members: FakeNode[];
beforeEach(async () => {
  cluster = await TestHealing.open();
  chunks = await cluster.file("film", [1, 2, 3, 4, 5, 6, 7, 8, 9]);
  const found = chunks.find((chunk) => cluster.nodesOf(chunk.group).includes("node-1" as never));
  group = found?.group ?? (0 as GroupId);
  old = cluster.node("node-1");
  await cluster.healing.setDuty(old.node.name, "draining");
  // Long enough for the moves, too short for readers to have heard of them.
  await cluster.pass(8000);
  members = cluster.nodes.filter((node) => node !== old);
  expect(cluster.nodesOf(group)).not.toContain("node-1");
  expect(await extras()).toContain(old.node.disk);
  return () => cluster[Symbol.asyncDispose]();
});

async function extras(): Promise<unknown[]> {
  return (await cluster.rows(`SELECT disk FROM extra_copy WHERE grp = ${group}`)).map((row) => row["disk"]);
}

/** Lets readers hear of the new members, and drops what may be dropped. */
async function drop(): Promise<void> {
  await cluster.sleep(limits.groupMapTtlMs);
  await cluster.healing.dropExtras(never);
}

function membership(): GroupMembership {
  return new GroupMembership({ ...cluster.cluster.core, clock: cluster.cluster.clock });
}

test("a copy is dropped when readers have heard of the members and all of these hold everything", async () => {
  await cluster.healing.dropExtras(never);
  expect(old.groups.has(group)).toBe(true);
  await drop();
  expect(old.groups.has(group)).toBe(false);
  expect(await extras()).toEqual([]);
  expect(await cluster.events("copies.dropped")).toHaveLength(1);
  await cluster.expectWhole(chunks);
});

test("a clock that was put back since the decision keeps no copy for long", async () => {
  await cluster.cluster.database.write((sql) => sql.run("UPDATE extra_copy SET decided_at = decided_at + 7200000"));
  await cluster.healing.dropExtras(never);
  expect(old.groups.has(group)).toBe(true);
  await drop();
  expect(old.groups.has(group)).toBe(false);
});

test("while a member cannot be reached the copy stays", async () => {
  const [member] = members;
  if (member) member.away = true;
  await cluster.sleep(40_000);
  await cluster.healing.dropExtras(never);
  expect(old.groups.has(group)).toBe(true);
  expect(await extras()).toEqual([old.node.disk]);
});

test("while the group has fewer copies than it is to have the copy stays", async () => {
  await cluster.cluster.database.write((sql) => sql.run("UPDATE grp SET copies = 3 WHERE id = ?", group));
  cluster.cluster.core.map.changeGroup(group, { copies: 3 });
  await drop();
  expect(old.groups.has(group)).toBe(true);
});

test("a copy is not dropped on the strength of fewer members than the group is to have, whoever looked before", async () => {
  const epoch = cluster.cluster.core.map.group(group)?.epoch ?? 0;
  await cluster.cluster.database.write((sql) => sql.run("UPDATE grp SET copies = 3 WHERE id = ?", group));
  const failure = await failureOf(membership().confirmDrop({ group, disk: old.node.disk }, epoch));
  expect(failure.message).toContain("it lacks copies");
});

test("what a member turns out to lack is repaired, from the copy that was to go if need be, before that goes", async () => {
  const [chunk] = chunks.filter((one) => one.group === group);
  for (const member of members) member.groups.get(group)?.delete(chunk?.id ?? ("" as never));
  await drop();
  expect(old.groups.has(group)).toBe(true);
  expect(await cluster.rows("SELECT reason FROM repair")).not.toEqual([]);
  await cluster.pass(90_000);
  await cluster.expectWhole(chunks);
  expect(old.groups.has(group)).toBe(false);
});

test("while any chunk of the group waits for repair the copy stays", async () => {
  const [chunk] = chunks.filter((one) => one.group === group);
  const [member] = members;
  if (member) {
    member.before = async (command) => {
      if (command !== "inventory") return;
      // A reader finds a bad copy while the members are being compared.
      const { core } = cluster.cluster;
      const reports = core.reports({ version: "0", listChunks: () => Promise.reject(new Error("no")) });
      await reports.reportBadCopies([
        { group, disk: member.node.disk, id: chunk?.id ?? ("" as never), what: "corrupt" },
      ]);
    };
  }
  await drop();
  expect(old.groups.has(group)).toBe(true);
});

test("a disk that is a member again keeps its copy, whatever was decided before", async () => {
  const [member] = members;
  const disk = member?.node.disk as DiskId;
  await cluster.cluster.database.write((sql) =>
    sql.run("INSERT INTO extra_copy (grp, disk, decided_at) VALUES (?, ?, 0)", group, disk),
  );
  const epoch = cluster.cluster.core.map.group(group)?.epoch ?? 0;
  expect((await failureOf(membership().confirmDrop({ group, disk }, epoch))).message).toContain("is a member");
  await drop();
  expect(member?.groups.has(group)).toBe(true);
  expect(await cluster.rows(`SELECT * FROM extra_copy WHERE disk = ${disk}`)).toEqual([]);
});

test("nothing is dropped on the word of a comparison that a change of members has overtaken", async () => {
  const epoch = cluster.cluster.core.map.group(group)?.epoch ?? 0;
  const copy = { group, disk: old.node.disk };
  expect((await failureOf(membership().confirmDrop(copy, epoch - 1))).message).toContain("members changed");
  await expect(membership().confirmDrop(copy, epoch)).resolves.toBeUndefined();
});

test("nothing is dropped without a decision that stands in the database", async () => {
  const epoch = cluster.cluster.core.map.group(group)?.epoch ?? 0;
  await cluster.cluster.database.write((sql) => sql.run("DELETE FROM extra_copy"));
  const failure = await failureOf(membership().confirmDrop({ group, disk: old.node.disk }, epoch));
  expect(failure.message).toContain("not to drop");
});

test("a disk does not join a group again while a command to drop its old copy may still arrive", async () => {
  const epoch = cluster.cluster.core.map.group(group)?.epoch ?? 0;
  const members_ = membership();
  await members_.confirmDrop({ group, disk: old.node.disk }, epoch);
  const from = cluster.cluster.core.map.group(group)?.slots[0]?.disk as DiskId;
  const order = { group, from, to: old.node.disk, reason: "rebalance", job: undefined, totalBytes: 0 } as const;
  expect((await failureOf(members_.begin(order))).message).toContain("drops its copy");
  await cluster.sleep(121_000);
  await expect(members_.begin(order)).resolves.toBeUndefined();
});

test.each([
  ["no-delete mode", async () => cluster.cluster.core.noDelete.set("restored")],
  ["the setting repair.paused", async () => void (await cluster.cluster.core.settings.change({ "repair.paused": 1 }))],
])("nothing is dropped under %s", async (_name, hold) => {
  await hold();
  await drop();
  expect(old.groups.has(group)).toBe(true);
});

test("a drop whose answer is lost is repeated until it is known to be done", async () => {
  let answers = 0;
  old.after = async (command, detail) => {
    if (command === "dropGroup" && (detail as { group: GroupId }).group === group && answers++ === 0)
      throw new Error("the answer is lost");
  };
  await drop();
  expect(await extras()).not.toEqual([]);
  await cluster.pass(40_000);
  expect(await extras()).toEqual([]);
});

test("two copies on one node are refused, whatever the plan says", async () => {
  const { core, database } = cluster.cluster;
  const [first] = core.map.group(group)?.slots ?? [];
  const second = core.map.group(group)?.slots[1];
  const node = core.map.disk(first?.disk ?? (0 as DiskId))?.node;
  const disk = 99 as DiskId;
  await database.write((sql) => sql.run("INSERT INTO disk VALUES (99, 'second', ?, 'ok', 1, 1, 0, 0)", node ?? ""));
  const order = { group, from: second?.disk, to: disk, reason: "rebalance", job: undefined, totalBytes: 0 } as const;
  expect((await failureOf(membership().begin(order))).message).toContain(`would be on ${node}`);
});
