import { NodeHasher } from "@cairn/env-node";
import { limits, type ObjectRemoval, unwrap } from "@cairn/protocol";
import { beforeEach, describe, expect, test } from "vitest";
import { failureOf } from "../service/testing/test-cluster.ts";
import { audit } from "../sql/testing/audit.ts";
import { TestMetadata } from "../sql/testing/test-metadata.ts";
import { AccessKeys } from "./access-keys.ts";
import { Objects } from "./objects.ts";

let metadata: TestMetadata;
let objects: Objects;
let keys: AccessKeys;

beforeEach(async () => {
  metadata = await TestMetadata.open();
  const { database, clock, random } = metadata.store;
  const tokenKey = new Uint8Array(32).fill(7);
  keys = new AccessKeys({
    database,
    clock,
    random,
    hasher: new NodeHasher(),
    keys: { cluster: "c0".repeat(16), tokenKey },
  });
  objects = new Objects(metadata.store, { uploads: metadata.uploads, keys });
});

async function remove(...wanted: readonly ObjectRemoval[]) {
  return await objects.removeObjects(metadata.commitId(), metadata.drive.id, wanted);
}

const names = async (prefix = ""): Promise<string[]> =>
  (await objects.listObjects(metadata.drive.id, { prefix, delimiter: "", after: "", size: 1000 })).objects.map(
    ({ key }) => key,
  );

const chunksInUse = async (): Promise<number> => {
  const row = await metadata.store.database.read((sql) =>
    sql.get<{ used: number }>("SELECT COUNT(*) AS used FROM chunk WHERE refs > 0"),
  );
  return row?.used ?? 0;
};

describe("without versioning", () => {
  beforeEach(async () => {
    await objects.setVersioning(metadata.drive.id, "off");
  });

  test("overwriting gives the old content back at once, and removing the new one with the folders on its way", async () => {
    const first = await metadata.file("", [1, 2], { key: "a/b/c" });
    const second = await metadata.file("", [3], { key: "a/b/c" });
    expect(second.id).toBe(first.id);
    expect(await chunksInUse()).toBe(1);
    expect((await metadata.namespace.listVersions(second.id, {})).items).toHaveLength(1);
    await metadata.file("", [4], { key: "a/d" });
    expect((await remove({ key: "a/b/c" })).map(unwrap)).toEqual([{ removed: true, trashed: false }]);
    expect(await metadata.names(metadata.root)).toEqual(["a/"]);
    await remove({ key: "a/d" });
    expect(await metadata.names(metadata.root)).toEqual([]);
    expect(await chunksInUse()).toBe(0);
    await audit(metadata.store.database);
  });

  test("a folder that somebody made stays when its last object goes", async () => {
    await metadata.folder("/kept");
    await metadata.file("", [1], { key: "kept/a" });
    await remove({ key: "kept/a" });
    expect(await metadata.names(metadata.root)).toEqual(["kept/"]);
  });

  test("an old content with many chunks is given back bit by bit", async () => {
    const many = Array.from({ length: 900 }, (_, index) => index);
    for (let round = 0; round < 3; round++)
      await metadata.file(
        "",
        many.map((n) => n + round * 1000),
        { key: "large" },
      );
    await metadata.reclaim();
    expect(await chunksInUse()).toBe(900);
    await audit(metadata.store.database);
  });
});

describe("with versioning", () => {
  test("overwriting keeps the old version, and removing goes to the trash", async () => {
    const { id } = await metadata.file("", [1], { key: "a/b" });
    await metadata.file("", [1], { key: "a/b", attributes: { tag: "t" } });
    expect((await metadata.namespace.listVersions(id, {})).items).toHaveLength(2);
    expect((await remove({ key: "a/b" })).map(unwrap)).toMatchObject([{ removed: true, trashed: true }]);
    expect(await names()).toEqual([]);
    await metadata.namespace.restore(metadata.commitId(), id, "fail");
    expect(await names()).toEqual(["a/b"]);
    await audit(metadata.store.database);
  });
});

test("conditions hold for the tag that the object has then", async () => {
  const { etag } = await metadata.file("plain", [1]);
  const tag = `${etag?.slice(7, 39)}-1`;
  const write = (ifTag: string | null) => metadata.file("", [2], { key: "plain", ifTag, attributes: { tag: "new" } });
  expect((await failureOf(write(null))).kind).toBe("precondition-failed");
  expect((await failureOf(write("other"))).kind).toBe("precondition-failed");
  await write(tag);
  await metadata.file("", [3], { key: "fresh", ifTag: null });
  const outcomes = await remove(
    { key: "plain", ifTag: tag },
    { key: "nothing", ifTag: "*" },
    { key: "fresh" },
    { key: "nothing" },
  );
  expect(outcomes.map((outcome) => (outcome.ok ? outcome.value.removed : outcome.error.kind))).toEqual([
    ...["precondition-failed", "precondition-failed", true, false],
  ]);
  expect(await names()).toEqual(["plain"]);
});

test("a removal that arrives again does not take what was written since", async () => {
  await metadata.file("", [1], { key: "a" });
  const commit = metadata.commitId();
  const once = () => objects.removeObjects(commit, metadata.drive.id, [{ key: "a" }]);
  const first = await once();
  await metadata.file("", [2], { key: "a" });
  expect(await once()).toEqual(first);
  expect(await names()).toEqual(["a"]);
});

test.each(["", "a\0b", "\ud800", "k".repeat(limits.keyBytesMax + 1)])("%j is no key", async (key) => {
  expect((await failureOf(metadata.file("", [1], { key }))).kind).toBe("invalid");
  const [outcome] = await remove({ key });
  expect(outcome?.ok === false && outcome.error.kind).toBe("invalid");
});

describe("parts", () => {
  const begin = async (key = "big") => {
    const target = { ...metadata.request("", []).target, key, attributes: { tag: "" } };
    return (await metadata.uploads.create(metadata.commitId(), target)).id;
  };
  const put = async (
    upload: Awaited<ReturnType<typeof begin>>,
    part: number,
    contents: readonly number[],
    number?: number,
  ) => {
    const chunks = contents.map((content) => metadata.written(content));
    const size = chunks.reduce((sum, { length }) => sum + length, 0);
    const finished = number === undefined ? undefined : { number, runs: 1, size, tag: `tag-${part}` };
    await metadata.uploads.putPart({
      commit: metadata.commitId(),
      lease: metadata.lease.id,
      upload,
      part,
      chunks,
      finished,
    });
  };
  const complete = (
    upload: Awaited<ReturnType<typeof begin>>,
    parts: [number, string][],
    ifTag?: string | null | undefined,
  ) =>
    objects.completeObject(
      metadata.commitId(),
      upload,
      parts.map(([number, tag]) => ({ number, tag })),
      { attributes: { tag: "whole" }, ifTag },
    );

  test("make the object in the order of the list; one that was put again counts once, and the rest is given back", async () => {
    const upload = await begin();
    await put(upload, 7000, [1, 2], 7);
    await put(upload, 1000, [3], 1);
    await put(upload, 7500, [4], 7);
    await put(upload, 9000, [5], 9);
    await put(upload, 50, [6]);
    const listed = await objects.listObjectParts(upload, { after: 0, size: 2 });
    expect([listed.parts.map(({ number, tag }) => [number, tag]), listed.more]).toEqual([
      [
        [1, "tag-1000"],
        [7, "tag-7500"],
      ],
      true,
    ]);
    expect(
      (
        await failureOf(
          complete(upload, [
            [1, "tag-1000"],
            [7, "tag-7000"],
          ]),
        )
      ).kind,
    ).toBe("conflict");
    const { entry } = await complete(upload, [
      [1, "tag-1000"],
      [7, "tag-7500"],
    ]);
    expect([entry.chunks, entry.tag]).toEqual([2, "whole"]);
    expect((await failureOf(objects.listObjectParts(upload, { after: 0, size: 1 }))).kind).toBe("not-found");
    await metadata.reclaim();
    expect(await chunksInUse()).toBe(2);
    await audit(metadata.store.database);
  });

  test("become an object only under the condition that they are given", async () => {
    const upload = await begin("there");
    await put(upload, 1000, [1], 1);
    await metadata.file("", [2], { key: "there", attributes: { tag: "old" } });
    expect((await failureOf(complete(upload, [[1, "tag-1000"]], null))).kind).toBe("precondition-failed");
    expect((await complete(upload, [[1, "tag-1000"]], "old")).entry.tag).toBe("whole");
  });

  test("that say another size than they have are refused", async () => {
    const upload = await begin();
    const finished = { number: 1, runs: 1, size: 1, tag: "t" };
    const request = {
      commit: metadata.commitId(),
      lease: metadata.lease.id,
      upload,
      part: 5,
      chunks: [metadata.written(1)],
      finished,
    };
    expect((await failureOf(metadata.uploads.putPart(request))).kind).toBe("invalid");
    expect((await objects.listObjectParts(upload, { after: 0, size: 1 })).parts).toEqual([]);
  });

  test("of open uploads are found by key and upload", async () => {
    const uploads = [await begin("b"), await begin("a"), await begin("b"), await begin("c/d")];
    const all = await objects.listObjectUploads(metadata.drive.id, { prefix: "", size: 10 });
    expect(all.uploads.map(({ key }) => key)).toEqual(["a", "b", "b", "c/d"]);
    const [first] = all.uploads.filter(({ key }) => key === "b");
    const rest = await objects.listObjectUploads(metadata.drive.id, {
      prefix: "",
      size: 1,
      after: { key: "b", upload: first?.id },
    });
    expect([rest.uploads[0]?.key, rest.more]).toEqual(["b", true]);
    expect(uploads).toContain(rest.uploads[0]?.id);
    expect((await objects.listObjectUploads(metadata.drive.id, { prefix: "c/", size: 10 })).uploads).toHaveLength(1);
  });
});

describe("buckets", () => {
  const create = (name: string) => objects.createBucket(metadata.commitId(), { name, versioning: "off" });

  test("are made once, and removed when they are empty", async () => {
    const { drive } = await create("photos");
    expect((await failureOf(create("photos"))).kind).toBe("conflict");
    const lease = await metadata.cluster.core.leases.open(drive, "test");
    const chunk = metadata.written(1, { lease });
    await metadata.commit({ ...metadata.request("", [chunk], { key: "a/b", lease, drive }), lease: lease.id });
    const gone = () => objects.removeBucket(metadata.commitId(), drive);
    expect((await failureOf(gone())).kind).toBe("conflict");
    await objects.removeObjects(metadata.commitId(), drive, [{ key: "a/b" }]);
    await gone();
    expect((await objects.buckets()).map(({ name }) => name)).toEqual(["main"]);
    await audit(metadata.store.database);
  });

  test("the first drive stays", async () => {
    expect((await failureOf(objects.removeBucket(metadata.commitId(), metadata.drive.id))).kind).toBe("conflict");
  });

  test.each(["ab", "a".repeat(64), "Photos", "a_b", "-ab", "ab-", "a..b", "a.-b", "192.168.5.4", "xn--ab", "a/b", ""])(
    "are not named %j",
    async (name) => {
      expect((await failureOf(create(name))).kind).toBe("invalid");
    },
  );
});

describe("access keys", () => {
  test("sign with a secret that is not stored, until they are revoked or end", async () => {
    const { key, secret } = await keys.create({ name: "one", scopes: ["read"], drives: ["photos"] });
    expect(key.id).toMatch(/^CAIRN[A-Z2-9]{15}$/);
    expect(secret).toHaveLength(40);
    expect(await keys.signing(key.id)).toEqual({ key, secret });
    const stored = await metadata.store.database.read((sql) => sql.all("SELECT * FROM access_key"));
    expect(JSON.stringify(stored)).not.toContain(secret);
    await keys.revoke(key.id);
    expect((await failureOf(keys.signing(key.id))).kind).toBe("unauthenticated");
    const short = await keys.create({ name: "short", scopes: ["write"], expiresInMs: 1000 });
    await metadata.cluster.clock.advance(1001);
    expect((await failureOf(keys.signing(short.key.id))).kind).toBe("unauthenticated");
    expect(await keys.list()).toEqual([]);
  });

  test("are refused without a name or a right", async () => {
    for (const request of [
      { name: " ", scopes: ["read"] },
      { name: "x", scopes: [] },
      { name: "x", scopes: ["admin"] },
    ])
      expect((await failureOf(keys.create(request as never))).kind).toBe("invalid");
  });
});
