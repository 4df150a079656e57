import { type GroupId, type JobId, StorageError } from "@cairn/protocol";
import { beforeEach, expect, test } from "vitest";
import type { WrittenChunk } from "../../contracts.ts";
import { failureOf } from "../../service/testing/test-cluster.ts";
import type { FakeNode } from "../testing/fake-node.ts";
import { TestHealing } from "../testing/test-healing.ts";

let cluster: TestHealing;
let chunks: WrittenChunk[];
beforeEach(async () => {
  cluster = await TestHealing.open();
  chunks = await cluster.file("film", [1, 2, 3, 4, 5, 6, 7, 8, 9]);
  return () => cluster[Symbol.asyncDispose]();
});

/** Lets moves go on, and nothing else. */
async function move(rounds = 1): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    await cluster.cluster.clock.advance(1000);
    await cluster.healing.moveGroups();
    await cluster.settle();
  }
}

function drain(name: string): Promise<void> {
  return cluster.healing.setDuty(cluster.node(name).node.name, "draining");
}

/** The one group that leaves node-1 for node-3, with a chunk in it. */
function leavingGroup(): GroupId {
  const found = chunks.find(({ group }) => cluster.nodesOf(group).join(" ") === "node-1 node-2");
  if (!found) throw new Error("no group is on node-1 and node-2");
  return found.group;
}

/** Holds every command to copy, and lets it go on at once or never. */
function holdCopies(node: FakeNode): () => void {
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  node.before = (command) => (command === "copyIn" ? held : Promise.resolve());
  return release;
}

test("a draining node gives its groups away, stays readable until the new copies are complete, and gets none", async () => {
  const release = holdCopies(cluster.node("node-3"));
  const group = leavingGroup();
  await drain("node-1");
  await move(2);
  const [first, second, third] = ["node-1", "node-2", "node-3"].map((name) => cluster.node(name).node.disk);
  expect(cluster.slots(group)).toEqual({
    [first as number]: "leaving",
    [second as number]: "ok",
    [third as number]: "joining",
  });
  const members = cluster.cluster.core.views.members(cluster.cluster.core.map.group(group) ?? failNow());
  expect(members.map((member) => member.disk)).toEqual([first, second]);
  await cluster.expectMapTrue();
  release();
  await cluster.pass(20_000);
  await cluster.expectWhole(chunks);
  for (const { group: id } of chunks) expect(cluster.nodesOf(id)).not.toContain("node-1");
  expect(await cluster.events("group.moved")).not.toEqual([]);
});

test("every change of members raises the epoch and seals the group", async () => {
  const group = leavingGroup();
  const record = () => cluster.cluster.core.map.group(group);
  expect(record()).toMatchObject({ epoch: 1, state: "writable" });
  await drain("node-1");
  await move();
  expect(record()).toMatchObject({ epoch: 3, state: "sealed" });
  await cluster.expectMapTrue();
});

test("a copy that the new disk lost after it got it is found before the disks change places", async () => {
  const target = cluster.node("node-3");
  const group = leavingGroup();
  let lost = 0;
  target.before = async (command) => {
    const copies = target.groups.get(group);
    const [first] = copies?.keys() ?? [];
    if (command !== "inventory" || !first || lost++ > 0) return;
    copies?.delete(first);
    expect(cluster.slots(group)[target.node.disk]).toBe("joining");
  };
  await drain("node-1");
  await move(3);
  expect(lost).toBeGreaterThan(1);
  await cluster.expectWhole(chunks.filter((chunk) => chunk.group === group));
});

test("a chunk that is committed after the comparison keeps the disks from changing places until the new one has it", async () => {
  const target = cluster.node("node-3");
  const group = leavingGroup();
  const late = cluster.write(100, { group: indexOf(group) });
  const { database } = cluster.cluster;
  target.before = async (command, detail) => {
    if (command !== "inventory" || (detail as { group: GroupId }).group !== group || database.readsHeld) return;
    // What the comparison reads is read before the commit and handed over after it.
    database.readsHeld = new Promise((resolve) => {
      setImmediate(() => void cluster.commit("late", [late]).then(() => resolve()));
    });
  };
  await drain("node-1");
  await move(4);
  expect(await cluster.rows("SELECT reason FROM repair")).toEqual([{ reason: "stale" }]);
  expect(cluster.slots(group)[target.node.disk]).toBe("joining");
  await cluster.pass(5000);
  await cluster.expectWhole([...chunks, late].filter((chunk) => chunk.group === group));
});

test("a group whose members changed since its new copy was compared is not changed on the strength of it", async () => {
  const target = cluster.node("node-3");
  const group = leavingGroup();
  target.before = async (command) => {
    if (command !== "inventory") return;
    await cluster.cluster.database.write((sql) => sql.run("UPDATE grp SET epoch = epoch + 1 WHERE id = ?", group));
  };
  await drain("node-1");
  await move(3);
  expect(cluster.slots(group)[target.node.disk]).toBe("joining");
});

test("a leader that was overtaken changes nothing, although its copy is complete", async () => {
  const target = cluster.node("node-3");
  const group = leavingGroup();
  target.before = async (command) => {
    if (command !== "inventory") return;
    await cluster.cluster.database.write((sql) => sql.run("UPDATE job_lease SET epoch = epoch + 1"));
  };
  await drain("node-1");
  await cluster.healing.moveGroups().catch(() => undefined);
  await cluster.settle();
  const rows = await cluster.rows(`SELECT state FROM grp_slot WHERE grp = ${group} ORDER BY slot`);
  expect(rows).toEqual([{ state: 2 }, { state: 0 }, { state: 1 }]);
  expect((await failureOf(cluster.healing.setDuty(target.node.name, "active"))).kind).toBe("stale");
});

test("a node that comes back ends the moves that were begun for its sake, and the partial copies go", async () => {
  const release = holdCopies(cluster.node("node-3"));
  const group = leavingGroup();
  cluster.node("node-1").away = true;
  await cluster.pass(310_000);
  expect(Object.values(cluster.slots(group)).sort()).toEqual(["joining", "leaving", "ok"]);
  cluster.node("node-1").away = false;
  await cluster.beat();
  await move();
  release();
  await cluster.pass(60_000);
  expect(cluster.nodesOf(group)).toEqual(["node-1", "node-2"]);
  expect(await cluster.events("group.move-abandoned")).not.toEqual([]);
  expect(cluster.node("node-3").groups.has(group)).toBe(false);
  await cluster.expectWhole(chunks);
});

test("a move goes on after a restart from where it was, and sends nothing twice", async () => {
  const many = await cluster.file(
    "many",
    Array.from({ length: 600 }, (_, index) => 1000 + index),
  );
  const target = cluster.node("node-3");
  const sent = new Map<string, number>();
  let orders = 0;
  target.before = async (command, detail) => {
    if (command !== "copyIn") return;
    if (++orders > 1) throw new StorageError("unavailable", "send request", "cut");
    for (const { id } of (detail as { chunks: { id: string }[] }).chunks) sent.set(id, 1);
  };
  await drain("node-1");
  await move();
  expect(orders).toBeGreaterThan(1);
  const bytes = async () => (await cluster.rows("SELECT SUM(done_bytes) AS done FROM group_move"))[0]?.["done"];
  await cluster.restart();
  target.before = async () => undefined;
  expect(await bytes()).toBe(0);
  await cluster.pass(20_000);
  await cluster.expectWhole([...chunks, ...many]);
  expect(await cluster.rows("SELECT * FROM group_move")).toEqual([]);
});

test("what nobody can give is queued and does not hold up the rest", async () => {
  const group = leavingGroup();
  const [first] = chunks.filter((chunk) => chunk.group === group);
  const rotten = cluster.node("node-2").copy(group, first?.id ?? failNow());
  if (rotten) rotten.corrupt = true;
  cluster.node("node-1").away = true;
  await cluster.pass(330_000);
  expect(cluster.nodesOf(group)).toEqual(["node-2", "node-3"]);
  const rows = await cluster.rows("SELECT disk, reason FROM repair ORDER BY disk");
  expect(rows).toEqual([
    { disk: cluster.node("node-2").node.disk, reason: "corrupt" },
    { disk: cluster.node("node-3").node.disk, reason: "missing" },
  ]);
  // The old copy is the last one: it is neither given up nor dropped.
  expect(await cluster.events("chunk.lost")).toEqual([]);
  cluster.node("node-1").away = false;
  await cluster.pass(120_000);
  await cluster.expectWhole(chunks);
  expect(cluster.node("node-1").groups.has(group)).toBe(false);
});

test("a disk that turns out to be full is left, and another one gets the copy", async () => {
  const fourth = await cluster.addNode();
  const group = leavingGroup();
  const full = new Set<string>();
  for (const node of [cluster.node("node-3"), fourth]) {
    node.before = async (command, detail) => {
      if (command !== "copyIn" || (detail as { group: GroupId }).group !== group) return;
      if (full.size === 0) full.add(node.node.name);
      if (full.has(node.node.name)) throw new StorageError("no-space", "copy chunks", "the disk is full");
    };
  }
  await drain("node-1");
  await cluster.pass(60_000);
  expect(full.size).toBe(1);
  expect(cluster.nodesOf(group)).toContain("node-2");
  expect(cluster.nodesOf(group).some((name) => full.has(name))).toBe(false);
  await cluster.expectWhole(chunks);
});

test("nothing is repaired while the node is in maintenance, and all of it when its time is over", async () => {
  const away = cluster.node("node-1");
  await cluster.healing.setDuty(away.node.name, "maintenance", cluster.cluster.clock.now() + 3_600_000);
  away.away = true;
  await cluster.pass(900_000);
  expect(await cluster.rows("SELECT * FROM group_move")).toEqual([]);
  expect(cluster.nodesOf(leavingGroup())).toContain("node-1");
  await cluster.sleep(2_800_000);
  await cluster.cluster.core.duties.endMaintenance();
  await cluster.pass(10_000);
  await cluster.expectWhole(chunks);
  expect(await cluster.events("node.maintenance-over")).toHaveLength(1);
}, 30_000);

test("a disk that has failed is replaced at once", async () => {
  const failing = cluster.node("node-1");
  failing.node.report = { ...failing.node.report, state: "failed" };
  await cluster.pass(10_000);
  for (const { group } of chunks) expect(cluster.nodesOf(group)).not.toContain("node-1");
});

test("a rebalancing move is made once, belongs to its job, and ends with it", async () => {
  const release = holdCopies(cluster.node("node-3"));
  const group = leavingGroup();
  const job = 7 as JobId;
  const order = { group, from: cluster.node("node-1").node.disk, to: cluster.node("node-3").node.disk, job };
  expect(await cluster.healing.startMove(order)).toBe(true);
  expect(await cluster.healing.startMove(order)).toBe(false);
  expect((await cluster.healing.repairStatus()).moves).toMatchObject([{ group, reason: "rebalance", job }]);
  release();
  const cancelled = cluster.healing.cancelMoves(job);
  expect(await cancelled).toBe(1);
  expect(Object.values(cluster.slots(group))).toEqual(["ok", "ok"]);
  expect(await cluster.healing.startMove({ ...order, to: cluster.node("node-2").node.disk })).toBe(false);
});

test.each([
  ["repair.paused", async () => void (await cluster.cluster.core.settings.change({ "repair.paused": 1 }))],
  [
    "safe mode",
    async () => {
      await cluster.cluster.core.settings.change({ "safe-mode.time": 3_600_000 });
      cluster.node("node-1").away = true;
      await cluster.restart();
    },
  ],
  [
    "the storm brake",
    async () => {
      for (const name of ["node-1", "node-2"]) cluster.node(name).away = true;
      await cluster.sleep(30_000);
    },
  ],
])("nothing moves under %s", async (_name, hold) => {
  cluster.node("node-3").away = false;
  await hold();
  await cluster.cluster.core.settings.change({ "repair.delay": 0, "repair.delay-single": 0 });
  await cluster.pass(120_000);
  expect(await cluster.rows("SELECT * FROM group_move")).toEqual([]);
  expect(cluster.nodes.flatMap((node) => node.commands)).toEqual([]);
  expect(["paused", "safe-mode", "storm-brake"]).toContain((await cluster.healing.repairStatus()).state);
});

test("copies of groups can be raised and lowered; lowering keeps what holds everything", async () => {
  const group = leavingGroup();
  expect(await cluster.healing.setGroupCopies(group, 3)).toBe(true);
  await cluster.pass(10_000);
  expect(cluster.nodesOf(group)).toEqual(["node-1", "node-2", "node-3"]);
  await cluster.expectWhole(chunks);
  const [first] = chunks.filter((chunk) => chunk.group === group);
  for (const { groups } of cluster.nodes.slice(0, 2)) groups.get(group)?.delete(first?.id ?? failNow());
  // Whichever two would stay: one of them lacks a chunk.
  expect(await cluster.healing.setGroupCopies(group, 2)).toBe(false);
  expect(await cluster.rows("SELECT reason FROM repair")).not.toEqual([]);
  expect(await cluster.healing.setGroupCopies(group, 2)).toBe(false);
  await cluster.pass(5000);
  expect(await cluster.healing.setGroupCopies(group, 2)).toBe(true);
  await cluster.pass(60_000);
  expect(Object.values(cluster.slots(group))).toEqual(["ok", "ok"]);
  await cluster.expectWhole(chunks);
});

function indexOf(group: GroupId): number {
  return cluster.metadata.lease.groups.findIndex((one) => one.id === group);
}

function failNow(): never {
  throw new Error("it is not there");
}
