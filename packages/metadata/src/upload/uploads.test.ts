import { limits, type UploadId } from "@cairn/protocol";
import { expect, test } from "vitest";
import { condemn, condemnGraceMs } from "../commit/condemn.ts";
import type { WrittenChunk } from "../contracts.ts";
import { failureOf } from "../service/testing/test-cluster.ts";
import { audit } from "../sql/testing/audit.ts";
import { TestMetadata } from "../sql/testing/test-metadata.ts";

async function begin(metadata: TestMetadata, name = "big"): Promise<UploadId> {
  const upload = await metadata.uploads.create(metadata.commitId(), metadata.request(name, []).target);
  return upload.id;
}

function put(metadata: TestMetadata, upload: UploadId, part: number, chunks: readonly WrittenChunk[]) {
  return metadata.uploads.putPart({ commit: metadata.commitId(), lease: metadata.lease.id, upload, part, chunks });
}

function sizeOf(chunks: readonly { readonly length: number }[]): number {
  return chunks.reduce((sum, chunk) => sum + chunk.length, 0);
}

function run(metadata: TestMetadata, from: number, count: number): WrittenChunk[] {
  return Array.from({ length: count }, (_, index) => metadata.written(from + index));
}

test("parts become one file, without assembly, and with the etag that the content has any other way", async () => {
  await using metadata = await TestMetadata.open();
  const upload = await begin(metadata);
  const parts = [run(metadata, 0, 700), run(metadata, 700, 900), run(metadata, 1600, 1000)];
  for (const part of [2, 0, 1]) await put(metadata, upload, part, parts[part]!);
  const chunks = parts.flat();
  const { entry, changed } = await metadata.uploads.complete(metadata.commitId(), upload, sizeOf(chunks));
  expect(changed).toBe(true);
  expect(entry).toMatchObject({ name: "big", size: sizeOf(chunks), chunks: 2600 });
  let offset = 0;
  let read = 0;
  while (offset < entry.size) {
    const { page } = await metadata.planner.plan({ id: entry.id }, undefined, offset);
    expect(page).toMatchObject({ firstChunk: read, firstByte: offset });
    expect(page.entries.map((chunk) => chunk.id)).toEqual(
      chunks.slice(read, read + page.entries.length).map((chunk) => chunk.id),
    );
    read += page.entries.length;
    offset += sizeOf(page.entries);
  }
  expect(read).toBe(2600);
  const middle = await metadata.planner.plan({ id: entry.id }, undefined, sizeOf(chunks.slice(0, 1100)));
  expect(middle.page.firstChunk).toBe(1024);
  await audit(metadata.store.database);

  const other = await begin(metadata, "copy");
  await put(metadata, other, 0, chunks.slice(0, 1000));
  await put(metadata, other, 1, chunks.slice(1000, 2000));
  await put(metadata, other, 2, chunks.slice(2000));
  const copy = await metadata.uploads.complete(metadata.commitId(), other, sizeOf(chunks));
  expect(copy.entry.etag).toBe(entry.etag);
  await audit(metadata.store.database);
});

test("a small upload is the same as a commit of its chunks", async () => {
  await using metadata = await TestMetadata.open();
  const chunks = run(metadata, 0, 3);
  const { entry } = await metadata.commit(metadata.request("a", chunks));
  const upload = await begin(metadata, "a");
  await put(metadata, upload, 0, chunks);
  const result = await metadata.uploads.complete(metadata.commitId(), upload, sizeOf(chunks));
  expect(result).toEqual({ entry, changed: false });
  await metadata.reclaim();
  await audit(metadata.store.database);
  expect((await failureOf(metadata.uploads.list(upload, {}))).kind).toBe("not-found");
});

test("every step answers a repetition of its commit id with the first answer", async () => {
  await using metadata = await TestMetadata.open();
  const commit = metadata.commitId();
  const { target } = metadata.request("a", []);
  const upload = await metadata.uploads.create(commit, target);
  expect(await metadata.uploads.create(commit, target)).toEqual(upload);
  const part = {
    commit: metadata.commitId(),
    lease: metadata.lease.id,
    upload: upload.id,
    part: 0,
    chunks: run(metadata, 0, 2),
  };
  await metadata.uploads.putPart(part);
  await metadata.uploads.putPart(part);
  await audit(metadata.store.database);
  const finish = metadata.commitId();
  const size = sizeOf(part.chunks);
  const first = await metadata.uploads.complete(finish, upload.id, size);
  expect(JSON.stringify(await metadata.uploads.complete(finish, upload.id, size))).toBe(JSON.stringify(first));
  const late = metadata.uploads.complete(metadata.commitId(), upload.id, size);
  expect((await failureOf(late)).kind).toBe("not-found");
});

test("a part that is put again replaces the first and gives its references back", async () => {
  await using metadata = await TestMetadata.open();
  const upload = await begin(metadata);
  await put(metadata, upload, 0, run(metadata, 0, 5));
  await put(metadata, upload, 0, run(metadata, 3, 4));
  await audit(metadata.store.database);
  const { items } = await metadata.uploads.list(upload, {});
  expect(items.map((part) => part.chunks.map((chunk) => chunk.id))).toEqual([
    [3, 4, 5, 6].map((content) => metadata.chunkId(content)),
  ]);
});

test("the chunks of a part are as safe as those of a file: no collection takes them", async () => {
  await using metadata = await TestMetadata.open();
  const upload = await begin(metadata);
  const chunks = run(metadata, 0, 3);
  await put(metadata, upload, 0, chunks);
  await metadata.cluster.clock.advance(condemnGraceMs + 1);
  expect(await condemn(metadata.store, 10)).toEqual([]);
  const { entry } = await metadata.uploads.complete(metadata.commitId(), upload, sizeOf(chunks));
  expect(entry.chunks).toBe(3);
});

test("a part is checked like a commit: lease, receipts, chunks", async () => {
  await using metadata = await TestMetadata.open();
  const upload = await begin(metadata);
  const chunk = metadata.written(1);
  const request = { commit: metadata.commitId(), lease: metadata.lease.id, upload, part: 0, chunks: [chunk] };
  const known = { ...request, chunks: [metadata.known(chunk)] };
  expect((await failureOf(metadata.uploads.putPart(known))).kind).toBe("chunk-gone");
  const forged = { ...request, chunks: [{ ...chunk, length: chunk.length + 1 }] };
  expect((await failureOf(metadata.uploads.putPart(forged))).kind).toBe("unauthenticated");
  for (const part of [-1, 0.5, limits.uploadPartsMax]) {
    expect((await failureOf(metadata.uploads.putPart({ ...request, part }))).kind).toBe("invalid");
  }
  await metadata.cluster.core.leases.close(metadata.lease.id);
  expect((await failureOf(metadata.uploads.putPart(request))).kind).toBe("stale");
  expect((await metadata.uploads.list(upload, {})).items).toEqual([]);
  await audit(metadata.store.database);
});

test("an upload with a missing part or a wrong size does not become a file", async () => {
  await using metadata = await TestMetadata.open();
  const upload = await begin(metadata);
  const parts = [run(metadata, 0, 2), run(metadata, 2, 2), run(metadata, 4, 2)];
  await put(metadata, upload, 0, parts[0]!);
  await put(metadata, upload, 2, parts[2]!);
  const complete = (size: number) => metadata.uploads.complete(metadata.commitId(), upload, size);
  const missing = await failureOf(complete(sizeOf([...parts[0]!, ...parts[2]!])));
  expect(missing).toMatchObject({ kind: "conflict", details: { part: 1 } });
  await put(metadata, upload, 1, parts[1]!);
  expect((await failureOf(complete(sizeOf(parts.flat()) - 1))).kind).toBe("invalid");
  expect((await complete(sizeOf(parts.flat()))).entry.chunks).toBe(6);
  await audit(metadata.store.database);
});

test("a taken name is told before anything is sent, and again at the end", async () => {
  await using metadata = await TestMetadata.open();
  await metadata.file("taken", [1]);
  const target = { ...metadata.request("taken", []).target, onConflict: "fail" as const };
  expect((await failureOf(metadata.uploads.create(metadata.commitId(), target))).kind).toBe("conflict");
  const upload = await metadata.uploads.create(metadata.commitId(), { ...target, name: "free" });
  await metadata.file("free", [2]);
  expect((await failureOf(metadata.uploads.complete(metadata.commitId(), upload.id, 0))).kind).toBe("conflict");
});

test("giving up returns all references, in bounded steps, and may be repeated", async () => {
  await using metadata = await TestMetadata.open();
  const upload = await begin(metadata);
  for (let part = 0; part < 3; part++) await put(metadata, upload, part, run(metadata, part * 500, 900));
  await metadata.uploads.abort(upload);
  await metadata.uploads.abort(upload);
  expect((await failureOf(put(metadata, upload, 3, run(metadata, 0, 1)))).kind).toBe("not-found");
  await audit(metadata.store.database);
  expect(await metadata.reclaim()).toBeGreaterThanOrEqual(2);
  await audit(metadata.store.database);
  const left = await metadata.store.database.read((sql) =>
    sql.get<{ used: number }>("SELECT COUNT(*) AS used FROM chunk WHERE refs > 0"),
  );
  expect(left?.used).toBe(0);
});

test("an upload that nobody touched for a week is given up; a touched one is not", async () => {
  await using metadata = await TestMetadata.open();
  const idle = await begin(metadata, "idle");
  const used = await begin(metadata, "used");
  await metadata.cluster.clock.advance(limits.uploadIdleMs - 1000);
  await metadata.cluster.beatAll(metadata.nodes);
  await metadata.newLease();
  await put(metadata, used, 0, run(metadata, 0, 1));
  await metadata.cluster.clock.advance(2000);
  expect(await metadata.uploads.expire()).toBe(1);
  expect((await failureOf(metadata.uploads.list(idle, {}))).kind).toBe("not-found");
  expect((await metadata.uploads.list(used, {})).items).toHaveLength(1);
});

test("parts are listed in pages that end early when they hold many chunks", async () => {
  await using metadata = await TestMetadata.open();
  const upload = await begin(metadata);
  for (let part = 0; part < 6; part++) await put(metadata, upload, part, run(metadata, 0, 1000));
  const first = await metadata.uploads.list(upload, {});
  expect(first.items.map((part) => part.part)).toEqual([0, 1, 2, 3]);
  const second = await metadata.uploads.list(upload, { cursor: first.cursor, size: 1 });
  expect(second.items.map((part) => part.part)).toEqual([4]);
  const third = await metadata.uploads.list(upload, { cursor: second.cursor });
  expect(third.items.map((part) => part.part)).toEqual([5]);
  expect(third.cursor).toBeUndefined();
});

test("a part that comes while the upload is completed is either in the file or refused", async () => {
  await using metadata = await TestMetadata.open();
  const upload = await begin(metadata);
  await put(metadata, upload, 0, run(metadata, 0, 10));
  const size = sizeOf(run(metadata, 0, 10));
  const [completed, replaced] = await Promise.allSettled([
    metadata.uploads.complete(metadata.commitId(), upload, size),
    put(metadata, upload, 0, run(metadata, 50, 1)),
  ]);
  expect([completed.status, replaced.status].filter((status) => status === "fulfilled")).toHaveLength(1);
  await audit(metadata.store.database);
});
