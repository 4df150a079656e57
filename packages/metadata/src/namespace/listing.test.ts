import { compareBytes, type Entry, utf8 } from "@cairn/protocol";
import fc from "fast-check";
import { expect, test } from "vitest";
import { failureOf } from "../service/testing/test-cluster.ts";
import { TestMetadata } from "../sql/testing/test-metadata.ts";

test("children come in byte order, page by page, and a page with a cursor is never empty", async () => {
  await using metadata = await TestMetadata.open();
  const alphabet = fc.constantFrom("a", "b", "-", ".", "0", "%", "_", "ö", "\uffff", "😀", "'", "\\");
  const names = fc.uniqueArray(fc.tuple(fc.string({ unit: alphabet, minLength: 1, maxLength: 4 }), fc.boolean()), {
    maxLength: 25,
    size: "max",
    selector: ([name]) => name,
  });
  let round = 0;
  await fc.assert(
    fc.asyncProperty(names, fc.integer({ min: 1, max: 7 }), async (children, size) => {
      fc.pre(children.every(([name]) => name !== "." && name !== ".."));
      const folder = await metadata.folder(`/round-${round++}`);
      for (const [name, isFolder] of children) {
        if (isFolder) await metadata.folder(`${folder.path}/${name}`);
        else await metadata.file(name, [], { parent: folder.id });
      }
      const expected = children
        .map(([name, isFolder]) => utf8(isFolder ? `${name}/` : name))
        .sort(compareBytes)
        .map((bytes) => Buffer.from(bytes).toString());
      const listed: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await metadata.namespace.list(folder.id, { size, cursor });
        expect(page.items.length).toBeLessThanOrEqual(size);
        if (cursor !== undefined) expect(page.items.length).toBeGreaterThan(0);
        listed.push(...page.items.map((entry) => (entry.kind === "folder" ? `${entry.name}/` : entry.name)));
        cursor = page.cursor;
      } while (cursor !== undefined);
      expect(listed).toEqual(expected);
      expect(await metadata.namespace.countChildren(folder.id)).toBe(children.length);
    }),
    { numRuns: 40 },
  );
});

test("a listing goes on where it was although entries come and go", async () => {
  await using metadata = await TestMetadata.open();
  for (const name of ["b", "d", "f", "h"]) await metadata.file(name, []);
  const first = await metadata.namespace.list(metadata.root, { size: 2 });
  await metadata.file("a", []);
  await metadata.file("e", []);
  const gone = await metadata.namespace.stat({ drive: metadata.drive.id, path: "/d" });
  await metadata.namespace.remove(metadata.commitId(), gone.id);
  const second = await metadata.namespace.list(metadata.root, { size: 10, cursor: first.cursor });
  expect([...first.items, ...second.items].map((entry) => entry.name)).toEqual(["b", "d", "e", "f", "h"]);
});

test("newest changes come first when asked for, ties by id", async () => {
  await using metadata = await TestMetadata.open();
  const times = [5, 9, 5, 1, 9, 5];
  for (const [index, modifiedAt] of times.entries()) await metadata.file(`f${index}`, [], { modifiedAt });
  const listed: Entry[] = [];
  let cursor: string | undefined;
  do {
    const page = await metadata.namespace.list(metadata.root, { size: 2, cursor, orderBy: "modified" });
    listed.push(...page.items);
    cursor = page.cursor;
  } while (cursor !== undefined);
  expect(listed.map((entry) => entry.modifiedAt)).toEqual([9, 9, 5, 5, 5, 1]);
  expect(new Set(listed.map((entry) => entry.id)).size).toBe(times.length);
});

test("the trash lists what was put into it, latest first", async () => {
  await using metadata = await TestMetadata.open();
  const names = ["a", "b", "c", "d", "e"];
  for (const name of names) {
    const entry = await metadata.file(name, []);
    await metadata.cluster.clock.advance(1);
    await metadata.namespace.trash(metadata.commitId(), entry.id);
  }
  const first = await metadata.namespace.listTrash(metadata.drive.id, { size: 3 });
  const second = await metadata.namespace.listTrash(metadata.drive.id, { size: 3, cursor: first.cursor });
  expect([...first.items, ...second.items].map((entry) => entry.name)).toEqual(names.toReversed());
  expect(second.cursor).toBeUndefined();
});

test("versions are listed newest first, page by page", async () => {
  await using metadata = await TestMetadata.open();
  let file: Entry | undefined;
  for (let content = 1; content <= 5; content++) file = await metadata.file("f", [content]);
  const first = await metadata.namespace.listVersions(file!.id, { size: 2 });
  const second = await metadata.namespace.listVersions(file!.id, { size: 9, cursor: first.cursor });
  const sizes = [...first.items, ...second.items].map((version) => version.size);
  expect(sizes).toEqual([5, 4, 3, 2, 1].map((content) => metadata.lengthOf(content)));
  expect((await failureOf(metadata.namespace.listVersions(metadata.root, {}))).kind).toBe("invalid");
});

test("cursors and page sizes from outside are checked", async () => {
  await using metadata = await TestMetadata.open();
  for (const name of ["a", "b", "c"]) await metadata.file(name, []);
  const { cursor } = await metadata.namespace.list(metadata.root, { size: 1 });
  expect(cursor).toBeDefined();
  const byTime = metadata.namespace.list(metadata.root, { cursor, orderBy: "modified" });
  expect((await failureOf(byTime)).kind).toBe("invalid");
  for (const bad of ["", "x", "%", "bmFtZQ", "bmFtZS5OYU4u", "é", "_".repeat(5000)]) {
    expect((await failureOf(metadata.namespace.list(metadata.root, { cursor: bad }))).kind, bad).toBe("invalid");
  }
  for (const size of [0, -1, 1.5, 1001, Number.NaN]) {
    expect((await failureOf(metadata.namespace.list(metadata.root, { size }))).kind).toBe("invalid");
  }
  const file = await metadata.namespace.stat({ drive: metadata.drive.id, path: "/a" });
  expect((await failureOf(metadata.namespace.list(file.id, {}))).kind).toBe("invalid");
});
