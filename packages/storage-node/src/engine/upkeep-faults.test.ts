import { NodeHasher } from "@cairn/env-node";
import type { GroupId, Outcome } from "@cairn/protocol";
import { CrashDisk, type DiskCall, type DiskFault, FaultyDisk, MemoryDisk, VirtualClock } from "@cairn/simulator";
import { describe, expect, test } from "vitest";
import type { DiskEngine } from "./disk-engine.ts";
import {
  chunksOf,
  engineEnv,
  group7,
  kindOf,
  mustPut,
  openEngine,
  putOf,
  smallSegments,
  type TestChunk,
  thrownKind,
} from "./testing/engine-fixture.ts";

const hasher = new NodeHasher();
const takesSpace = new Set<DiskCall["operation"]>(["write", "sync", "rename", "make-folder", "sync-folder"]);
const group8 = 8 as GroupId;
const clock = new VirtualClock();
const free = { pace: async () => undefined, signal: new AbortController().signal };

function open(disk: FaultyDisk | MemoryDisk | CrashDisk): Promise<DiskEngine> {
  return openEngine(engineEnv({ hasher, clock }), disk, { ...smallSegments, fullFraction: 0 });
}

const chunks = (count: number, from = 0): Promise<TestChunk[]> => chunksOf(hasher, count, { from, length: 2300 });

/** What was promised of each chunk: `kept`, `deleted`, or neither. */
class Promises {
  readonly kept: Map<TestChunk, GroupId> = new Map();
  readonly deleted: Map<TestChunk, GroupId> = new Map();

  async write(group: GroupId, written: readonly TestChunk[], outcomes: Promise<readonly Outcome<void>[]>) {
    for (const [index, { ok }] of (await outcomes).entries()) if (ok) this.kept.set(written[index] as TestChunk, group);
  }

  /** From the order on a chunk may be gone; from the answer on it must be. */
  async delete(engine: DiskEngine, group: GroupId, gone: readonly TestChunk[]): Promise<void> {
    for (const chunk of gone) this.kept.delete(chunk);
    const outcomes = await engine.deleteExact(gone.map((chunk) => ({ group, ...chunk })));
    for (const [index, { ok }] of outcomes.entries()) if (ok) this.deleted.set(gone[index] as TestChunk, group);
  }

  async broken(engine: DiskEngine): Promise<string[]> {
    const wrong: string[] = [];
    for (const [chunk, group] of this.kept) {
      const kind = await thrownKind(engine.read(group, chunk.id));
      if (kind !== "ok") wrong.push(`${chunk.generation} in ${group} was promised and is ${kind}`);
    }
    for (const [chunk, group] of this.deleted) {
      const kind = await thrownKind(engine.read(group, chunk.id));
      if (kind !== "not-found") wrong.push(`${chunk.generation} in ${group} was deleted and is ${kind}`);
    }
    return wrong;
  }
}

/** Every kind of upkeep once. What fails is left as it is, as its loops do. */
async function upkeep(engine: DiskEngine, promises: Promises): Promise<void> {
  const [first, second, third] = [await chunks(12), await chunks(3, 20), await chunks(3, 30)];
  await promises.write(group7, first, Promise.all(first.map((chunk) => engine.put(putOf(chunk)))));
  await promises.write(group8, second, engine.putMany(second.map((chunk) => putOf(chunk, { group: group8 }))));
  await promises.delete(engine, group7, [first[0], first[2], first[5]] as TestChunk[]);
  await clock.advance(2000);
  await thrownKind(engine.compact({ group: group7, segment: 1, trashMs: 0, ...free }));
  await thrownKind(engine.seal(group7));
  const copies = third.map((chunk) => engine.adopt(putOf(chunk)));
  await promises.write(group7, third, Promise.all(copies));
  await promises.delete(engine, group7, [first[8], third[1]] as TestChunk[]);
  await clock.advance(2000);
  await thrownKind(engine.compact({ group: group7, segment: 2, trashMs: 0, ...free }));
  for (const group of [group7, group8]) {
    await thrownKind(engine.scrubStep({ group, cursor: undefined, bytesMax: 1e9, signal: free.signal }));
  }
  await thrownKind(engine.writeScrubState({ position: 1 }));
  for (const chunk of second) promises.kept.delete(chunk);
  if ((await thrownKind(engine.dropGroup(group8))) === "ok") {
    for (const chunk of second) promises.deleted.set(chunk, group8);
  }
  for (const { name } of await engine.trashed().catch(() => [])) await thrownKind(engine.emptyTrash(name));
}

/** Runs the upkeep with a disk that fails at its n-th call, once or from then on; tells how many calls there were. */
async function run(at: number, fault: DiskFault, lasting: boolean): Promise<{ wrong: string[]; calls: number }> {
  const memory = new MemoryDisk();
  const disk = new FaultyDisk(memory);
  const engine = await open(disk);
  let calls = 0;
  const hits = (call: DiskCall): boolean => fault.fault === "io-error" || takesSpace.has(call.operation);
  disk.plan = (call) => ((++calls === at || (lasting && calls > at)) && hits(call) ? fault : undefined);
  const promises = new Promises();
  await upkeep(engine, promises);
  const total = calls;
  disk.plan = () => undefined;
  // What could not be read again and again is set aside, or the disk is given up: until the next start.
  const unread = lasting && fault.fault === "io-error";
  const wrong = unread ? [] : await promises.broken(engine);
  await thrownKind(engine[Symbol.asyncDispose]());
  memory.endProcess();
  await using again = await open(memory);
  wrong.push(...(await promises.broken(again)).map((it) => `after a restart: ${it}`));
  for (const { group, records } of again.digests()) {
    const { chunks: listed } = await again.inventory(group, undefined, 100);
    if (listed.length !== records) wrong.push(`digest and inventory of ${group} differ`);
  }
  return { wrong: wrong.map((it) => `${fault.fault} at call ${at}: ${it}`), calls: total };
}

describe("a disk that fails in the middle of its upkeep", () => {
  for (const fault of ["io-error", "no-space"] as const) {
    test(`(${fault}, at any call, once or from then on) breaks no promise`, { timeout: 120_000 }, async () => {
      const wrong: string[] = [];
      const { calls } = await run(Number.POSITIVE_INFINITY, { fault }, false);
      expect(calls).toBeGreaterThan(150);
      for (let at = 1; at <= calls; at++) {
        wrong.push(...(await run(at, { fault }, false)).wrong, ...(await run(at, { fault }, true)).wrong);
      }
      expect(wrong).toEqual([]);
    });
  }
});

test("a group that could not be moved to the trash is served as before, and the next order moves it", async () => {
  const memory = new MemoryDisk();
  const disk = new FaultyDisk(memory);
  const [chunk] = (await chunks(1)) as [TestChunk];
  for (const failing of ["make-folder trash", "rename g/8", "sync-folder .", "sync-folder trash", "sync-folder g"]) {
    const engine = await open(disk);
    await engine.put(putOf(chunk, { group: group8 }));
    const trashed = (await engine.trashed()).length;
    disk.plan = ({ operation, path }) => (`${operation} ${path}` === failing ? { fault: "io-error" } : undefined);
    expect(await thrownKind(engine.dropGroup(group8))).toBe("internal");
    expect(engine.health("ok")).toBe("suspect");
    const moved = !(await memory.exists("g/8"));
    expect(engine.holds(group8)).toBe(!moved);
    expect(await thrownKind(engine.read(group8, chunk.id))).toBe(moved ? "not-found" : "ok");
    let syncs = 0;
    disk.plan = ({ operation }) => void (operation === "sync-folder" && syncs++);
    await engine.dropGroup(group8);
    expect(syncs).toBeGreaterThanOrEqual(3);
    expect(engine.holds(group8)).toBe(false);
    expect(await memory.exists("g/8")).toBe(false);
    expect(await engine.trashed()).toHaveLength(trashed + 1);
    await engine[Symbol.asyncDispose]();
  }
});

test("a sealed group whose index finds no room is served from memory, and gets its index when there is room", async () => {
  const memory = new MemoryDisk();
  const before = await open(memory);
  const all = await chunks(8);
  for (const chunk of all.slice(0, 7)) await mustPut(before, chunk);
  await before.seal(group7);
  await before[Symbol.asyncDispose]();
  await memory.remove("g/7/sealed.idx");
  const disk = new FaultyDisk(memory, (call) =>
    call.operation === "write" && call.path.includes("sealed.idx") ? { fault: "no-space" } : undefined,
  );
  await using engine = await open(disk);
  expect(engine.digests()).toMatchObject([{ records: 7, sealed: true }]);
  for (const chunk of all.slice(0, 7)) expect(await thrownKind(engine.read(group7, chunk.id))).toBe("ok");
  expect(kindOf(await engine.adopt(putOf(all[7] as TestChunk)))).toBe("ok");
  disk.plan = () => undefined;
  await engine.seal(group7);
  expect(await memory.exists("g/7/sealed.idx")).toBe(true);
  expect(await engine.verify()).toEqual({ records: 8, damaged: 0 });
});

test("a compaction whose new name is not durable loses nothing, whatever is noted after it and whichever file is left", async () => {
  const crash = new CrashDisk();
  const disk = new FaultyDisk(crash);
  const engine = await open(disk);
  const promises = new Promises();
  const all = await chunks(9);
  await promises.write(group7, all, Promise.all(all.map((chunk) => engine.put(putOf(chunk)))));
  await promises.delete(engine, group7, [all[0], all[1]] as TestChunk[]);
  await engine.seal(group7);
  await clock.advance(2000);
  let renamed = false;
  disk.plan = ({ operation, path }) => {
    renamed ||= operation === "rename" && path.endsWith(".seg.new");
    return renamed && operation === "sync-folder" && path === "g/7" ? { fault: "io-error" } : undefined;
  };
  const first = crash.operations.length;
  expect(await thrownKind(engine.compact({ group: group7, segment: 1, trashMs: 0, ...free }))).toBe("internal");
  expect(engine.health("ok")).toBe("suspect");
  expect(await promises.broken(engine)).toEqual([]);
  // Deletes go on on such a disk, and so does the note of what is synced.
  await clock.advance(60_000);
  await promises.delete(engine, group7, [all[2]] as TestChunk[]);
  await engine.seal(group7).catch(() => undefined);
  await engine[Symbol.asyncDispose]().catch(() => undefined);
  let states = 0;
  for (const { image, name } of crash.crashStates({ first })) {
    states++;
    await using again = await open(new MemoryDisk({ image }));
    const wrong = (await promises.broken(again)).filter((it) => !it.includes("was deleted"));
    expect([name, ...wrong]).toEqual([name]);
    expect([name, await again.verify()]).toEqual([name, { records: again.digests()[0]?.records, damaged: 0 }]);
  }
  expect(states).toBeGreaterThan(10);
});
