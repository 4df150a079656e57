import { isKind, type StorageError, unwrap } from "@cairn/protocol";
import { expect, test } from "vitest";
import { failureOf } from "../service/testing/test-cluster.ts";
import { audit } from "../sql/testing/audit.ts";
import { TestMetadata } from "../sql/testing/test-metadata.ts";

test("equal content changes nothing, and has the equal etag whatever groups its chunks are in", async () => {
  await using metadata = await TestMetadata.open();
  const first = await metadata.commit(metadata.request("a", [metadata.written(1, { group: 0 })]));
  const again = await metadata.commit(metadata.request("a", [metadata.written(1, { group: 1 })]));
  expect(again).toEqual({ entry: first.entry, changed: false });
  const replaced = await metadata.commit(metadata.request("a", [metadata.written(1)], { onConflict: "replace" }));
  expect(replaced.changed).toBe(false);
  expect((await metadata.namespace.listVersions(first.entry.id, {})).items).toHaveLength(1);
  const other = await metadata.commit(metadata.request("a", [metadata.written(2)]));
  expect(other.changed).toBe(true);
  expect(other.entry.id).toBe(first.entry.id);
  expect(other.entry.etag).not.toBe(first.entry.etag);
  const versions = await metadata.namespace.listVersions(first.entry.id, {});
  expect(versions.items.map(({ current, version }) => ({ current, version }))).toEqual([
    { current: true, version: other.entry.version },
    { current: false, version: first.entry.version },
  ]);
  const old = await metadata.planner.plan({ id: first.entry.id }, first.entry.version, 0);
  expect(old.entry).toMatchObject({ etag: first.entry.etag, size: first.entry.size, version: first.entry.version });
  await audit(metadata.store.database);
});

test("conflicts at the target: fail, rename, replace, version, and a folder of the name", async () => {
  await using metadata = await TestMetadata.open();
  const first = await metadata.file("a.txt", [1]);
  const failing = metadata.request("a.txt", [metadata.written(2)], { onConflict: "fail" });
  const error = await failureOf(metadata.commit(failing));
  expect(error.kind).toBe("conflict");
  expect(error.details["existing"]).toMatchObject({ id: first.id, etag: first.etag, kind: "file" });
  expect((await metadata.file("a.txt", [2], { onConflict: "rename" })).name).toBe("a (2).txt");
  expect((await metadata.file("a.txt", [2], { onConflict: "rename" })).name).toBe("a (3).txt");
  const replacing = await metadata.file("a.txt", [3], { onConflict: "replace" });
  expect(replacing.id).not.toBe(first.id);
  expect((await metadata.namespace.stat({ id: first.id })).trashedAt).toBeDefined();
  await metadata.folder("/dir");
  for (const onConflict of ["fail", "replace", "version"] as const) {
    const onto = metadata.request("dir", [metadata.written(4)], { onConflict });
    expect((await failureOf(metadata.commit(onto))).kind).toBe("conflict");
  }
  expect((await metadata.file("dir", [4], { onConflict: "rename" })).name).toBe("dir (2)");
  expect(await metadata.names(metadata.root)).toEqual(["a (2).txt", "a (3).txt", "a.txt", "dir (2)", "dir/"]);
  await audit(metadata.store.database);
});

test("of many conditional writes of one name exactly one wins", async () => {
  await using metadata = await TestMetadata.open();
  const creates = Array.from({ length: 16 }, (_, index) =>
    metadata.request("k", [metadata.written(index)], { ifMatch: null }),
  );
  const created = await metadata.commits.commit(creates);
  expect(created.filter((outcome) => outcome.ok)).toHaveLength(1);
  for (const outcome of created) {
    if (!outcome.ok) expect(outcome.error.kind).toBe("precondition-failed");
  }
  const { etag } = await metadata.namespace.stat({ drive: metadata.drive.id, path: "/k" });
  const changes = Array.from({ length: 16 }, (_, index) =>
    metadata.request("k", [metadata.written(100 + index)], { ifMatch: etag }),
  );
  const changed = await Promise.all(changes.map((request) => metadata.commits.commit([request])));
  expect(changed.flat().filter((outcome) => outcome.ok)).toHaveLength(1);
  const missing = metadata.request("none", [metadata.written(1)], { ifMatch: etag });
  expect((await failureOf(metadata.commit(missing))).kind).toBe("precondition-failed");
  await audit(metadata.store.database);
});

test("a target folder that is a file, is missing, is in the trash or was removed is refused", async () => {
  await using metadata = await TestMetadata.open();
  const file = await metadata.file("f", [1]);
  const folder = await metadata.folder("/a/b");
  const inFile = metadata.request("x", [], { parent: file.id });
  expect((await failureOf(metadata.commit(inFile))).kind).toBe("invalid");
  const above = await metadata.namespace.stat({ drive: metadata.drive.id, path: "/a" });
  await metadata.namespace.trash(metadata.commitId(), above.id);
  const inTrash = metadata.request("x", [], { parent: folder.id });
  expect((await failureOf(metadata.commit(inTrash))).kind).toBe("not-found");
  await metadata.namespace.remove(metadata.commitId(), above.id);
  expect((await failureOf(metadata.commit({ ...inTrash, commit: metadata.commitId() }))).kind).toBe("not-found");
});

test("names and content types from outside are stored as they are or refused", async () => {
  await using metadata = await TestMetadata.open();
  for (const name of ["", ".", "..", "a/b", "a\0b", "\ud800", "x".repeat(256)]) {
    const error: StorageError = await failureOf(metadata.commit(metadata.request(name, [])));
    expect(error.kind).toBe("invalid");
    expect(error.hint).toBeDefined();
  }
  for (const contentType of ["text/plain\r\nSet-Cookie: a=b", "x".repeat(256), "é"]) {
    expect((await failureOf(metadata.commit(metadata.request("a", [], { contentType })))).kind).toBe("invalid");
  }
  const odd = ["__proto__", "constructor", "a%_\\'\"b", "new\nline", "😀", "ö", " ", "CON", "x".repeat(255)];
  for (const name of odd) {
    const outcome = await metadata.commits.commit([metadata.request(name, [])]);
    expect(unwrap(outcome[0]!).entry.name).toBe(name);
    expect((await metadata.namespace.stat({ drive: metadata.drive.id, path: `/${name}` })).name).toBe(name);
  }
  expect(({} as Record<string, unknown>)["x"]).toBeUndefined();
  expect(isKind(await failureOf(metadata.namespace.stat({ drive: metadata.drive.id, path: "/a%" })), "not-found")).toBe(
    true,
  );
});
