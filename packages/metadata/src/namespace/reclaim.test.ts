import { expect, test } from "vitest";
import { failureOf } from "../service/testing/test-cluster.ts";
import { audit } from "../sql/testing/audit.ts";
import { TestMetadata } from "../sql/testing/test-metadata.ts";
import { reclaimStep } from "./removal.ts";

async function rowsOf(metadata: TestMetadata, table: string): Promise<number> {
  const row = await metadata.store.database.read((sql) =>
    sql.get<{ rows: number }>(`SELECT COUNT(*) AS rows FROM ${table}`),
  );
  return row?.rows ?? 0;
}

/** Only the rows of the root and of the trash, of unused chunks and of the log are left. */
async function expectNothingLeft(metadata: TestMetadata): Promise<void> {
  await audit(metadata.store.database);
  expect(await rowsOf(metadata, "entry")).toBe(2);
  for (const table of ["version", "manifest_page", "doomed", "detached", "upload", "upload_part"]) {
    expect(await rowsOf(metadata, table), table).toBe(0);
  }
  expect(await rowsOf(metadata, "chunk WHERE refs > 0")).toBe(0);
}

test("a small file that is removed is gone at once, with its versions and references", async () => {
  await using metadata = await TestMetadata.open();
  await metadata.file("f", [1, 2]);
  const { id } = await metadata.file("f", [2, 3]);
  await metadata.namespace.remove(metadata.commitId(), id);
  await expectNothingLeft(metadata);
  expect((await failureOf(metadata.namespace.stat({ id }))).kind).toBe("not-found");
  expect((await failureOf(metadata.planner.plan({ id }, undefined, 0))).kind).toBe("not-found");
});

test("a folder is removed in one step, and what it held is given back a thousand references a transaction", async () => {
  await using metadata = await TestMetadata.open();
  const folder = await metadata.folder("/a/b/c");
  const top = await metadata.namespace.stat({ drive: metadata.drive.id, path: "/a" });
  const contents = Array.from({ length: 900 }, (_, index) => index);
  await metadata.file("big", contents, { parent: folder.id });
  await metadata.file("big", [...contents, ...contents.slice(0, 100)], { parent: folder.id });
  await metadata.file("small", [5], { parent: top.id });
  const file = await metadata.namespace.stat({ drive: metadata.drive.id, path: "/a/b/c/big" });
  await metadata.namespace.remove(metadata.commitId(), top.id);
  for (const id of [top.id, folder.id, file.id]) {
    expect((await failureOf(metadata.namespace.stat({ id }))).kind).toBe("not-found");
    expect((await failureOf(metadata.namespace.remove(metadata.commitId(), id))).kind).toBe("not-found");
  }
  expect((await failureOf(metadata.namespace.list(folder.id, {}))).kind).toBe("not-found");
  const into = metadata.request("x", [], { parent: folder.id });
  expect((await failureOf(metadata.commit(into))).kind).toBe("not-found");
  expect((await metadata.namespace.list(metadata.root, {})).items).toEqual([]);
  await audit(metadata.store.database);
  let steps = 0;
  while (await reclaimStep(metadata.store)) {
    await audit(metadata.store.database);
    steps++;
  }
  expect(steps).toBeGreaterThanOrEqual(2);
  await expectNothingLeft(metadata);
});

test("a version with more than a thousand references is given back with a cursor that survives a restart", async () => {
  await using metadata = await TestMetadata.open();
  const upload = await metadata.uploads.create(metadata.commitId(), metadata.request("huge", []).target);
  const chunk = metadata.written(1);
  for (let part = 0; part < 3; part++) {
    const chunks = Array.from({ length: 1000 }, (_, index) =>
      part === 0 && index === 0 ? chunk : part === 0 ? metadata.written(index + 1) : metadata.known(chunk),
    );
    await metadata.uploads.putPart({
      commit: metadata.commitId(),
      lease: metadata.lease.id,
      upload: upload.id,
      part,
      chunks,
    });
  }
  const size = (await metadata.uploads.list(upload.id, {})).items.reduce((sum, part) => sum + part.size, 0);
  const { entry } = await metadata.uploads.complete(metadata.commitId(), upload.id, size);
  await audit(metadata.store.database);
  await metadata.namespace.remove(metadata.commitId(), entry.id);
  expect(await rowsOf(metadata, "doomed")).toBe(1);
  await audit(metadata.store.database);
  // A transaction that is cut off leaves cursor and references as they were.
  const cutOff = metadata.store.database.write(async (sql) => {
    await sql.run("DELETE FROM doomed");
    throw new Error("power cut");
  });
  await expect(cutOff).rejects.toThrow("power cut");
  expect(await metadata.reclaim()).toBeGreaterThanOrEqual(2);
  await expectNothingLeft(metadata);
});

test("very many small files are given back in bounded steps", async () => {
  await using metadata = await TestMetadata.open();
  const folder = await metadata.folder("/many");
  for (let batch = 0; batch < 12; batch++) {
    const requests = Array.from({ length: 100 }, (_, index) =>
      metadata.request(`f${batch}-${index}`, [metadata.written(batch)], { parent: folder.id }),
    );
    const outcomes = await metadata.commits.commit(requests);
    expect(outcomes.every((outcome) => outcome.ok)).toBe(true);
  }
  await metadata.namespace.remove(metadata.commitId(), folder.id);
  await audit(metadata.store.database);
  const left = await rowsOf(metadata, "version");
  expect(left).toBeGreaterThan(500);
  await metadata.reclaim();
  await expectNothingLeft(metadata);
});

test("emptying the trash removes what was trashed before the given time, however much it is", async () => {
  await using metadata = await TestMetadata.open();
  const { namespace, drive } = metadata;
  for (let index = 0; index < 600; index++) {
    const entry = await metadata.file(`f${index}`, [index % 10]);
    await namespace.trash(metadata.commitId(), entry.id);
  }
  const before = metadata.cluster.clock.now() + 1;
  await metadata.cluster.clock.advance(10);
  const kept = await metadata.file("kept", [1]);
  await namespace.trash(metadata.commitId(), kept.id);
  expect(await namespace.emptyTrash(metadata.commitId(), drive.id, before)).toBe(600);
  expect((await namespace.listTrash(drive.id, {})).items.map((entry) => entry.id)).toEqual([kept.id]);
  await audit(metadata.store.database);
  await metadata.reclaim();
  await audit(metadata.store.database);
  expect((await namespace.restore(metadata.commitId(), kept.id, "fail")).path).toBe("/kept");
});

test("a file below a removed folder is not found, although its row is still there", async () => {
  await using metadata = await TestMetadata.open();
  const folder = await metadata.folder("/a");
  const contents = Array.from({ length: 1024 }, (_, index) => index);
  await metadata.file("a", contents, { parent: folder.id });
  const last = await metadata.file("b", [1], { parent: folder.id });
  await metadata.namespace.remove(metadata.commitId(), folder.id);
  expect(await rowsOf(metadata, "entry WHERE kind = 0")).toBeGreaterThan(0);
  const into = metadata.request("x", [], { parent: last.id });
  expect((await failureOf(metadata.commit(into))).kind).toBe("not-found");
  expect((await failureOf(metadata.namespace.list(last.id, {}))).kind).toBe("not-found");
});
