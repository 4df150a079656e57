import { hashOfChunkId } from "@cairn/protocol";
import { expect, test } from "vitest";
import { failureOf } from "../../service/testing/test-cluster.ts";
import { audit } from "../../sql/testing/audit.ts";
import { CollectionGate } from "../collection-gate.ts";
import { InterruptedDatabase } from "../testing/interrupted-database.ts";
import { TestStorage } from "../testing/test-storage.ts";
import { type AuditReport, ReferenceAudit } from "./reference-audit.ts";
import { rangesFor } from "./reference-count.ts";

const never = new AbortController().signal;

/** One audit that counts a few chunks at a time. */
function auditOf(storage: TestStorage, chunksAtOnce = 3): Promise<AuditReport> {
  const { store, cluster } = storage.metadata;
  const readiness = { hold: () => storage.hold };
  const nodes = () => {
    throw new Error("an audit commands no node");
  };
  const world = { env: cluster.env, store, core: cluster.core, nodes, readiness };
  return storage.settle(new ReferenceAudit(world, new CollectionGate(world), { chunksAtOnce }).run(never));
}

const refs = (storage: TestStorage) => storage.rows("SELECT refs FROM chunk ORDER BY hash");
const distort = (storage: TestStorage, sets: string, where = "1 = 1") =>
  storage.database.write((sql) => sql.run(`UPDATE chunk SET ${sets} WHERE ${where}`));

test("references of versions, long manifests, half-removed files and open uploads are all counted", async () => {
  await using storage = await TestStorage.open();
  const { metadata } = storage;
  await metadata.file("short", [1, 2, 2, 3]);
  await metadata.file("short", [3, 4]);
  const long = Array.from({ length: 300 }, (_, index) => 10 + (index % 120));
  await metadata.file("long", long);
  const removed = await metadata.file(
    "removed",
    Array.from({ length: 1024 }, (_, index) => 5 + (index % 900)),
  );
  const upload = await metadata.uploads.create(metadata.commitId(), metadata.request("u", []).target);
  const chunks = [1, 700, 701].map((content) => metadata.written(content));
  const part = { commit: metadata.commitId(), lease: metadata.lease.id, upload: upload.id, part: 0, chunks };
  await metadata.uploads.putPart(part);
  await metadata.namespace.remove(metadata.commitId(), removed.id);
  expect(await storage.rows("SELECT cursor FROM doomed")).toHaveLength(1);
  await audit(storage.database);
  const before = await refs(storage);
  expect(await auditOf(storage, 100)).toMatchObject({ raised: 0, lowered: 0, suspected: 0, lost: 0 });
  expect(await refs(storage)).toEqual(before);
  await metadata.reclaim();
  expect(await auditOf(storage, 100)).toMatchObject({ raised: 0, lowered: 0, suspected: 0, lost: 0 });
});

test("too few references are raised at once, and the group's counters follow", async () => {
  await using storage = await TestStorage.open();
  await storage.metadata.file("a", [1, 2, 3, 4, 5]);
  await storage.metadata.file("b", [1, 2]);
  await distort(storage, "refs = refs - 1", "refs = 2");
  expect(await auditOf(storage)).toMatchObject({ chunks: 5, raised: 2, suspected: 0, lost: 0 });
  await audit(storage.database);
  const [event] = (await storage.metadata.cluster.core.events.after(0, { limit: 10 })).slice(-1);
  expect(event).toMatchObject({ severity: "warning", kind: "audit.miscounted", details: { raised: 2 } });
});

test("a chunk that counts as unused and is needed is never collected after an audit", async () => {
  await using storage = await TestStorage.open();
  const { chunks } = await storage.file("a", [1]);
  await distort(storage, "refs = 0, zero_at = 5");
  await storage.database.write((sql) => sql.run("DELETE FROM usage WHERE scope LIKE 'group:%'"));
  expect(await auditOf(storage)).toMatchObject({ raised: 1 });
  await audit(storage.database);
  await storage.closeLease();
  await storage.pass(90_000_000);
  expect(await storage.run(storage.collection())).toMatchObject({ condemnedChunks: 0 });
  expect(await storage.copiesOf(chunks[0]!)).toBe(2);
});

test("too many references are lowered only by the second audit that finds the same", async () => {
  await using storage = await TestStorage.open();
  await storage.metadata.file("a", [1, 2, 3]);
  await distort(storage, "refs = refs + 2");
  expect(await auditOf(storage)).toMatchObject({ lowered: 0, suspected: 3 });
  expect(await refs(storage)).toEqual([{ refs: 3 }, { refs: 3 }, { refs: 3 }]);
  expect(await auditOf(storage)).toMatchObject({ lowered: 3, suspected: 0 });
  await audit(storage.database);
  expect(await storage.rows("SELECT * FROM audit_finding")).toEqual([]);
});

test("audits that find different numbers, or another write of the chunk, do not agree", async () => {
  await using storage = await TestStorage.open();
  await storage.metadata.file("a", [1]);
  await distort(storage, "refs = refs + 2");
  expect(await auditOf(storage)).toMatchObject({ suspected: 1 });
  await distort(storage, "refs = refs + 1");
  expect(await auditOf(storage)).toMatchObject({ lowered: 0, suspected: 1 });
  await distort(storage, "generation = generation + 1");
  expect(await auditOf(storage)).toMatchObject({ lowered: 0, suspected: 1 });
  expect(await auditOf(storage)).toMatchObject({ lowered: 1 });
  expect(await refs(storage)).toEqual([{ refs: 1 }]);
});

test("what is lowered to nothing is collected after its grace", async () => {
  await using storage = await TestStorage.open();
  const { entry } = await storage.file("a", [1]);
  await distort(storage, "refs = refs + 1");
  await storage.remove(entry);
  await auditOf(storage);
  await storage.pass(1000);
  expect(await auditOf(storage)).toMatchObject({ lowered: 1 });
  await audit(storage.database);
  await storage.closeLease();
  await storage.pass(86_400_001);
  expect(await storage.run(storage.collection())).toMatchObject({ deletedChunks: 1 });
});

test("a manifest that cannot be read ends the whole pass: nothing is changed, not even what was counted before", async () => {
  await using storage = await TestStorage.open();
  await storage.metadata.file("a", [1, 2, 3, 4, 5, 6, 7]);
  await distort(storage, "refs = 0, zero_at = 1");
  const broken: readonly [string, string][] = [
    ["UPDATE version SET manifest = substr(manifest, 1, 79)", "cut off"],
    ["UPDATE version SET manifest = substr(manifest, 1, 80)", "shorter than its row says"],
    ["UPDATE version SET manifest = NULL", "its pages are missing"],
  ];
  const [{ manifest }] = (await storage.rows("SELECT manifest FROM version")) as [{ manifest: Uint8Array }];
  for (const [damage, why] of broken) {
    await storage.database.write((sql) => sql.run(damage));
    expect((await failureOf(auditOf(storage))).kind, why).toBe("corrupt");
    expect(
      (await refs(storage)).every((row) => row["refs"] === 0),
      why,
    ).toBe(true);
    expect((await storage.collection().status()).lastAuditAt).toBeUndefined();
    await storage.database.write((sql) => sql.run("UPDATE version SET manifest = ?", manifest));
  }
  expect(await auditOf(storage)).toMatchObject({ raised: 7 });
});

test("commits and removals between any two looks of an audit change nothing about what is wrong", async () => {
  let interrupted = true;
  for (let step = 0; interrupted; step++) {
    let database: InterruptedDatabase | undefined;
    await using storage = await TestStorage.open({
      wrap: (inner) => {
        database = new InterruptedDatabase(inner);
        return database;
      },
    });
    const { metadata } = storage;
    const first = await metadata.file("first", [1, 2, 3, 4]);
    await metadata.file("second", [1, 2]);
    await distort(storage, "refs = refs + 1", "refs = 2");
    await distort(storage, "refs = refs + 5", "refs = 1");
    await distort(storage, "refs = 1", "refs = 3");
    interrupted = false;
    database!.interruption = async () => {
      interrupted = true;
      await metadata.file("third", [1, 3, 5]);
      await metadata.file("second", [6]);
      await metadata.namespace.remove(metadata.commitId(), first.id);
      await metadata.reclaim();
    };
    database!.reads = 0;
    database!.interruptAfter = step;
    expect(await auditOf(storage), `step ${step}`).toMatchObject({ raised: 2, suspected: 2, lost: 0 });
    expect(await auditOf(storage), `step ${step}`).toMatchObject({ raised: 0, lowered: 2, lost: 0 });
    await audit(storage.database);
  }
});

test("a chunk that is needed and was condemned is lost, told of, and lives again when it is written anew", async () => {
  await using storage = await TestStorage.open();
  const { metadata } = storage;
  const { chunks } = await storage.file("a", [1]);
  await distort(storage, "refs = 0, zero_at = 5");
  await storage.database.write((sql) => sql.run("DELETE FROM usage WHERE scope LIKE 'group:%'"));
  await storage.pass(1000);
  await metadata.cluster.core.settings.change({ "collect.grace": 0 });
  for (const node of storage.nodes) node.away = true;
  await storage.pass(60_000);
  expect(await storage.run(storage.collection())).toMatchObject({ condemnedChunks: 1, deletedChunks: 0 });
  await storage.closeLease();
  expect(await auditOf(storage)).toMatchObject({ raised: 1, lost: 1 });
  const events = await metadata.cluster.core.events.after(0, { limit: 10, severity: "error" });
  expect(events).toMatchObject([{ kind: "audit.miscounted", details: { lostChunks: [chunks[0]!.id] } }]);
  expect(await storage.rows("SELECT state, refs FROM chunk")).toEqual([{ state: 2, refs: 1 }]);
  expect(await storage.rows("SELECT * FROM condemned")).toEqual([]);
  for (const node of storage.nodes) node.away = false;
  await storage.pass(1000);
  await metadata.newLease();
  await storage.file("b", [1]);
  expect(await storage.rows("SELECT state, refs FROM chunk")).toEqual([{ state: 0, refs: 2 }]);
  await storage.expectNothingLost();
});

test("a chunk that manifests name and no row knows is told of as lost", async () => {
  await using storage = await TestStorage.open();
  const entry = await storage.metadata.file("a", [1, 2]);
  expect(entry.chunks).toBe(2);
  const id = storage.metadata.chunkId(1);
  await storage.database.write((sql) => sql.run("DELETE FROM chunk WHERE hash = ?", hashOfChunkId(id)));
  expect(await auditOf(storage)).toMatchObject({ raised: 0, lost: 1 });
  const events = await storage.metadata.cluster.core.events.after(0, { limit: 10, severity: "error" });
  expect(events).toMatchObject([{ details: { lostChunks: [id] } }]);
});

test("a chunk with so many references that nobody counts them keeps them", async () => {
  await using storage = await TestStorage.open();
  await storage.metadata.file("a", [1]);
  await distort(storage, "refs = 1000000");
  expect(await auditOf(storage)).toMatchObject({ suspected: 0 });
  expect(await auditOf(storage)).toMatchObject({ lowered: 0 });
  expect(await refs(storage)).toEqual([{ refs: 1_000_000 }]);
});

test("the job counts when its time has come, not in no-delete mode, and not twice", async () => {
  await using storage = await TestStorage.open();
  const collection = storage.collection();
  const job = collection.jobs().find(({ name }) => name === "audit")!;
  const look = () => storage.settle(job.run(never));
  await storage.metadata.file("a", [1]);
  await distort(storage, "refs = 0, zero_at = 1");
  await look();
  expect(await refs(storage)).toEqual([{ refs: 0 }]);
  await storage.pass(7 * 86_400_000);
  await storage.metadata.cluster.core.noDelete.set("restored");
  await look();
  expect(await refs(storage)).toEqual([{ refs: 0 }]);
  await storage.metadata.cluster.core.noDelete.set(undefined);
  await look();
  expect(await refs(storage)).toEqual([{ refs: 1 }]);
  expect((await collection.status()).lastAuditAt).toBe(storage.metadata.cluster.clock.now());
  await distort(storage, "refs = 0, zero_at = 1");
  await look();
  expect(await refs(storage)).toEqual([{ refs: 0 }]);
  // The clock was wrong when it was noted: nobody waits until it comes true.
  storage.metadata.cluster.clock.jump(-86_400_000);
  await look();
  expect(await refs(storage)).toEqual([{ refs: 1 }]);
});

test("ranges cover every hash once", () => {
  for (const chunks of [0, 1, 10, 1000, 70_000_000]) {
    const ranges = rangesFor(chunks, 7);
    expect(ranges[0]?.from).toBe(0);
    expect(ranges.at(-1)?.to).toBe(65_536);
    for (const [index, range] of ranges.entries()) expect(range.from).toBe(ranges[index - 1]?.to ?? 0);
  }
  expect(rangesFor(250_001)).toHaveLength(2);
});
