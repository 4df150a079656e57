import {
  type BadCopy,
  type ChunkId,
  type Entry,
  type EntryAddress,
  type Generation,
  type GroupId,
  hashOfChunkId,
  limits,
} from "@cairn/protocol";
import { beforeEach, expect, test } from "vitest";
import { failureOf, TestCluster, type TestNode } from "../service/testing/test-cluster.ts";
import type { ClusterReports } from "./cluster-reports.ts";
import { countGroupChunks } from "./group-usage.ts";

let cluster: TestCluster;
let nodes: TestNode[];
let group: GroupId;
let members: TestNode[];
let reports: ClusterReports;

beforeEach(async () => {
  cluster = await TestCluster.open();
  nodes = await cluster.addNodes(3);
  const record = (await cluster.core.placement.writable(2))[0];
  group = record?.id as GroupId;
  members = record?.slots.map((slot) => nodes.find((node) => node.disk === slot.disk)) as TestNode[];
  reports = open();
});

function open(): ClusterReports {
  return cluster.core.reports({
    version: "9.9.9",
    listChunks: async (_address: EntryAddress, offset: number) => ({
      entry: { path: "/a" } as Entry,
      chunks: [{ id: idOf(1), length: 100, group, index: 0, offset, generation: generation }],
    }),
  });
}

const generation = 16_777_217 as Generation;
const idOf = (number: number): ChunkId => number.toString(16).padStart(64, "0") as ChunkId;

/** Puts chunks as a commit does. */
async function store(count: number, length = 100): Promise<void> {
  await cluster.database.write(async (sql) => {
    for (let number = 1; number <= count; number++) {
      await sql.run(
        "INSERT INTO chunk (hash, generation, grp, length, refs, state) VALUES (?, ?, ?, ?, 1, 0)",
        hashOfChunkId(idOf(number)),
        generation,
        group,
        length,
      );
    }
    await countGroupChunks(sql, new Map([[group, { chunks: count, bytes: count * length }]]), 3);
    await countGroupChunks(sql, new Map([[group, { chunks: 0, bytes: 0 }]]), 4);
  });
}

test("a new cluster holds nothing and would survive one node", async () => {
  expect(await reports.status()).toMatchObject({
    cluster: cluster.keys.cluster,
    version: "9.9.9",
    startedAt: cluster.clock.now(),
    copies: 2,
    files: 0,
    logicalBytes: 0,
    chunks: 0,
    chunkBytes: 0,
    redundancy: { full: 0, reduced: 0, unreachable: 0, canLoseNodes: 1, waitingFor: [] },
  });
});

test("counters of all shards are summed, and chunks are no files", async () => {
  await store(3);
  await cluster.database.write((sql) =>
    sql.run(
      "UPDATE usage SET files = files + 2, folders = folders + 1, bytes = bytes + 50 WHERE scope < 'g' AND shard < 2",
    ),
  );
  expect(await reports.status()).toMatchObject({ files: 4, folders: 2, logicalBytes: 100, chunks: 3, chunkBytes: 300 });
});

test("the status is at most a second old, and health is never old", async () => {
  await reports.status();
  await store(3);
  expect((await reports.status()).chunks).toBe(0);
  await cluster.clock.advance(1000);
  expect((await reports.status()).redundancy).toMatchObject({ full: 3, canLoseNodes: 1 });
  await cluster.advance(
    12_000,
    nodes.filter((node) => node !== members[0]),
  );
  const { redundancy, nodes: statuses } = await reports.status();
  expect(redundancy).toMatchObject({ full: 0, reduced: 3, canLoseNodes: 0, waitingFor: [members[0]?.name] });
  expect(statuses.find((status) => status.node === members[0]?.name)).toMatchObject({
    health: "suspect",
    silentForMs: 13_000,
  });
});

test("when all copies are away the status says so and names both nodes", async () => {
  await store(3);
  await cluster.advance(
    36_000,
    nodes.filter((node) => !members.includes(node)),
  );
  expect((await reports.status()).redundancy).toEqual({
    full: 0,
    reduced: 0,
    unreachable: 3,
    canLoseNodes: -1,
    waitingFor: members.map((node) => node.name).sort(),
  });
});

test("nodes come in the order of their numbers, with their disks", async () => {
  await cluster.addNodes(8);
  const statuses = await reports.nodes();
  expect(statuses.map((status) => status.node)).toEqual(Array.from({ length: 11 }, (_, index) => `node-${index + 1}`));
  expect(statuses[0]?.disks).toEqual([{ disk: nodes[0]?.disk, uuid: nodes[0]?.uuid, ...nodes[0]?.report }]);
});

const badCopy = (number: number, node: TestNode, what: BadCopy["what"] = "corrupt"): BadCopy => ({
  id: idOf(number),
  group,
  disk: node.disk,
  what,
});

test("a bad copy is queued for repair once, shows in the placements and lowers the redundancy", async () => {
  await store(3);
  const [first] = members as [TestNode];
  await reports.reportBadCopies([badCopy(1, first), badCopy(1, first, "missing")]);
  await reports.reportBadCopies([badCopy(1, first, "missing")]);
  const rows = await cluster.database.read((sql) =>
    sql.all("SELECT grp, generation, disk, priority, reason FROM repair"),
  );
  expect(rows).toEqual([{ grp: group, generation, disk: first.disk, priority: 0, reason: "corrupt" }]);
  expect((await reports.status()).redundancy).toMatchObject({ full: 2, reduced: 1, canLoseNodes: 0 });
  const { chunks } = await reports.placements({ drive: cluster.drive, path: "/a" }, 0);
  expect(chunks[0]?.copies.map((copy) => copy.state).sort()).toEqual(["corrupt", "ok"]);
});

test("a chunk whose last copy is bad is unreachable", async () => {
  await store(1);
  await reports.reportBadCopies(members.map((node) => badCopy(1, node, "missing")));
  expect((await reports.status()).redundancy).toMatchObject({ full: 0, reduced: 0, unreachable: 1, canLoseNodes: -1 });
});

test("reports on chunks, groups or members that are not there leave nothing behind", async () => {
  await store(1);
  const outsider = nodes.find((node) => !members.includes(node)) as TestNode;
  const [first] = members as [TestNode];
  await reports.reportBadCopies([
    badCopy(1, outsider),
    badCopy(2, first),
    { ...badCopy(1, first), group: 9999 as GroupId },
  ]);
  expect(await cluster.database.read((sql) => sql.all("SELECT * FROM repair"))).toEqual([]);
});

test("too many reports at once are refused", async () => {
  const copies = Array.from({ length: limits.lookupHashesMax + 1 }, (_, index) =>
    badCopy(index, members[0] as TestNode),
  );
  expect((await failureOf(reports.reportBadCopies(copies))).kind).toBe("too-large");
});

test("a copy of a chunk that was written anew since is not the one that was reported", async () => {
  await store(1);
  await reports.reportBadCopies([badCopy(1, members[0] as TestNode)]);
  await cluster.database.write((sql) => sql.run("UPDATE chunk SET generation = generation + 1"));
  await cluster.clock.advance(1000);
  expect((await reports.status()).redundancy).toMatchObject({ full: 1, reduced: 0 });
});

test("placements tell the state of each copy from the health of its node", async () => {
  const [first, second] = members as [TestNode, TestNode];
  const states = async () => {
    const { chunks } = await reports.placements({ drive: cluster.drive, path: "/a" }, 0);
    return Object.fromEntries(chunks[0]?.copies.map((copy) => [copy.node, copy.state]) ?? []);
  };
  expect(await states()).toEqual({ [first.name]: "ok", [second.name]: "ok" });
  await cluster.advance(12_000, [first]);
  expect(await states()).toEqual({ [first.name]: "ok", [second.name]: "suspect" });
  await cluster.advance(24_000, [first]);
  expect(await states()).toEqual({ [first.name]: "ok", [second.name]: "down" });
});
