import {
  type CollectionStatus,
  type DriveId,
  hashOfChunkId,
  type JobId,
  type NodeDuty,
  type NodeId,
  newId,
  type RepairStatus,
} from "@cairn/protocol";
import { beforeEach, expect, test } from "vitest";
import type { GroupRecord } from "../cluster/cluster-map.ts";
import { countGroupChunks } from "../cluster/group-usage.ts";
import { DriveTable } from "../namespace/drive-table.ts";
import { failureOf, TestCluster, type TestNode } from "../service/testing/test-cluster.ts";
import type { Machinery, WantedMove } from "./machinery.ts";
import { Operations } from "./operations.ts";

const nothingToRepair = {
  ...{ startsInMs: undefined, groupsWaiting: 0, groupsMoving: 0, chunksWaiting: 0, doneBytes: 0, totalBytes: 0 },
  ...{ bytesPerSecond: 0, etaMs: undefined, moves: [] },
};
const nothingToCollect: CollectionStatus = {
  ...{
    state: "idle",
    reason: "nothing is due",
    inGraceChunks: 0,
    inGraceBytes: 0,
    condemnedChunks: 0,
    orphansDeleted: 0,
  },
  ...{ deletedChunks: 0, deletedBytes: 0, lastRunAt: undefined, lastAuditAt: undefined },
};

/** Moves when told to `work`, in the map alone: what operations see of healing. */
class TestHealing {
  readonly duties = new Map<NodeId, NodeDuty>();
  readonly wanted: WantedMove[] = [];
  state: RepairStatus["state"] = "idle";
  readonly #cluster: TestCluster;
  constructor(cluster: TestCluster) {
    this.#cluster = cluster;
  }
  async repairStatus(): Promise<RepairStatus> {
    return { ...nothingToRepair, state: this.state, reason: `it is ${this.state}` };
  }
  duty(node: NodeId): NodeDuty {
    return this.duties.get(node) ?? "active";
  }
  async setDuty(node: NodeId, duty: NodeDuty): Promise<void> {
    this.duties.set(node, duty);
  }
  async startMove(move: WantedMove): Promise<boolean> {
    if (this.wanted.some(({ group }) => group === move.group)) return false;
    this.wanted.push(move);
    return true;
  }
  async cancelMoves(job: JobId): Promise<number> {
    const before = this.wanted.length;
    this.wanted.splice(0, before, ...this.wanted.filter((move) => move.job !== job));
    return before - this.wanted.length;
  }
  async setGroupCopies(id: GroupRecord["id"], copies: number): Promise<boolean> {
    const group = this.#cluster.core.map.group(id);
    if (!group) return false;
    const disks = [...this.#cluster.core.map.disks()].map(({ disk }) => disk);
    const more = disks.filter((disk) => !group.slots.some((slot) => slot.disk === disk));
    const slots = [...group.slots, ...more.map((disk, index) => ({ slot: 9 + index, disk, state: "ok" as const }))];
    this.#cluster.core.map.putGroup({ ...group, copies, slots: slots.slice(0, copies) });
    return true;
  }
  /** Moves one group off each draining node, and everything that was asked for. */
  work(): void {
    const { map } = this.#cluster.core;
    for (const { group: id, from, to } of this.wanted.splice(0)) this.#replace(id, from, to);
    for (const [node, duty] of this.duties) {
      if (duty !== "draining") continue;
      const disks = new Set(map.disksOf(node).map(({ disk }) => disk));
      const group = [...map.groups()].find(({ slots }) => slots.some(({ disk }) => disks.has(disk)));
      const from = group?.slots.find(({ disk }) => disks.has(disk))?.disk;
      const to = [...map.disks()].find(
        ({ disk }) => !disks.has(disk) && !group?.slots.some((slot) => slot.disk === disk),
      );
      if (group && from && to) this.#replace(group.id, from, to.disk);
    }
  }
  #replace(id: GroupRecord["id"], from: WantedMove["from"], to: WantedMove["to"]): void {
    const group = this.#cluster.core.map.group(id);
    if (!group) return;
    const slots = group.slots.map((slot) => (slot.disk === from ? { ...slot, disk: to } : slot));
    this.#cluster.core.map.putGroup({ ...group, epoch: group.epoch + 1, slots });
  }
}

let cluster: TestCluster;
let nodes: TestNode[];
let healing: TestHealing;
let operations: Operations;
const collected: number[] = [];
/** Buckets with rules that are due, and how far the walk over each is. */
const lifecycle = { due: async () => dueBuckets, round: async () => walk };
let dueBuckets: { id: DriveId; name: string }[];
let walk: { removed: number; message: string; done: boolean };

beforeEach(async () => {
  dueBuckets = [];
  walk = { removed: 2, message: "2 objects expired", done: false };
  cluster = await TestCluster.open();
  nodes = await cluster.addNodes(4);
  healing = new TestHealing(cluster);
  operations = open();
  const groups = await cluster.core.placement.writable(2);
  await cluster.database.write(async (sql) => {
    for (const [index, group] of groups.entries()) {
      const hash = hashOfChunkId((index + 1).toString(16).padStart(64, "0") as never);
      await sql.run(
        "INSERT INTO chunk (hash, generation, grp, length, refs, state) VALUES (?, 16777217, ?, 1000, 1, 0)",
        hash,
        group.id,
      );
      await countGroupChunks(sql, new Map([[group.id, { chunks: 1, bytes: 1000 }]]));
    }
  });
});

function open(): Operations {
  const { env, database, core } = cluster;
  const machinery: Machinery = {
    healing,
    collection: {
      status: async () => nothingToCollect,
      preview: async () => ({ classes: [] }),
      runNow: async () => {
        collected.push(1);
        return { deletedChunks: 7, deletedBytes: 7000 };
      },
    },
    scrub: { status: () => [], start: async () => 4 },
    compaction: { start: async () => 3 },
    lifecycle,
  };
  const reports = core.reports({ version: "0.1.0", listChunks: () => Promise.reject(new Error("unused")) });
  return new Operations({ env, database, core, reports, drives: new DriveTable(), machinery });
}

const never = new AbortController().signal;
async function round(what: Operations = operations): Promise<void> {
  const jobs = what.maintenance().filter(({ name }) => name === "run-jobs" || name === "run-whole-jobs");
  for (const job of jobs) await job.run(never);
}

async function kinds(): Promise<string[]> {
  return (await operations.events(0, { limit: 1000 })).map(({ kind }) => kind);
}

const first = (): NodeId => (nodes[0] as TestNode).name;

test("a drain is a job that ends when nothing is left on the node, and tells how far it is", async () => {
  const job = await operations.applyChange({ kind: "drain", node: first() });
  expect(job).toMatchObject({ kind: "drain", state: "running", subject: first(), doneItems: 0 });
  expect(healing.duty(first())).toBe("draining");
  const total = job?.totalItems ?? 0;
  expect(total).toBeGreaterThan(1);
  for (let moved = 0; moved < total; moved++) {
    await round();
    expect(await operations.job(job?.id as JobId)).toMatchObject({
      state: "running",
      doneItems: moved,
      totalItems: total,
    });
    healing.work();
  }
  await round();
  expect(await operations.job(job?.id as JobId)).toMatchObject({
    state: "done",
    doneItems: total,
    doneBytes: total * 1000,
  });
  expect(healing.duty(first())).toBe("draining");
  expect(await kinds()).toEqual(["node.draining", "job.started", "job.done"]);
});

test("a job goes on after a restart of the metadata server, from what it finds", async () => {
  const job = await operations.applyChange({ kind: "drain", node: first() });
  await round();
  const again = open();
  expect((await again.health()).jobs).toMatchObject([{ id: job?.id, state: "running" }]);
  healing.duties.clear();
  await round(again);
  expect(healing.duty(first())).toBe("draining");
  for (let moves = 0; moves < 20; moves++) healing.work();
  await round(again);
  expect(await again.job(job?.id as JobId)).toMatchObject({ state: "done" });
});

test("undrain and cancel end a drain in order; what was moved stays moved", async () => {
  for (const undo of ["undrain", "cancel"] as const) {
    const job = await operations.applyChange({ kind: "drain", node: first() });
    healing.work();
    if (undo === "cancel") await operations.cancelJob(job?.id as JobId);
    else expect(await operations.applyChange({ kind: "undrain", node: first() })).toBeUndefined();
    expect(await operations.job(job?.id as JobId)).toMatchObject({ state: "cancelled" });
    expect(healing.duty(first())).toBe("active");
    await round();
    expect(await operations.job(job?.id as JobId)).toMatchObject({ state: "cancelled" });
    expect((await failureOf(operations.cancelJob(job?.id as JobId))).kind).toBe("conflict");
  }
});

test("a removal drains first, takes over from a drain, and ends the node", async () => {
  const drain = await operations.applyChange({ kind: "drain", node: first() });
  expect((await failureOf(operations.applyChange({ kind: "drain", node: first() }))).kind).toBe("conflict");
  const removal = await operations.applyChange({ kind: "remove", node: first() });
  expect(await operations.job(drain?.id as JobId)).toMatchObject({ state: "cancelled" });
  await round();
  expect(healing.duty(first())).toBe("draining");
  for (let moves = 0; moves < 20; moves++) healing.work();
  await round();
  expect(await operations.job(removal?.id as JobId)).toMatchObject({ state: "done" });
  expect(healing.duty(first())).toBe("removed");
  expect((await failureOf(operations.applyChange({ kind: "remove", node: first() }))).details["refusals"]).toHaveLength(
    1,
  );
});

test("an order that would reduce safety is refused with the reasons, and nothing has changed", async () => {
  await cluster.advance(36_000, nodes.slice(0, 2));
  const failure = await failureOf(operations.applyChange({ kind: "drain", node: first() }));
  expect(failure.kind).toBe("conflict");
  expect(failure.details["refusals"]).toEqual([expect.stringContaining("Add a node first")]);
  expect(healing.duty(first())).toBe("active");
  expect((await operations.jobs(undefined, 10)).items).toEqual([]);
});

test("a job says what it waits for while repair is held", async () => {
  const job = await operations.applyChange({ kind: "drain", node: first() });
  healing.state = "storm-brake";
  await round();
  expect(await operations.job(job?.id as JobId)).toMatchObject({
    state: "running",
    message: "waiting: it is storm-brake",
  });
});

test("maintenance and its end are done at once and told", async () => {
  const change = { kind: "maintenance", node: first() } as const;
  expect(await operations.applyChange({ ...change, on: true, durationMs: 60_000 })).toBeUndefined();
  expect(healing.duty(first())).toBe("maintenance");
  expect(await operations.applyChange({ ...change, on: false })).toBeUndefined();
  expect(healing.duty(first())).toBe("active");
  expect(await kinds()).toEqual(["node.maintenance", "node.active"]);
});

test("a rebalance asks for its moves until every disk has its share", async () => {
  const map = cluster.core.map;
  const [a, b] = nodes as [TestNode, TestNode];
  for (const group of map.groups()) {
    const slots = [a, b].map((node, slot) => ({ slot, disk: node.disk, state: "ok" as const }));
    map.putGroup({ ...group, slots });
  }
  const job = await operations.applyChange({ kind: "rebalance" });
  await round();
  expect(healing.wanted.length).toBeGreaterThan(0);
  expect(healing.wanted.every((move) => move.job === job?.id)).toBe(true);
  for (let rounds = 0; rounds < 10; rounds++) {
    healing.work();
    await round();
  }
  expect(await operations.job(job?.id as JobId)).toMatchObject({ state: "done" });
  const copiesOn = (node: TestNode) =>
    [...map.groups()].filter(({ slots }) => slots.some(({ disk }) => disk === node.disk)).length;
  const counts = nodes.map(copiesOn);
  expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
});

test("cancelling a rebalance ends its moves", async () => {
  const map = cluster.core.map;
  const [a, b] = nodes as [TestNode, TestNode];
  for (const group of map.groups()) {
    map.putGroup({ ...group, slots: [a, b].map((node, slot) => ({ slot, disk: node.disk, state: "ok" as const })) });
  }
  const job = await operations.applyChange({ kind: "rebalance" });
  await round();
  await operations.cancelJob(job?.id as JobId);
  expect(healing.wanted).toEqual([]);
});

test("the copies of a drive change for new data at once and for old data in the background", async () => {
  const drive = cluster.drive as DriveId;
  const job = await operations.applyChange({ kind: "change-copies", drive, copies: 3 });
  const row = await cluster.database.read((sql) => sql.get("SELECT copies FROM drive"));
  expect(row).toEqual({ copies: 3 });
  await round();
  await round();
  expect(await operations.job(job?.id as JobId)).toMatchObject({ state: "done", message: "every group has 3 copies" });
  expect([...cluster.core.map.groups()].every(({ slots }) => slots.length === 3)).toBe(true);
});

test("a collection runs once and says what it deleted", async () => {
  const job = await operations.startCollection();
  expect((await failureOf(operations.startCollection())).kind).toBe("conflict");
  await round();
  await round();
  const message = "7 chunks were deleted; 3 nodes free what may go by now";
  expect(await operations.job(job.id)).toMatchObject({ state: "done", doneItems: 7, doneBytes: 7000, message });
  expect(collected.splice(0)).toEqual([1]);
});

test("no-delete mode ends when an operator says so, and the event tells why it was", async () => {
  const { core } = cluster;
  await core.noDelete.set("the database is older than its nodes");
  await operations.resumeCollection();
  expect(core.noDelete.reason).toBeUndefined();
  await operations.resumeCollection();
  const told = (await core.events.after(0, { limit: 1000 })).filter(({ kind }) => kind === "collection.resumed");
  expect(told.map(({ message }) => message)).toEqual([expect.stringContaining("older than its nodes")]);
});

test("a round that fails is told and tried again", async () => {
  const job = await operations.applyChange({ kind: "drain", node: first() });
  const { repairStatus } = healing;
  healing.repairStatus = () => Promise.reject(new Error("the wire broke"));
  await round();
  expect((await operations.job(job?.id as JobId)).message).toContain("the wire broke");
  healing.repairStatus = repairStatus;
  await round();
  expect((await operations.job(job?.id as JobId)).message).not.toContain("the wire broke");
});

test("jobs are listed newest first, page by page", async () => {
  for (const node of nodes.slice(0, 3)) {
    const job = await operations.applyChange({ kind: "drain", node: node.name });
    await operations.cancelJob(job?.id as JobId);
  }
  const page = await operations.jobs(undefined, 2);
  expect(page.items.map(({ id }) => id)).toEqual([3, 2]);
  const rest = await operations.jobs(page.cursor, 2);
  expect([rest.items.map(({ id }) => id), rest.cursor]).toEqual([[1], undefined]);
  expect((await failureOf(operations.job(99 as JobId))).kind).toBe("not-found");
});

test("events tell of nodes that fall silent and come back, and of nothing that was so before", async () => {
  const look = () =>
    operations
      .maintenance()
      .find(({ name }) => name === "tell-of-nodes")
      ?.run(never);
  await look();
  expect(await kinds()).toEqual([]);
  await cluster.advance(36_000, nodes.slice(1));
  await look();
  await cluster.beatAll(nodes);
  await look();
  await cluster.addNodes(1);
  await look();
  expect(await kinds()).toEqual(["node.down", "node.online", "node.joined"]);
});

test("it tells when the cluster will be full, from how the data grew in the last week", async () => {
  const note = () =>
    operations
      .maintenance()
      .find(({ name }) => name === "note-fill")
      ?.run(never);
  expect((await operations.health()).fullInDays).toBeUndefined();
  await note();
  await cluster.advance(3 * 86_400_000);
  await cluster.beatAll(nodes);
  await cluster.database.write((sql) =>
    sql.run("UPDATE usage SET bytes = bytes + 3000000 WHERE scope LIKE 'group:%' AND bytes > 0"),
  );
  const { fullInDays, freeBytes, status } = await operations.health();
  const growthPerDay = (status.chunkBytes - status.chunks * 1000) / 3;
  expect(fullInDays).toBeCloseTo(freeBytes / growthPerDay, 0);
});

test("rules of a bucket that are due become a job, one at a time, that ends when the walk is done", async () => {
  const begin = () =>
    operations
      .maintenance()
      .find(({ name }) => name === "begin-lifecycle")
      ?.run(never);
  await begin();
  expect((await operations.jobs(undefined)).items).toEqual([]);
  dueBuckets = [{ id: newId("dr_", 1, new Uint8Array(10)), name: "photos" }];
  await begin();
  await begin();
  await round();
  const [job, ...more] = (await operations.jobs(undefined)).items;
  expect(more).toEqual([]);
  expect([job?.kind, job?.subject, job?.state, job?.doneItems]).toEqual(["lifecycle", "photos", "running", 2]);
  walk = { removed: 5, message: "5 objects expired", done: true };
  await round();
  expect((await operations.jobs(undefined)).items[0]).toMatchObject({ state: "done", message: "5 objects expired" });
  expect((await kinds()).slice(-2)).toEqual(["job.started", "job.done"]);
});
