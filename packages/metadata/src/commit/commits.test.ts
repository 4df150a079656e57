import { expect, test } from "vitest";
import { failureOf } from "../service/testing/test-cluster.ts";
import { audit } from "../sql/testing/audit.ts";
import { TestMetadata } from "../sql/testing/test-metadata.ts";
import { condemn, condemnGraceMs } from "./condemn.ts";
import { lookupChunks } from "./known-chunks.ts";

const hour = 3_600_000;

async function chunkRow(metadata: TestMetadata, content: number) {
  const hash = Uint8Array.from(Buffer.from(metadata.chunkId(content), "hex"));
  const row = await metadata.store.database.read((sql) =>
    sql.get<{ generation: number; grp: number; refs: number; state: number; zero_at: number | null }>(
      "SELECT generation, grp, refs, state, zero_at FROM chunk WHERE hash = ?",
      hash,
    ),
  );
  return row && { ...row };
}

/** Everything that could be condemned is. */
async function condemnAll(metadata: TestMetadata) {
  await metadata.cluster.clock.advance(condemnGraceMs + 1);
  const condemned = await condemn(metadata.store, 1000);
  await metadata.cluster.beatAll(metadata.nodes);
  return condemned;
}

test("a committed file is there, with its chunks counted and its version readable", async () => {
  await using metadata = await TestMetadata.open();
  const chunks = [metadata.written(1), metadata.written(2), metadata.written(1)];
  const result = await metadata.commit(
    metadata.request("report.pdf", chunks, { contentType: "application/pdf", modifiedAt: 12345 }),
  );
  expect(result.changed).toBe(true);
  expect(result.entry).toMatchObject({
    kind: "file",
    name: "report.pdf",
    path: "/report.pdf",
    parent: metadata.root,
    size: 8 + 15 + 8,
    chunks: 3,
    contentType: "application/pdf",
    modifiedAt: 12345,
    copies: 2,
    trashedAt: undefined,
  });
  expect(result.entry.etag).toMatch(/^sha256-[0-9a-f]{64}$/);
  const plan = await metadata.planner.plan({ drive: metadata.drive.id, path: "/report.pdf" }, undefined, 0);
  expect(plan.entry).toEqual(result.entry);
  expect(plan.page).toEqual({ firstChunk: 0, firstByte: 0, entries: chunks.map((chunk) => metadata.known(chunk)) });
  expect(new Set(plan.groups.map((group) => group.id))).toEqual(new Set(chunks.map((chunk) => chunk.group)));
  expect(await chunkRow(metadata, 1)).toMatchObject({ refs: 2, state: 0, zero_at: null });
  await audit(metadata.store.database);
});

test("an empty file has no chunks and can be read at byte 0 only", async () => {
  await using metadata = await TestMetadata.open();
  const entry = await metadata.file("empty", []);
  expect(entry).toMatchObject({ size: 0, chunks: 0 });
  const plan = await metadata.planner.plan({ id: entry.id }, undefined, 0);
  expect(plan).toMatchObject({ page: { entries: [] }, groups: [] });
  expect((await failureOf(metadata.planner.plan({ id: entry.id }, undefined, 1))).kind).toBe("range");
});

test("the same commit id gets the first answer again, and the effect is there once", async () => {
  await using metadata = await TestMetadata.open();
  const request = metadata.request("a", [metadata.written(1)], { onConflict: "rename" });
  const first = await metadata.commit(request);
  await metadata.namespace.move(metadata.commitId(), first.entry.id, { name: "b", onConflict: "fail" });
  await metadata.cluster.core.leases.close(metadata.lease.id);
  expect(JSON.stringify(await metadata.commit(request))).toBe(JSON.stringify(first));
  expect(await metadata.names(metadata.root)).toEqual(["b"]);
  expect(await chunkRow(metadata, 1)).toMatchObject({ refs: 1 });
  await audit(metadata.store.database);
});

test("a commit and its repetition in the same group have one effect and the same answer", async () => {
  await using metadata = await TestMetadata.open();
  const request = metadata.request("a", [metadata.written(1)], { onConflict: "rename" });
  const [first, second] = await metadata.commits.commit([request, request]);
  expect(JSON.stringify(second)).toBe(JSON.stringify(first));
  expect(await metadata.names(metadata.root)).toEqual(["a"]);
});

test("a commit id that named another operation is refused", async () => {
  await using metadata = await TestMetadata.open();
  const commit = metadata.commitId();
  await metadata.namespace.createFolder(commit, { drive: metadata.drive.id, path: "/f", parents: false });
  const request = metadata.request("a", [metadata.written(1)], { commit });
  expect((await failureOf(metadata.commit(request))).kind).toBe("conflict");
  expect(await metadata.names(metadata.root)).toEqual(["f/"]);
});

test("a closed lease commits nothing, neither as the request's own nor as the one a chunk was written under", async () => {
  await using metadata = await TestMetadata.open();
  const old = metadata.lease;
  const chunk = metadata.written(1);
  await metadata.newLease();
  const underNew = metadata.request("a", [chunk]);
  await metadata.cluster.core.leases.close(old.id);
  expect((await failureOf(metadata.commit(underNew))).kind).toBe("stale");
  expect((await failureOf(metadata.commit(metadata.request("a", [chunk], { lease: old })))).kind).toBe("stale");
  expect((await failureOf(metadata.commit(metadata.request("a", [], { lease: old })))).kind).toBe("stale");
  expect(await chunkRow(metadata, 1)).toBeUndefined();
});

test("chunks of a lease that is still open may be committed under a newer one", async () => {
  await using metadata = await TestMetadata.open();
  const chunk = metadata.written(1);
  await metadata.newLease();
  expect((await metadata.commit(metadata.request("a", [chunk]))).changed).toBe(true);
});

test("a live chunk wins over a second write of it, and the manifest names its group", async () => {
  await using metadata = await TestMetadata.open();
  const first = metadata.written(1, { group: 0 });
  const second = metadata.written(1, { group: 1 });
  expect(second.group).not.toBe(first.group);
  await metadata.commit(metadata.request("a", [first]));
  const { entry } = await metadata.commit(metadata.request("b", [second]));
  expect(await chunkRow(metadata, 1)).toMatchObject({
    generation: first.written.generation,
    grp: first.group,
    refs: 2,
  });
  const plan = await metadata.planner.plan({ id: entry.id }, undefined, 0);
  expect(plan.page.entries[0]?.group).toBe(first.group);
  await audit(metadata.store.database);
});

test("a known chunk gets a reference; one that was condemned meanwhile is chunk-gone, and all such are named", async () => {
  await using metadata = await TestMetadata.open();
  const kept = metadata.written(1);
  const lost = [metadata.written(2), metadata.written(3)];
  await metadata.commit(metadata.request("kept", [kept]));
  const gone = await metadata.commit(metadata.request("gone", lost));
  await metadata.namespace.remove(metadata.commitId(), gone.entry.id);
  await condemnAll(metadata);
  await metadata.newLease();
  const chunks = [kept, ...lost, metadata.written(4)].map((chunk) => metadata.known(chunk));
  const error = await failureOf(metadata.commit(metadata.request("again", chunks)));
  expect(error.kind).toBe("chunk-gone");
  expect(new Set(error.details["chunks"] as string[])).toEqual(
    new Set([2, 3, 4].map((content) => metadata.chunkId(content))),
  );
  expect(await chunkRow(metadata, 1)).toMatchObject({ refs: 1 });
  const alone = await failureOf(metadata.commit(metadata.request("again", [metadata.known(lost[0]!)])));
  expect(alone.kind).toBe("chunk-gone");
  expect((await metadata.commit(metadata.request("again", [metadata.known(kept)]))).changed).toBe(true);
  await audit(metadata.store.database);
});

test("a condemned chunk is replaced by a new write of it, in another generation and group", async () => {
  await using metadata = await TestMetadata.open();
  const first = metadata.written(1, { group: 0 });
  const { entry } = await metadata.commit(metadata.request("a", [first]));
  await metadata.namespace.remove(metadata.commitId(), entry.id);
  expect(await condemnAll(metadata)).toEqual([
    { id: first.id, generation: first.written.generation, group: first.group },
  ]);
  expect(await chunkRow(metadata, 1)).toMatchObject({ state: 1, refs: 0 });
  await metadata.newLease();
  const second = metadata.written(1, { group: 1 });
  await metadata.commit(metadata.request("b", [second]));
  expect(await chunkRow(metadata, 1)).toMatchObject({
    state: 0,
    refs: 1,
    zero_at: null,
    generation: second.written.generation,
    grp: second.group,
  });
  await audit(metadata.store.database);
});

test.each([1, 2])(
  "a condemned write never comes back, not even when its row is forgotten (%i chunks)",
  async (count) => {
    await using metadata = await TestMetadata.open();
    const lease = metadata.lease;
    const chunks = Array.from({ length: count }, (_, index) => metadata.written(index));
    const { entry } = await metadata.commit(metadata.request("a", chunks));
    await metadata.namespace.remove(metadata.commitId(), entry.id);
    for (let passed = 0; passed <= condemnGraceMs; passed += hour) {
      await metadata.cluster.clock.advance(hour);
      await metadata.cluster.core.leases.extendOpen();
    }
    await metadata.cluster.beatAll(metadata.nodes);
    expect(await condemn(metadata.store, 10)).toHaveLength(count);
    const again = metadata.request("b", chunks, { lease });
    expect((await failureOf(metadata.commit(again))).kind).toBe("chunk-gone");
    await metadata.store.database.write((sql) => sql.run("DELETE FROM chunk"));
    expect((await failureOf(metadata.commit({ ...again, commit: metadata.commitId() }))).kind).toBe("chunk-gone");
  },
);

test("receipts are judged: too few or forged ones commit nothing", async () => {
  await using metadata = await TestMetadata.open();
  const chunk = metadata.written(1);
  const [receipt] = chunk.written.receipts;
  const few = { ...chunk, written: { ...chunk.written, receipts: [receipt!] } };
  expect((await failureOf(metadata.commit(metadata.request("a", [few])))).kind).toBe("invalid");
  const forged = { ...chunk, length: chunk.length + 1 };
  expect((await failureOf(metadata.commit(metadata.request("a", [forged])))).kind).toBe("unauthenticated");
  expect(await metadata.names(metadata.root)).toEqual([]);
});

test("receipts of an older epoch leave a repair row for the chunk", async () => {
  const verdict = { stale: true };
  await using metadata = await TestMetadata.open({ receipts: { judge: async () => verdict } });
  const first = metadata.written(1, { group: 0 });
  await metadata.commit(metadata.request("a", [first]));
  await metadata.commit(metadata.request("b", [metadata.written(1, { group: 1 })]));
  const rows = await metadata.store.database.read((sql) =>
    sql.all("SELECT grp, generation, disk, priority, reason FROM repair"),
  );
  // The second write lost against the live one: whether its members have it does not matter.
  expect(rows.map((row) => ({ ...row }))).toEqual([
    { grp: first.group, generation: first.written.generation, disk: 0, priority: 2, reason: "stale" },
  ]);
});

test("sizes must add up, and a chunk has one length", async () => {
  await using metadata = await TestMetadata.open();
  const chunk = metadata.written(1);
  const short = { ...metadata.request("a", [chunk]), size: chunk.length + 1 };
  expect((await failureOf(metadata.commit(short))).kind).toBe("invalid");
  await metadata.commit(metadata.request("a", [chunk]));
  const longer = { ...metadata.known(chunk), length: chunk.length + 1 };
  expect((await failureOf(metadata.commit(metadata.request("b", [longer])))).kind).toBe("invalid");
  const both = [metadata.known(chunk), longer];
  expect((await failureOf(metadata.commit(metadata.request("b", both)))).kind).toBe("invalid");
  const two = [longer, metadata.written(2)];
  expect((await failureOf(metadata.commit(metadata.request("b", two)))).kind).toBe("invalid");
  for (const length of [0, -1, 1.5, 4_194_305]) {
    const wrong = { ...metadata.known(chunk), length };
    expect((await failureOf(metadata.commit({ ...metadata.request("b", [wrong]), size: length }))).kind).toBe(
      "invalid",
    );
  }
  await audit(metadata.store.database);
});

test("each commit of a group keeps its own outcome", async () => {
  await using metadata = await TestMetadata.open();
  const writesBefore = metadata.cluster.database.writes;
  const outcomes = await metadata.commits.commit([
    metadata.request("a", [metadata.written(1)]),
    metadata.request("bad/name", [metadata.written(2)]),
    metadata.request("c", [metadata.known(metadata.written(3)), metadata.written(4)]),
    metadata.request("d", [metadata.written(5), metadata.written(6)]),
  ]);
  const kinds = outcomes.map((outcome) => (outcome.ok ? "ok" : outcome.error.kind));
  expect(kinds).toEqual(["ok", "invalid", "chunk-gone", "ok"]);
  expect(await metadata.names(metadata.root)).toEqual(["a", "d"]);
  expect(metadata.cluster.database.writes - writesBefore).toBeLessThanOrEqual(2);
  await audit(metadata.store.database);
});

test("a commit that fails after its first write is undone alone", async () => {
  await using metadata = await TestMetadata.open();
  const chunk = metadata.written(1);
  await metadata.commit(metadata.request("z", [chunk]));
  const before = metadata.request("a", [metadata.written(2)]);
  // A single chunk's length is found out only when its reference has been taken.
  const wrong = metadata.request("b", [{ ...metadata.known(chunk), length: chunk.length + 1 }]);
  const after = metadata.request("c", [metadata.written(3)]);
  const outcomes = await metadata.commits.commit([before, wrong, after]);
  expect(outcomes.map((outcome) => (outcome.ok ? "ok" : outcome.error.kind))).toEqual(["ok", "invalid", "ok"]);
  expect(await chunkRow(metadata, 1)).toMatchObject({ refs: 1 });
  await audit(metadata.store.database);
});

test("a chunk that nothing refers to is offered by lookup and pinned by it", async () => {
  await using metadata = await TestMetadata.open();
  const chunk = metadata.written(1);
  const { entry } = await metadata.commit(metadata.request("a", [chunk]));
  await metadata.namespace.remove(metadata.commitId(), entry.id);
  await metadata.cluster.clock.advance(condemnGraceMs - 1000);
  const ids = [chunk.id, metadata.chunkId(99)];
  expect(await lookupChunks(metadata.store, metadata.drive.id, ids)).toEqual([{ id: chunk.id, group: chunk.group }]);
  await metadata.cluster.clock.advance(2000);
  expect(await condemn(metadata.store, 10)).toEqual([]);
  await condemnAll(metadata);
  expect(await lookupChunks(metadata.store, metadata.drive.id, ids)).toEqual([]);
});

test("a lost chunk is asked for again and revived by whoever sends it, even with content that is there already", async () => {
  await using metadata = await TestMetadata.open();
  const chunk = metadata.written(1, { group: 0 });
  await metadata.commit(metadata.request("a", [chunk]));
  await metadata.store.database.write((sql) => sql.run("UPDATE chunk SET state = 2"));
  expect(await lookupChunks(metadata.store, metadata.drive.id, [chunk.id])).toEqual([]);
  expect((await failureOf(metadata.commit(metadata.request("b", [metadata.known(chunk)])))).kind).toBe("chunk-gone");
  const second = metadata.written(1, { group: 1 });
  expect((await metadata.commit(metadata.request("a", [second]))).changed).toBe(false);
  expect(await chunkRow(metadata, 1)).toMatchObject({ state: 0, refs: 1, grp: second.group });
  await metadata.store.database.write((sql) => sql.run("UPDATE chunk SET state = 2"));
  const third = metadata.written(1, { group: 0 });
  await metadata.commit(metadata.request("c", [third]));
  expect(await chunkRow(metadata, 1)).toMatchObject({ state: 0, refs: 2, grp: third.group });
  await audit(metadata.store.database);
});

test("a chunk with a million references keeps them for ever", async () => {
  await using metadata = await TestMetadata.open();
  const chunk = metadata.written(1);
  const { entry } = await metadata.commit(metadata.request("a", [chunk]));
  await metadata.store.database.write((sql) => sql.run("UPDATE chunk SET refs = 999999"));
  const other = await metadata.commit(metadata.request("b", [metadata.known(chunk), metadata.known(chunk)]));
  expect(await chunkRow(metadata, 1)).toMatchObject({ refs: 1_000_000 });
  await metadata.namespace.remove(metadata.commitId(), other.entry.id);
  await metadata.namespace.remove(metadata.commitId(), entry.id);
  expect(await chunkRow(metadata, 1)).toMatchObject({ refs: 1_000_000, zero_at: null });
});

test("batches over the limits are refused whole", async () => {
  await using metadata = await TestMetadata.open();
  const request = metadata.request("a", []);
  const many = Array.from({ length: 129 }, () => request);
  expect((await failureOf(metadata.commits.commit(many))).kind).toBe("too-large");
  const chunk = metadata.known(metadata.written(1));
  const long = metadata.request(
    "a",
    Array.from({ length: 1025 }, () => chunk),
  );
  expect((await failureOf(metadata.commit(long))).kind).toBe("too-large");
  const ids = Array.from({ length: 257 }, () => chunk.id);
  expect((await failureOf(lookupChunks(metadata.store, metadata.drive.id, ids))).kind).toBe("too-large");
});
