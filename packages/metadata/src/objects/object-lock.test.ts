import { NodeHasher } from "@cairn/env-node";
import {
  type Entry,
  lifecycleDocument,
  type ObjectLockConfiguration,
  objectLockDocument,
  type RemovedObject,
  type RetentionMode,
  unwrap,
  type VersionId,
  type VersionLock,
} from "@cairn/protocol";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Lifecycle } from "../lifecycle/lifecycle.ts";
import { audit } from "../sql/testing/audit.ts";
import { TestMetadata } from "../sql/testing/test-metadata.ts";
import { AccessKeys } from "./access-keys.ts";
import { Objects } from "./objects.ts";

const dayMs = 86_400_000;

let metadata: TestMetadata;
let objects: Objects;

beforeEach(async () => {
  metadata = await TestMetadata.open();
  const { database, clock, random } = metadata.store;
  const signing = { cluster: "c0".repeat(16), tokenKey: new Uint8Array(32) };
  const keys = new AccessKeys({ database, clock, random, hasher: new NodeHasher(), keys: signing });
  objects = new Objects(metadata.store, { uploads: metadata.uploads, keys });
  await lockDrive({});
});

afterEach(async () => {
  await audit(metadata.store.database);
  await metadata[Symbol.asyncDispose]();
});

function lockDrive(configuration: ObjectLockConfiguration): Promise<void> {
  return objects.setBucketDocument(metadata.drive.id, objectLockDocument, JSON.stringify(configuration));
}

async function put(key: string, lock: VersionLock | undefined, content = 1): Promise<Entry> {
  const attributes = lock && { tag: "0123456789abcdef", lock };
  return await metadata.file("", [content], { key, attributes });
}

const kept = (mode: RetentionMode, days = 10): VersionLock => ({
  retention: { mode, retainUntilMs: metadata.cluster.clock.now() + days * dayMs },
});

async function removeVersion(
  key: string,
  version: string | undefined,
  bypassGovernance = false,
): Promise<RemovedObject> {
  const [outcome] = await objects.removeObjects(metadata.commitId(), metadata.drive.id, [
    { key, version: version as VersionId, bypassGovernance },
  ]);
  if (!outcome) throw new Error("a removal has an outcome");
  return unwrap(outcome);
}

async function listed(): Promise<string[]> {
  const page = await objects.listObjectVersions(metadata.drive.id, {
    ...{ prefix: "", delimiter: "", after: "", size: 1000 },
  });
  return page.versions.map(({ key, marker }) => (marker ? `${key} marker` : key));
}

const emptyTrash = (): Promise<number> =>
  metadata.namespace.emptyTrash(metadata.commitId(), metadata.drive.id, metadata.cluster.clock.now() + 1);
const forbidden = { kind: "forbidden" };

test("a locked version outlives every door until its retention ends, and nothing of it is changed", async () => {
  const locked = await put("a", kept("COMPLIANCE"));
  const newer = await put("a", undefined, 2);
  await expect(removeVersion("a", locked.version, true)).rejects.toMatchObject(forbidden);
  await expect(metadata.namespace.remove(metadata.commitId(), locked.id)).rejects.toMatchObject(forbidden);
  expect((await removeVersion("a", newer.version)).removed).toBe(true);
  await expect(removeVersion("a", "null")).resolves.toMatchObject({ removed: false });
  await metadata.namespace.trash(metadata.commitId(), locked.id);
  expect(await emptyTrash()).toBe(0);
  await expect(metadata.namespace.remove(metadata.commitId(), locked.id)).rejects.toMatchObject(forbidden);
  await expect(removeVersion("a", locked.version)).rejects.toMatchObject(forbidden);
  expect(await listed()).toEqual(["a marker", "a"]);
  await metadata.namespace.restore(metadata.commitId(), locked.id, "fail");
  expect(await listed()).toEqual(["a"]);
  await metadata.cluster.clock.advance(11 * dayMs);
  expect((await removeVersion("a", locked.version)).removed).toBe(true);
  expect(await listed()).toEqual([]);
});

test("emptying the trash passes what is kept, however much of it comes first", async () => {
  for (let n = 0; n < 260; n++) {
    const { id } = await put(`kept${n}`, { legalHold: true });
    await metadata.namespace.trash(metadata.commitId(), id);
  }
  await metadata.cluster.clock.advance(1);
  const { id } = await put("free", undefined);
  await metadata.namespace.trash(metadata.commitId(), id);
  expect(await emptyTrash()).toBe(1);
  expect(await emptyTrash()).toBe(0);
  expect(await listed()).not.toContain("free");
});

test("a folder with something in it stays, since what lies below may be locked; an empty one goes", async () => {
  const { parent } = await put("folder/a", { legalHold: true });
  const empty = await metadata.folder("/empty");
  await expect(metadata.namespace.remove(metadata.commitId(), parent as Entry["id"])).rejects.toMatchObject(forbidden);
  await metadata.namespace.trash(metadata.commitId(), parent as Entry["id"]);
  expect(await emptyTrash()).toBe(0);
  await metadata.namespace.remove(metadata.commitId(), empty.id);
});

test("governance is lifted by those who may, compliance and legal holds by nobody", async () => {
  const governed = await put("g", kept("GOVERNANCE"));
  await expect(removeVersion("g", governed.version)).rejects.toMatchObject(forbidden);
  expect((await removeVersion("g", governed.version, true)).removed).toBe(true);
  const held = await put("h", { ...kept("GOVERNANCE"), legalHold: true });
  await expect(removeVersion("h", held.version, true)).rejects.toMatchObject(forbidden);
  const change = { legalHold: false, bypassGovernance: false };
  await objects.changeObjectLock(metadata.drive.id, "h", change, held.version);
  expect((await removeVersion("h", held.version, true)).removed).toBe(true);
});

test("a retention becomes longer and stronger by everybody, shorter only where governance is lifted", async () => {
  const { id } = metadata.drive;
  const change = (lock: VersionLock | null, bypassGovernance = false) =>
    objects.changeObjectLock(id, "a", { retention: lock?.retention ?? null, bypassGovernance });
  await put("a", undefined);
  await change(kept("GOVERNANCE", 5));
  await expect(change(kept("GOVERNANCE", 4))).rejects.toMatchObject(forbidden);
  await expect(change(null)).rejects.toMatchObject(forbidden);
  await change(kept("GOVERNANCE", 6));
  await change(kept("GOVERNANCE", 3), true);
  await change(null, true);
  await change(kept("GOVERNANCE", 5));
  await change(kept("COMPLIANCE", 5));
  for (const weaker of [null, kept("COMPLIANCE", 4), kept("GOVERNANCE", 9)]) {
    await expect(change(weaker, true)).rejects.toMatchObject(forbidden);
  }
  await change(kept("COMPLIANCE", 6));
});

test("what comes by any door is kept as long as the drive says", async () => {
  await lockDrive({ defaultRetention: { mode: "COMPLIANCE", period: { days: 3 } } });
  const file = await metadata.file("report", [1]);
  const short = await put("short", kept("GOVERNANCE", 1));
  expect(file.tag).toBeUndefined();
  await expect(removeVersion("report", file.version, true)).rejects.toMatchObject(forbidden);
  await metadata.cluster.clock.advance(2 * dayMs);
  expect((await removeVersion("short", short.version)).removed).toBe(true);
  await expect(removeVersion("report", file.version)).rejects.toMatchObject(forbidden);
  await metadata.cluster.clock.advance(dayMs + 1);
  expect((await removeVersion("report", file.version)).removed).toBe(true);
});

test("a drive with object lock keeps it, and its versions", async () => {
  const { id } = metadata.drive;
  await expect(objects.setVersioning(id, "suspended")).rejects.toMatchObject({ kind: "conflict" });
  await expect(objects.setBucketDocument(id, objectLockDocument, null)).rejects.toMatchObject({ kind: "conflict" });
  const off = await objects.createBucket(metadata.commitId(), { name: "photos", versioning: "off" });
  await expect(objects.setBucketDocument(off.drive, objectLockDocument, "{}")).rejects.toMatchObject({
    kind: "conflict",
  });
  await objects.removeBucket(metadata.commitId(), off.drive);
});

test("lifecycle rules pass a locked version and take the others of its batch", async () => {
  const locked = await put("a", { legalHold: true });
  await put("a", undefined, 2);
  await put("a", undefined, 3);
  const rule = { enabled: true, filter: { tags: [] }, noncurrentExpiration: { days: 1 } };
  await objects.setBucketDocument(metadata.drive.id, lifecycleDocument, JSON.stringify([rule]));
  await metadata.cluster.clock.advance(3 * dayMs);
  const lifecycle = new Lifecycle({ store: metadata.store, core: metadata.cluster.core });
  let running = true;
  const round = lifecycle.round(metadata.drive.id, new AbortController().signal).finally(() => {
    running = false;
  });
  while (running) {
    await metadata.cluster.clock.advance(5);
    await new Promise(setImmediate);
  }
  expect(await round).toMatchObject({ removed: 1, done: true });
  const { versions } = await objects.listObjectVersions(metadata.drive.id, {
    ...{ prefix: "", delimiter: "", after: "", size: 10 },
  });
  expect(versions).toHaveLength(2);
  expect(versions.at(-1)?.version).toBe(locked.version);
});
