import { NodeHasher } from "@cairn/env-node";
import { type DriveId, type LifecycleRule, lifecycleDocument } from "@cairn/protocol";
import { beforeEach, describe, expect, test } from "vitest";
import { AccessKeys } from "../objects/access-keys.ts";
import { Objects } from "../objects/objects.ts";
import { failureOf } from "../service/testing/test-cluster.ts";
import { audit } from "../sql/testing/audit.ts";
import { TestMetadata } from "../sql/testing/test-metadata.ts";
import { Lifecycle } from "./lifecycle.ts";

const day = 86_400_000;
const never = new AbortController().signal;

let metadata: TestMetadata;
let objects: Objects;
let lifecycle: Lifecycle;
let drive: DriveId;

beforeEach(async () => {
  metadata = await TestMetadata.open();
  const { database, clock, random } = metadata.store;
  const keys = { cluster: "c0".repeat(16), tokenKey: new Uint8Array(32).fill(7) };
  const world = { database, clock, random, hasher: new NodeHasher(), keys };
  objects = new Objects(metadata.store, { uploads: metadata.uploads, keys: new AccessKeys(world) });
  lifecycle = new Lifecycle({ store: metadata.store, core: metadata.cluster.core });
  drive = metadata.drive.id;
  await objects.setVersioning(drive, "off");
});

const rule = (given: Partial<LifecycleRule>): LifecycleRule => ({ enabled: true, filter: { tags: [] }, ...given });

function setRules(...rules: readonly LifecycleRule[]): Promise<void> {
  return objects.setBucketDocument(drive, lifecycleDocument, JSON.stringify(rules));
}

/** Days pass; no node is silent and no lease lives for so long. */
async function pass(days: number): Promise<void> {
  await metadata.cluster.clock.advance(days * day);
  await metadata.cluster.beatAll(metadata.nodes);
  await metadata.newLease();
}

/** A round with the pauses that it makes. */
async function round(of = lifecycle, signal = never): ReturnType<Lifecycle["round"]> {
  let done = false;
  const result = of.round(drive, signal).finally(() => {
    done = true;
  });
  result.catch(() => undefined);
  while (!done) {
    await metadata.cluster.clock.advance(5);
    await new Promise(setImmediate);
  }
  return await result;
}

async function run(): Promise<string> {
  for (;;) {
    const { done, message } = await round();
    if (done) return message;
  }
}

const keys = async (): Promise<string[]> =>
  (await objects.listObjects(drive, { prefix: "", delimiter: "", after: "", size: 1000 })).objects.map(
    ({ key }) => key,
  );

test("objects go on the midnight after so many days, and nothing else does", async () => {
  await metadata.file("", [1], { key: "logs/old" });
  await metadata.file("", [2], { key: "kept" });
  await setRules(rule({ filter: { prefix: "logs/", tags: [] }, expiration: { days: 3 } }));
  await pass(2);
  await metadata.file("", [3], { key: "logs/new" });
  expect(await run()).toContain("0 objects expired");
  await pass(2);
  expect(await run()).toContain("1 objects expired");
  expect(await keys()).toEqual(["kept", "logs/new"]);
  await metadata.reclaim();
  await audit(metadata.store.database);
});

test("a file is as old as its version, whatever time of change it says it has", async () => {
  await metadata.file("", [1], { key: "from-a-backup", modifiedAt: 1000 });
  await setRules(rule({ expiration: { days: 10 } }));
  await run();
  expect(await keys()).toEqual(["from-a-backup"]);
});

test("an object that is written again begins anew", async () => {
  await metadata.file("", [1], { key: "a" });
  await setRules(rule({ expiration: { days: 3 } }));
  await pass(3);
  await metadata.file("", [2], { key: "a" });
  await pass(1);
  await run();
  expect(await keys()).toEqual(["a"]);
});

describe("a rule is held against the object", () => {
  beforeEach(async () => {
    await metadata.file("", [1, 2, 3], { key: "tagged", attributes: { tag: "t", tags: { keep: "no", x: "1" } } });
    await metadata.file("", [1], { key: "other", attributes: { tag: "t", tags: { keep: "yes" } } });
    await metadata.file("", [1], { key: "plain" });
    await pass(30);
  });

  test.each<[string, Partial<LifecycleRule>, string[]]>([
    ["tags", { filter: { tags: [{ key: "keep", value: "no" }] } }, ["other", "plain"]],
    [
      "a tag that all objects inherit",
      { filter: { tags: [{ key: "constructor", value: "x" }] } },
      ["other", "plain", "tagged"],
    ],
    ["sizes", { filter: { tags: [], sizeGreaterThan: 8 } }, ["other", "plain"]],
    ["upper sizes", { filter: { tags: [], sizeLessThan: 9 } }, ["tagged"]],
    [
      "all of them",
      { filter: { prefix: "o", tags: [{ key: "keep", value: "yes" }], sizeLessThan: 9 } },
      ["plain", "tagged"],
    ],
    ["Status", { enabled: false }, ["other", "plain", "tagged"]],
  ])("by its %s", async (_, given, left) => {
    await setRules(rule({ expiration: { days: 1 }, ...given }));
    await run();
    expect(await keys()).toEqual(left);
  });

  test("by its date", async () => {
    const today = Math.floor(metadata.cluster.clock.now() / day) * day;
    await setRules(rule({ expiration: { dateMs: today + day } }));
    await run();
    expect(await keys()).toHaveLength(3);
    await pass(1);
    await run();
    expect(await keys()).toEqual([]);
  });
});

test.each(["off", "enabled"] as const)(
  "what was found is looked at again when it is removed (versioning %s)",
  async (versioning) => {
    await objects.setVersioning(drive, versioning);
    await metadata.file("", [1], { key: "a" });
    await metadata.file("", [2], { key: "b", attributes: { tag: "t", tags: { gone: "1" } } });
    await metadata.file("", [3], { key: "c" });
    // Between the look and the removal somebody changes the tags, or writes the key, or changes the rules.
    for (const between of [
      () => objects.setObjectTags(drive, "b", {}),
      () => metadata.file("", [4], { key: "b", attributes: { tag: "t", tags: { gone: "1" } } }),
      () => setRules(rule({ filter: { prefix: "nothing", tags: [] }, expiration: { days: 1 } })),
    ]) {
      await objects.setObjectTags(drive, "b", { gone: "1" });
      await setRules(rule({ filter: { tags: [{ key: "gone", value: "1" }] }, expiration: { days: 1 } }));
      await pass(5);
      const { queue } = metadata.store;
      const submit = queue.submit.bind(queue);
      let submitted = 0;
      const racing = Object.assign(Object.create(queue), {
        submit: async (...job: Parameters<typeof submit>) => {
          // The walk's first write notes where it is, the second removes.
          if (++submitted === 2) await between();
          return await submit(...job);
        },
      });
      const raced = new Lifecycle({ store: { ...metadata.store, queue: racing }, core: metadata.cluster.core });
      await round(raced);
      expect(await keys()).toEqual(["a", "b", "c"]);
    }
  },
);

test("in a bucket that keeps versions the object is put where DeleteObject puts it", async () => {
  await objects.setVersioning(drive, "enabled");
  const { id } = await metadata.file("", [1], { key: "a" });
  await setRules(rule({ expiration: { days: 1 } }));
  await pass(3);
  await run();
  expect(await keys()).toEqual([]);
  await metadata.namespace.restore(metadata.commitId(), id, "fail");
  expect(await keys()).toEqual(["a"]);
  await audit(metadata.store.database);
});

test("uploads that were begun long enough ago are given up", async () => {
  const begin = async (key: string) => {
    const target = { ...metadata.request("", []).target, key, attributes: { tag: "" } };
    return (await metadata.uploads.create(metadata.commitId(), target)).id;
  };
  await begin("tmp/old");
  await begin("kept");
  await pass(2);
  await begin("tmp/new");
  await setRules(rule({ filter: { prefix: "tmp/", tags: [] }, abortUploadsAfterDays: 2 }));
  await pass(1);
  expect(await run()).toContain("1 uploads given up");
  const { uploads } = await objects.listObjectUploads(drive, { prefix: "", size: 10 });
  expect(uploads.map(({ key }) => key)).toEqual(["kept", "tmp/new"]);
});

test("a walk over many objects goes in rounds, goes on after a restart, and happens once a day", async () => {
  const count = 2600;
  for (let start = 0; start < count; start += 100) {
    await Promise.all(
      Array.from({ length: 100 }, (_, n) => metadata.file("", [1], { key: `k${String(start + n).padStart(5, "0")}` })),
    );
  }
  await setRules(rule({ expiration: { days: 1 } }));
  await pass(5);
  expect((await lifecycle.due()).map(({ id }) => id)).toEqual([drive]);
  const first = await round();
  expect(first).toMatchObject({ removed: 2000, done: false });
  lifecycle = new Lifecycle({ store: metadata.store, core: metadata.cluster.core });
  expect(await round()).toMatchObject({ removed: count, done: true });
  expect(await keys()).toEqual([]);
  expect(await lifecycle.due()).toEqual([]);
  expect(await round()).toMatchObject({ removed: count, done: true });
  await pass(1);
  expect(await lifecycle.due()).toHaveLength(1);
  await run();
  await setRules(rule({ expiration: { days: 7 } }));
  expect(await lifecycle.due()).toHaveLength(1);
  await objects.setBucketDocument(drive, lifecycleDocument, null);
  expect(await lifecycle.due()).toEqual([]);
});

test("rules that change while a walk is under way begin a new one", async () => {
  await metadata.file("", [1], { key: "a" });
  await setRules(rule({ expiration: { days: 1 } }));
  await pass(3);
  const aborted = AbortSignal.abort();
  expect(await round(lifecycle, aborted)).toMatchObject({ done: false });
  await setRules(rule({ filter: { prefix: "b", tags: [] }, expiration: { days: 1 } }));
  await run();
  expect(await keys()).toEqual(["a"]);
});

test("nothing goes while nothing may be deleted, nor when another server leads", async () => {
  await metadata.file("", [1], { key: "a" });
  await setRules(rule({ expiration: { days: 1 } }));
  await pass(3);
  const { noDelete } = metadata.cluster.core;
  await noDelete.set("the metadata was restored from a backup");
  expect(await round()).toEqual({
    ...{ removed: 0, done: false, message: "waiting: the metadata was restored from a backup" },
  });
  await noDelete.set(undefined);
  await metadata.store.database.write((sql) => sql.run("UPDATE job_lease SET epoch = epoch + 1"));
  expect((await failureOf(round())).kind).toBe("stale");
  expect(await keys()).toEqual(["a"]);
});

test("a clock that is set forward makes nothing older, and a shorter day does", async () => {
  await metadata.file("", [1], { key: "a" });
  await setRules(rule({ expiration: { days: 1 } }));
  const { clock } = metadata.cluster;
  clock.jump(100 * day);
  await run();
  expect(await keys()).toEqual(["a"]);
  clock.jump(-100 * day);
  await metadata.cluster.core.settings.change({ "lifecycle.day": 1000 });
  await clock.advance(3000);
  await run();
  expect(await keys()).toEqual([]);
});

test("a bucket that went meanwhile has nothing to be done", async () => {
  const other = await objects.createBucket(metadata.commitId(), { name: "photos", versioning: "off" });
  await objects.setBucketDocument(other.drive, lifecycleDocument, JSON.stringify([rule({ expiration: { days: 1 } })]));
  await objects.removeBucket(metadata.commitId(), other.drive);
  expect(await lifecycle.due()).toEqual([]);
  expect(await lifecycle.round(other.drive, never)).toMatchObject({ done: true, removed: 0 });
});
