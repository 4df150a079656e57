import { NodeHasher } from "@cairn/env-node";
import { type DriveId, type EntryId, type LifecycleRule, lifecycleDocument } from "@cairn/protocol";
import { beforeEach, expect, test } from "vitest";
import { AccessKeys } from "../objects/access-keys.ts";
import { Objects } from "../objects/objects.ts";
import { audit } from "../sql/testing/audit.ts";
import { TestMetadata } from "../sql/testing/test-metadata.ts";
import { expireRemoved, expireVersions } from "./version-expiry.ts";

const day = 86_400_000;
let metadata: TestMetadata;
let objects: Objects;
let drive: DriveId;

beforeEach(async () => {
  metadata = await TestMetadata.open();
  const { database, clock, random } = metadata.store;
  const keys = { cluster: "c0".repeat(16), tokenKey: new Uint8Array(32).fill(7) };
  const world = { database, clock, random, hasher: new NodeHasher(), keys };
  objects = new Objects(metadata.store, { uploads: metadata.uploads, keys: new AccessKeys(world) });
  drive = metadata.drive.id;
});

const rule = (given: Partial<LifecycleRule>): LifecycleRule => ({ enabled: true, filter: { tags: [] }, ...given });

async function expire(...rules: readonly LifecycleRule[]): Promise<number> {
  await objects.setBucketDocument(drive, lifecycleDocument, JSON.stringify(rules));
  const world = { store: metadata.store, core: metadata.cluster.core };
  let removed = 0;
  for (const walk of [expireVersions, expireRemoved]) {
    let after: { readonly key: string } | undefined;
    do {
      const now = { rules, now: metadata.cluster.clock.now(), dayMs: day, after };
      const step = await walk(world, drive, now);
      removed += step.removed;
      after = step.next;
    } while (after);
  }
  return removed;
}

async function pass(days: number): Promise<void> {
  await metadata.cluster.clock.advance(days * day);
  await metadata.cluster.beatAll(metadata.nodes);
  await metadata.newLease();
}

/** One version a day; the contents are the numbers. */
async function writeDaily(key: string, contents: readonly number[]): Promise<EntryId> {
  let id: EntryId | undefined;
  for (const content of contents) {
    id = (await metadata.file("", [content], { key, attributes: { tag: `t${content}`, tags: { n: `${content}` } } }))
      .id;
    await pass(1);
  }
  return id as EntryId;
}

/** Sizes say which content it is; newest first. */
async function versions(id: EntryId): Promise<number[]> {
  const { items } = await metadata.namespace.listVersions(id, { size: 1000 });
  return items.map(({ size }) => size);
}

const sizes = (...contents: readonly number[]): number[] => contents.map((content) => metadata.lengthOf(content));

test("versions go so many days after another was written, and the current one never does", async () => {
  const id = await writeDaily("a", [1, 2, 3, 4]);
  // The first has been old for three days, the second for two.
  expect(await expire(rule({ noncurrentExpiration: { days: 3 } }))).toBe(1);
  expect(await versions(id)).toEqual(sizes(4, 3, 2));
  await pass(100);
  expect(await expire(rule({ noncurrentExpiration: { days: 3 } }))).toBe(2);
  expect(await versions(id)).toEqual(sizes(4));
  await metadata.reclaim();
  await audit(metadata.store.database);
});

test("so many of the newest that are not current stay, whatever their age", async () => {
  const id = await writeDaily("a", [1, 2, 3, 4, 5]);
  await pass(100);
  expect(await expire(rule({ noncurrentExpiration: { days: 1, newerVersions: 2 } }))).toBe(2);
  expect(await versions(id)).toEqual(sizes(5, 4, 3));
  expect(await expire(rule({ noncurrentExpiration: { days: 1, newerVersions: 2 } }))).toBe(0);
});

test("prefix and tags are those of the version", async () => {
  const [a, b] = [await writeDaily("p/a", [1, 2, 3]), await writeDaily("q", [1, 2, 3])];
  await pass(10);
  const filter = { prefix: "p/", tags: [{ key: "n", value: "2" }] };
  expect(await expire(rule({ filter, noncurrentExpiration: { days: 1 } }))).toBe(1);
  expect(await versions(a)).toEqual(sizes(3, 1));
  expect(await versions(b)).toEqual(sizes(3, 2, 1));
  expect(await expire(rule({ enabled: false, noncurrentExpiration: { days: 1 } }))).toBe(0);
  expect(await expire(rule({ expiration: { days: 1 } }))).toBe(0);
});

test("a key with very many versions is worked off in several steps", async () => {
  let id: EntryId | undefined;
  for (let n = 0; n <= 1250; n++) id = (await metadata.file("", [n % 7], { key: "busy" })).id;
  await metadata.file("", [1], { key: "last" });
  await metadata.file("", [2], { key: "last" });
  await pass(5);
  expect(await expire(rule({ noncurrentExpiration: { days: 1, newerVersions: 3 } }))).toBe(1247);
  expect(await versions(id as EntryId)).toHaveLength(4);
  await metadata.reclaim();
  await audit(metadata.store.database);
});

test("versions of an object that was removed go so many days after that, and with the last of them its marker", async () => {
  const id = await writeDaily("a", [1, 2]);
  await objects.removeObjects(metadata.commitId(), drive, [{ key: "a" }]);
  await pass(2);
  const rules = rule({ filter: { prefix: "a", tags: [] }, noncurrentExpiration: { days: 3 } });
  expect(await expire(rules)).toBe(1);
  expect(await versions(id)).toEqual(sizes(2));
  await pass(1);
  expect(await expire(rules)).toBe(1);
  expect((await metadata.namespace.listTrash(drive, {})).items).toEqual([]);
  await metadata.reclaim();
  await audit(metadata.store.database);
});

test("of a key that was removed and written again, the newest of all its versions stay", async () => {
  await writeDaily("a", [1, 2]);
  await objects.removeObjects(metadata.commitId(), drive, [{ key: "a" }]);
  await writeDaily("b", [1]);
  await objects.removeObjects(metadata.commitId(), drive, [{ key: "b" }]);
  const id = await writeDaily("a", [3, 4]);
  await pass(100);
  expect(await expire(rule({ noncurrentExpiration: { days: 1, newerVersions: 2 } }))).toBe(1);
  const { items } = await metadata.namespace.listTrash(drive, {});
  expect(items.map(({ path, size }) => [path, size])).toEqual([
    ["/b", metadata.lengthOf(1)],
    ["/a", metadata.lengthOf(2)],
  ]);
  expect(await versions(id)).toEqual(sizes(4, 3));
  expect(await expire(rule({ noncurrentExpiration: { days: 1 } }))).toBe(3);
  expect((await metadata.namespace.listTrash(drive, {})).items).toEqual([]);
  expect(await versions(id)).toEqual(sizes(4));
  await metadata.reclaim();
  await audit(metadata.store.database);
});

test("folders in the trash are not looked into", async () => {
  await metadata.folder("/docs");
  const { id: parent } = await metadata.namespace.stat({ drive, path: "/docs" });
  await metadata.file("a", [1], { parent });
  await metadata.namespace.trash(metadata.commitId(), parent);
  await pass(100);
  expect(await expire(rule({ noncurrentExpiration: { days: 1 } }))).toBe(0);
  expect((await metadata.namespace.listTrash(drive, {})).items).toHaveLength(1);
});

test("rules that are gone when a version is to be dropped drop nothing", async () => {
  const id = await writeDaily("a", [1, 2]);
  await pass(100);
  await objects.setBucketDocument(drive, lifecycleDocument, null);
  const rules = [rule({ noncurrentExpiration: { days: 1 } })];
  const now = { rules, now: metadata.cluster.clock.now(), dayMs: day, after: undefined };
  const world = { store: metadata.store, core: metadata.cluster.core };
  expect((await expireVersions(world, drive, now)).removed).toBe(0);
  expect(await versions(id)).toEqual(sizes(2, 1));
});
