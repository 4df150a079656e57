import { idFromBytes } from "@cairn/protocol";
import { expect, test } from "vitest";
import { failureOf } from "../service/testing/test-cluster.ts";
import { TestMetadata } from "../sql/testing/test-metadata.ts";
import { listChunks } from "./chunk-list.ts";

test("one call tells a reader the entry, the chunks and where they are", async () => {
  await using metadata = await TestMetadata.open();
  const file = await metadata.file("f", [1, 2, 3]);
  for (const address of [
    { id: file.id },
    { drive: metadata.drive.id, path: "/f" },
    { drive: metadata.drive.id, idPrefix: file.id },
  ]) {
    const plan = await metadata.planner.plan(address, undefined, 5);
    expect(plan.entry).toEqual(file);
    expect(plan.page).toMatchObject({ firstChunk: 0, firstByte: 0 });
    expect(plan.page.entries.map((chunk) => chunk.id)).toEqual([1, 2, 3].map((content) => metadata.chunkId(content)));
    const groups = new Map(plan.groups.map((group) => [group.id, group]));
    for (const chunk of plan.page.entries) {
      expect(groups.get(chunk.group)?.members).toHaveLength(2);
      expect(groups.get(chunk.group)?.readToken).toBeTruthy();
    }
  }
});

test("what cannot be read says why: a folder, a foreign version, a byte behind the end", async () => {
  await using metadata = await TestMetadata.open();
  const folder = await metadata.folder("/d");
  const file = await metadata.file("f", [1]);
  const other = await metadata.file("g", [2]);
  const { planner } = metadata;
  expect((await failureOf(planner.plan({ id: folder.id }, undefined, 0))).kind).toBe("invalid");
  expect((await failureOf(planner.plan({ id: file.id }, other.version, 0))).kind).toBe("not-found");
  const unknown = idFromBytes("v_", new Uint8Array(16));
  expect((await failureOf(planner.plan({ id: file.id }, unknown, 0))).kind).toBe("not-found");
  for (const offset of [file.size, file.size + 1, -1, 0.5, Number.NaN]) {
    const error = await failureOf(planner.plan({ id: file.id }, undefined, offset));
    expect(error).toMatchObject({ kind: "range", details: { size: file.size } });
  }
});

test("a file in the trash can still be read by its id, and an old version as well", async () => {
  await using metadata = await TestMetadata.open();
  const old = await metadata.file("f", [1]);
  const file = await metadata.file("f", [2]);
  await metadata.namespace.trash(metadata.commitId(), file.id);
  const plan = await metadata.planner.plan({ id: file.id }, undefined, 0);
  expect(plan.page.entries.map((chunk) => chunk.id)).toEqual([metadata.chunkId(2)]);
  const before = await metadata.planner.plan({ id: file.id }, old.version, 0);
  expect(before.page.entries.map((chunk) => chunk.id)).toEqual([metadata.chunkId(1)]);
});

test("the chunks of a file are listed from a byte on, with the write that counts and the group that has it now", async () => {
  await using metadata = await TestMetadata.open();
  const chunks = Array.from({ length: 300 }, (_, content) => metadata.written(content));
  const { entry } = await metadata.commit(metadata.request("f", chunks));
  const offset = chunks.slice(0, 10).reduce((sum, chunk) => sum + chunk.length, 0);
  const listed = await listChunks(metadata.store, { id: entry.id }, offset + 1);
  expect(listed.entry).toEqual(entry);
  // 290 whole chunks and the one that the byte is in.
  expect(listed.chunks).toHaveLength(290);
  expect(listed.chunks[0]).toEqual({
    id: chunks[10]?.id,
    length: chunks[10]?.length,
    group: chunks[10]?.group,
    index: 10,
    offset,
    generation: chunks[10]?.written.generation,
  });
  await metadata.store.database.write((sql) => sql.run("UPDATE chunk SET state = 2"));
  const again = metadata.written(10, { group: 1 });
  await metadata.commit(metadata.request("g", [again]));
  const moved = await listChunks(metadata.store, { id: entry.id }, offset);
  expect(moved.chunks[0]).toMatchObject({ group: again.group, generation: again.written.generation });
});
