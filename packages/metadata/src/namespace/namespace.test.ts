import { idFromBytes } from "@cairn/protocol";
import { expect, test } from "vitest";
import { failureOf } from "../service/testing/test-cluster.ts";
import { audit } from "../sql/testing/audit.ts";
import { TestMetadata } from "../sql/testing/test-metadata.ts";

test("the default drive is there with its root", async () => {
  await using metadata = await TestMetadata.open();
  const drives = await metadata.namespace.drives();
  expect(drives).toMatchObject([{ name: "main", copies: 2, chunkBytes: 1_048_576 }]);
  const root = await metadata.namespace.stat({ id: metadata.root });
  expect(root).toMatchObject({ name: "", path: "/", parent: undefined, kind: "folder" });
  expect(await metadata.namespace.stat({ drive: metadata.drive.id, path: "/" })).toEqual(root);
});

test("folders are made one by one, or with all their parents", async () => {
  await using metadata = await TestMetadata.open();
  const { namespace, drive } = metadata;
  const create = (path: string, parents: boolean) =>
    namespace.createFolder(metadata.commitId(), { drive: drive.id, path, parents });
  expect((await failureOf(create("/a/b/c", false))).kind).toBe("not-found");
  const deep = await create("/a/b/c", true);
  expect(deep).toMatchObject({ kind: "folder", name: "c", path: "/a/b/c" });
  expect(await create("/a/b/c/", true)).toEqual(deep);
  expect((await failureOf(create("/a/b/c", false))).kind).toBe("conflict");
  expect((await create("/a/d", false)).path).toBe("/a/d");
  expect((await create("/", true)).id).toBe(metadata.root);
  expect((await failureOf(create("/", false))).kind).toBe("conflict");
  await metadata.file("file", [1]);
  expect((await failureOf(create("/file", true))).kind).toBe("conflict");
  expect((await failureOf(create("/file/x", true))).kind).toBe("conflict");
  expect((await failureOf(create("/a/../x", true))).kind).toBe("invalid");
  await audit(metadata.store.database);
});

test("an entry is found by id, by the beginning of its id, and by path", async () => {
  await using metadata = await TestMetadata.open();
  const { namespace, drive } = metadata;
  const folder = await metadata.folder("/docs");
  await metadata.cluster.clock.advance(10_000);
  const file = await metadata.file("a.txt", [1], { parent: folder.id });
  expect(file.path).toBe("/docs/a.txt");
  for (const address of [
    { id: file.id },
    { drive: drive.id, idPrefix: file.id },
    { drive: drive.id, idPrefix: file.id.slice(0, 14).toUpperCase().replace("F_", "f_") },
    { drive: drive.id, path: "/docs/a.txt" },
  ]) {
    expect(await namespace.stat(address)).toEqual(file);
  }
  const several = await failureOf(namespace.stat({ drive: drive.id, idPrefix: "f_0" }));
  expect(several.kind).toBe("conflict");
  expect(several.details["candidates"]).toEqual([metadata.root, folder.id, file.id].sort());
  for (const address of [
    { drive: drive.id, path: "/docs/a.txt/" },
    { drive: drive.id, path: "/nothing" },
    { drive: drive.id, path: "/docs/a.txt/b" },
    { drive: drive.id, idPrefix: "f_7" },
    { drive: drive.id, idPrefix: "v_0" },
    { id: idFromBytes("f_", new Uint8Array(16)) },
  ]) {
    expect((await failureOf(namespace.stat(address))).kind).toBe("not-found");
  }
});

test("a drive's trash is no entry: nobody can list, move or remove it", async () => {
  await using metadata = await TestMetadata.open();
  const row = await metadata.store.database.read((sql) => sql.get<{ trash: Uint8Array }>("SELECT trash FROM drive"));
  const trash = idFromBytes("f_", row!.trash);
  const { namespace } = metadata;
  for (const attempt of [
    namespace.stat({ id: trash }),
    namespace.list(trash, {}),
    namespace.remove(metadata.commitId(), trash),
    namespace.move(metadata.commitId(), trash, { name: "x", onConflict: "fail" }),
    metadata.commit(metadata.request("x", [], { parent: trash })),
  ]) {
    expect((await failureOf(attempt)).kind).toBe("not-found");
  }
});

test("a move changes one row: everything below comes along", async () => {
  await using metadata = await TestMetadata.open();
  const { namespace, drive } = metadata;
  const folder = await metadata.folder("/a/b");
  const file = await metadata.file("f", [1], { parent: folder.id });
  const target = await metadata.folder("/x/y");
  const moved = await namespace.move(metadata.commitId(), folder.id, {
    parent: target.id,
    name: "z",
    onConflict: "fail",
  });
  expect(moved).toMatchObject({ id: folder.id, path: "/x/y/z", parent: target.id });
  expect((await namespace.stat({ id: file.id })).path).toBe("/x/y/z/f");
  expect((await namespace.stat({ drive: drive.id, path: "/x/y/z/f" })).id).toBe(file.id);
  expect((await failureOf(namespace.stat({ drive: drive.id, path: "/a/b" }))).kind).toBe("not-found");
  const same = await namespace.move(metadata.commitId(), folder.id, { onConflict: "fail" });
  expect(same).toEqual(moved);
});

test("a folder cannot be moved into itself or below itself, and the root not at all", async () => {
  await using metadata = await TestMetadata.open();
  const { namespace } = metadata;
  const top = await metadata.folder("/a");
  const below = await metadata.folder("/a/b/c");
  for (const parent of [top.id, below.id]) {
    const move = namespace.move(metadata.commitId(), top.id, { parent, onConflict: "rename" });
    expect((await failureOf(move)).kind).toBe("invalid");
  }
  for (const change of [
    namespace.move(metadata.commitId(), metadata.root, { parent: top.id, onConflict: "fail" }),
    namespace.trash(metadata.commitId(), metadata.root),
    namespace.remove(metadata.commitId(), metadata.root),
  ]) {
    expect((await failureOf(change)).kind).toBe("invalid");
  }
  await audit(metadata.store.database);
});

test("conflicts of a move: fail, rename, replace, and a kind that differs", async () => {
  await using metadata = await TestMetadata.open();
  const { namespace } = metadata;
  const folder = await metadata.folder("/dir");
  const there = await metadata.file("a.txt", [1], { parent: folder.id });
  const file = await metadata.file("a.txt", [2]);
  const move = (onConflict: "fail" | "rename" | "replace", id = file.id) =>
    namespace.move(metadata.commitId(), id, { parent: folder.id, onConflict });
  expect((await failureOf(move("fail"))).details["existing"]).toMatchObject({ id: there.id });
  expect((await move("replace")).path).toBe("/dir/a.txt");
  expect((await namespace.stat({ id: there.id })).trashedAt).toBeDefined();
  const third = await metadata.file("a.txt", [3]);
  expect((await move("rename", third.id)).name).toBe("a (2).txt");
  const sameName = await metadata.folder("/a.txt");
  expect((await failureOf(move("replace", sameName.id))).kind).toBe("conflict");
  expect((await move("rename", sameName.id)).name).toBe("a.txt (2)");
  await audit(metadata.store.database);
});

test("a replaced folder that held the moved one goes to the trash without it", async () => {
  await using metadata = await TestMetadata.open();
  const { namespace } = metadata;
  const inner = await metadata.folder("/a/a");
  await metadata.file("f", [1], { parent: inner.id });
  const moved = await namespace.move(metadata.commitId(), inner.id, { parent: metadata.root, onConflict: "replace" });
  expect(moved.path).toBe("/a");
  expect((await namespace.stat({ drive: metadata.drive.id, path: "/a/f" })).size).toBeGreaterThan(0);
  await audit(metadata.store.database);
});

test("of very many equal names the lowest free number is found in few look-ups", async () => {
  await using metadata = await TestMetadata.open();
  const requests = Array.from({ length: 100 }, () => metadata.request("n", [], { onConflict: "rename" }));
  const outcomes = await metadata.commits.commit(requests);
  const names = outcomes.map((outcome) => (outcome.ok ? outcome.value.entry.name : outcome.error.message));
  expect(names).toEqual(["n", ...Array.from({ length: 99 }, (_, index) => `n (${index + 2})`)]);
});

test("the trash keeps where an entry was, and restore brings it back", async () => {
  await using metadata = await TestMetadata.open();
  const { namespace, drive } = metadata;
  const folder = await metadata.folder("/a/b");
  const file = await metadata.file("f.txt", [1], { parent: folder.id });
  const trashed = await namespace.trash(metadata.commitId(), folder.id);
  expect(trashed).toMatchObject({ id: folder.id, name: "b", path: "/a/b", trashedAt: metadata.cluster.clock.now() });
  expect(await namespace.stat({ id: folder.id })).toEqual(trashed);
  expect(await namespace.stat({ id: file.id })).toMatchObject({ path: "/a/b/f.txt", trashedAt: trashed.trashedAt });
  expect((await failureOf(namespace.stat({ drive: drive.id, path: "/a/b" }))).kind).toBe("not-found");
  expect((await namespace.listTrash(drive.id, {})).items).toEqual([trashed]);
  expect((await namespace.list(folder.id, {})).items).toMatchObject([{ id: file.id, trashedAt: trashed.trashedAt }]);
  for (const id of [folder.id, file.id]) {
    expect((await failureOf(namespace.trash(metadata.commitId(), id))).kind).toBe("conflict");
    expect((await failureOf(namespace.move(metadata.commitId(), id, { onConflict: "fail" }))).kind).toBe("conflict");
  }
  expect((await failureOf(namespace.restore(metadata.commitId(), file.id, "fail"))).kind).toBe("conflict");
  const restored = await namespace.restore(metadata.commitId(), folder.id, "fail");
  expect(restored).toEqual(folder);
  expect(await namespace.stat({ id: file.id })).toEqual(file);
  expect((await failureOf(namespace.restore(metadata.commitId(), folder.id, "fail"))).kind).toBe("conflict");
  await audit(metadata.store.database);
});

test("restore goes to the root when the folder is gone or in the trash, and can take another name", async () => {
  await using metadata = await TestMetadata.open();
  const { namespace } = metadata;
  const folder = await metadata.folder("/a");
  const first = await metadata.file("f", [1], { parent: folder.id });
  const second = await metadata.file("f", [2], { parent: folder.id, onConflict: "rename" });
  await namespace.trash(metadata.commitId(), first.id);
  await namespace.trash(metadata.commitId(), second.id);
  await namespace.trash(metadata.commitId(), folder.id);
  expect((await namespace.restore(metadata.commitId(), first.id, "fail")).path).toBe("/f");
  await namespace.remove(metadata.commitId(), folder.id);
  expect((await namespace.restore(metadata.commitId(), second.id, "fail")).path).toBe("/f (2)");
  const third = await metadata.file("g", [3]);
  await namespace.trash(metadata.commitId(), third.id);
  await metadata.file("g", [4]);
  expect((await failureOf(namespace.restore(metadata.commitId(), third.id, "fail"))).kind).toBe("conflict");
  expect((await namespace.restore(metadata.commitId(), third.id, "rename")).name).toBe("g (2)");
  await audit(metadata.store.database);
});

test("every change answers a repetition of its commit id with the first answer", async () => {
  await using metadata = await TestMetadata.open();
  const { namespace, drive } = metadata;
  const ids = Array.from({ length: 6 }, () => metadata.commitId());
  const twice = async <Result>(change: () => Promise<Result>): Promise<Result> => {
    const first = await change();
    expect(JSON.stringify(await change())).toBe(JSON.stringify(first));
    return first;
  };
  const folder = await twice(() => namespace.createFolder(ids[0]!, { drive: drive.id, path: "/a", parents: false }));
  const file = await metadata.file("f", [1]);
  await twice(() => namespace.move(ids[1]!, file.id, { parent: folder.id, onConflict: "rename" }));
  await twice(() => namespace.trash(ids[2]!, file.id));
  await twice(() => namespace.restore(ids[3]!, file.id, "rename"));
  await twice(() => namespace.remove(ids[4]!, file.id));
  await namespace.trash(metadata.commitId(), folder.id);
  await metadata.cluster.clock.advance(1);
  expect(await twice(() => namespace.emptyTrash(ids[5]!, drive.id, metadata.cluster.clock.now()))).toBe(1);
  await audit(metadata.store.database);
});

test("an entry that hangs deeper than any path can be moved back up, and its folder removed", async () => {
  await using metadata = await TestMetadata.open();
  const { namespace } = metadata;
  const name = "n".repeat(250);
  const chain = async (): Promise<{ top: string; bottom: string }> => {
    const top = await metadata.folder(`/${name}`);
    const bottom = await metadata.folder(`/${Array.from({ length: 15 }, () => name).join("/")}`);
    return { top: top.id, bottom: bottom.id };
  };
  const first = await chain();
  await namespace.move(metadata.commitId(), first.top as never, { name: "first", onConflict: "fail" });
  const second = await chain();
  await namespace.move(metadata.commitId(), first.top as never, { parent: second.bottom as never, onConflict: "fail" });
  const deep = await namespace.stat({ id: first.bottom as never });
  expect(deep.path.length).toBeGreaterThan(4096);
  const into = metadata.request("x", [], { parent: deep.id });
  expect((await failureOf(metadata.commit(into))).kind).toBe("invalid");
  const up = await namespace.move(metadata.commitId(), deep.id, {
    parent: metadata.root,
    name: "up",
    onConflict: "fail",
  });
  expect(up.path).toBe("/up");
});

test.each(["move", "trash", "remove"] as const)(
  "changes that share a transaction see one another: %s",
  async (change) => {
    await using metadata = await TestMetadata.open();
    const { namespace } = metadata;
    const folder = await metadata.folder("/a/b");
    const above = await namespace.stat({ drive: metadata.drive.id, path: "/a" });
    const files = [await metadata.file("first", []), await metadata.file("second", [])];
    const writes = metadata.cluster.database.writes;
    const moveIn = (index: number) =>
      namespace.move(metadata.commitId(), files[index]!.id, { parent: folder.id, onConflict: "fail" });
    const changes = {
      move: () => namespace.move(metadata.commitId(), above.id, { name: "z", onConflict: "fail" }),
      trash: () => namespace.trash(metadata.commitId(), above.id),
      remove: () => namespace.remove(metadata.commitId(), above.id),
    };
    const [before, , after] = await Promise.allSettled([moveIn(0), changes[change](), moveIn(1)]);
    expect(metadata.cluster.database.writes - writes).toBe(1);
    expect(before).toMatchObject({ status: "fulfilled", value: { path: "/a/b/first" } });
    if (change === "move") expect(after).toMatchObject({ status: "fulfilled", value: { path: "/z/b/second" } });
    else expect(after).toMatchObject({ status: "rejected", reason: { kind: "not-found" } });
    await audit(metadata.store.database);
  },
);
