import { NodeHasher } from "@cairn/env-node";
import type { GroupId } from "@cairn/protocol";
import { FaultyDisk, MemoryDisk, VirtualClock } from "@cairn/simulator";
import { beforeEach, describe, expect, test } from "vitest";
import type { DiskEngine } from "./disk-engine.ts";
import {
  chunkOf,
  chunksOf,
  engineEnv,
  group7,
  kindOf,
  openEngine,
  putOf,
  smallSegments,
  type TestChunk,
  thrownKind,
} from "./testing/engine-fixture.ts";

const hasher = new NodeHasher();
let clock: VirtualClock;
let memory: MemoryDisk;
let disk: FaultyDisk;

beforeEach(() => {
  clock = new VirtualClock();
  memory = new MemoryDisk();
  disk = new FaultyDisk(memory);
});

const open = (): Promise<DiskEngine> => openEngine(engineEnv({ hasher, clock }), disk, smallSegments);
const chunks = (count: number, from = 0): Promise<TestChunk[]> => chunksOf(hasher, count, { from, length: 500 });
const signal = new AbortController().signal;
const digestOf = (engine: DiskEngine) => engine.digests().find(({ group }) => group === group7);

/** Flips a bit in the payload of the n-th record of the first segment, wherever records have this size. */
async function damage(n: number): Promise<void> {
  const file = await memory.open("g/7/00000001.seg", "write");
  const recordSize = 96 + 4 + 500 + 8;
  const at = 4096 + n * recordSize + 100 + 250;
  const byte = new Uint8Array(1);
  await file.read(byte, at);
  byte[0] = (byte[0] ?? 0) ^ 1;
  await file.write([byte], at);
  await file.close();
}

describe("copies that are ordered", () => {
  test("a sealed group refuses a put, takes an ordered copy, stays sealed, and has it after a restart", async () => {
    const [a, b, c] = (await chunks(3)) as [TestChunk, TestChunk, TestChunk];
    let engine = await open();
    await engine.put(putOf(a));
    await engine.seal(group7);
    expect(kindOf(await engine.put(putOf(b)))).toBe("unavailable");
    expect(kindOf(await engine.adopt(putOf(b)))).toBe("ok");
    expect(kindOf(await engine.adopt(putOf(c)))).toBe("ok");
    expect(digestOf(engine)).toMatchObject({ sealed: true, records: 3 });
    expect(kindOf(await engine.put(putOf(await chunkOf(hasher, 99))))).toBe("unavailable");
    const before = digestOf(engine);
    await engine[Symbol.asyncDispose]();
    engine = await open();
    expect(digestOf(engine)).toEqual(before);
    expect(Buffer.compare((await engine.read(group7, c.id)).bytes, c.bytes)).toBe(0);
    await engine[Symbol.asyncDispose]();
  });

  test("many copies at once into a sealed group cost one new segment", async () => {
    await using engine = await open();
    const all = await chunks(20);
    await engine.put(putOf(all[0] as TestChunk));
    await engine.seal(group7);
    const outcomes = await Promise.all(all.slice(1).map((chunk) => engine.adopt(putOf(chunk))));
    expect(outcomes.every(({ ok }) => ok)).toBe(true);
    const segments = (await memory.list("g/7")).filter((name) => /^\d+\.seg$/.test(name));
    expect(segments).toHaveLength(2);
  });

  test("a seal that comes while copies arrive waits for them, and both are there", async () => {
    await using engine = await open();
    const all = await chunks(30);
    await engine.put(putOf(all[0] as TestChunk));
    const adopted = all.slice(1).map((chunk) => engine.adopt(putOf(chunk)));
    const sealed = engine.seal(group7);
    const late = engine.adopt(putOf(await chunkOf(hasher, 77, 500)));
    for (const outcome of await Promise.all(adopted)) expect(kindOf(outcome)).toBe("ok");
    await sealed;
    expect(kindOf(await late)).toBe("ok");
    expect(await engine.verify()).toEqual({ records: 31, damaged: 0 });
    expect(digestOf(engine)).toMatchObject({ sealed: true, records: 31 });
  });

  for (const sealed of [false, true]) {
    test(`a copy takes the place of a damaged one${sealed ? " in a sealed group" : ""}, for good`, async () => {
      const all = await chunks(4);
      let engine = await open();
      await engine.putMany(all.map((chunk) => putOf(chunk)));
      if (sealed) await engine.seal(group7);
      const whole = digestOf(engine);
      await damage(2);
      const bad = all[2] as TestChunk;
      expect(await engine.check(group7, bad.id, bad.generation)).toBe("damaged");
      expect(engine.quarantined(group7)).toHaveLength(1);
      expect(digestOf(engine)?.records).toBe(3);
      expect(kindOf(await engine.adopt(putOf(bad)))).toBe("ok");
      expect(engine.quarantined(group7)).toEqual([]);
      expect(digestOf(engine)).toEqual(whole);
      for (let restart = 0; restart < 2; restart++) {
        expect(await engine.check(group7, bad.id, bad.generation)).toBe("sound");
        await engine[Symbol.asyncDispose]();
        engine = await open();
        expect(digestOf(engine)).toEqual(whole);
        expect(engine.quarantined(group7)).toEqual([]);
      }
      await engine[Symbol.asyncDispose]();
    });
  }

  test("a generation that was deleted does not come back as a copy", async () => {
    await using engine = await open();
    const [a] = (await chunks(1)) as [TestChunk];
    await engine.put(putOf(a));
    await engine.deleteExact([{ group: group7, ...a }]);
    expect(kindOf(await engine.adopt(putOf(a)))).toBe("stale");
    expect(await engine.check(group7, a.id, a.generation)).toBe("deleted");
  });

  test("bytes that are not what their name says are refused", async () => {
    await using engine = await open();
    const [a, b] = (await chunks(2)) as [TestChunk, TestChunk];
    expect(kindOf(await engine.adopt({ ...putOf(a), bytes: b.bytes }))).toBe("invalid");
    expect(await engine.check(group7, a.id, a.generation)).toBe("missing");
  });

  test("more sealed groups than are held in memory keep all copies", async () => {
    let engine = await open();
    const all = await chunks(14);
    for (let number = 0; number < 7; number++) {
      const group = (10 + number) as GroupId;
      await engine.put(putOf(all[number] as TestChunk, { group }));
      await engine.seal(group);
    }
    for (let number = 0; number < 7; number++) {
      await engine.adopt(putOf(all[7 + number] as TestChunk, { group: (10 + number) as GroupId }));
    }
    expect(await engine.verify()).toEqual({ records: 14, damaged: 0 });
    await engine[Symbol.asyncDispose]();
    engine = await open();
    expect(await engine.verify()).toEqual({ records: 14, damaged: 0 });
    await engine[Symbol.asyncDispose]();
  });
});

describe("a scrub in steps", () => {
  test("reads every record once, in steps of the size it is given, and finds what is damaged", async () => {
    await using engine = await open();
    await engine.putMany((await chunks(10)).map((chunk) => putOf(chunk)));
    await damage(3);
    let cursor: string | undefined;
    const steps: number[] = [];
    let damaged = 0;
    do {
      const step = await engine.scrubStep({ group: group7, cursor, bytesMax: 1600, signal });
      steps.push(step.records);
      damaged += step.damaged;
      cursor = step.cursor;
    } while (cursor);
    expect(steps).toEqual([3, 3, 3, 1]);
    expect(damaged).toBe(1);
    expect(engine.quarantined(group7)).toHaveLength(1);
  });

  test("a sector that cannot be read is set aside and the scrub goes on; a disk that reads nothing is given up", async () => {
    await using engine = await open();
    await engine.putMany((await chunks(10)).map((chunk) => putOf(chunk)));
    let reads = 0;
    let bad: readonly number[] = [4];
    disk.plan = (call) =>
      call.operation === "read" && /\.seg$/.test(call.path) && bad.includes(++reads)
        ? { fault: "io-error" }
        : undefined;
    const step = { group: group7, cursor: undefined, bytesMax: 1e9, signal };
    expect(await engine.scrubStep(step)).toMatchObject({ records: 10, damaged: 0, unreadable: 0 });
    [reads, bad] = [0, [4, 5]];
    expect(await engine.scrubStep(step)).toMatchObject({ records: 10, damaged: 1, unreadable: 1 });
    disk.plan = (call) => (call.operation === "read" && /\.seg$/.test(call.path) ? { fault: "io-error" } : undefined);
    expect(await engine.scrubStep(step)).toMatchObject({ records: 8, unreadable: 8 });
    expect(await thrownKind(engine.scrubStep(step))).toBe("unavailable");
    expect(engine.state(await engine.space())).toBe("failed");
  });

  test("a group that is not there has nothing to read, and the notes of a scrub outlive a restart", async () => {
    let engine = await open();
    const nothing = { bytes: 0, records: 0, damaged: 0, unreadable: 0, cursor: undefined };
    expect(await engine.scrubStep({ group: group7, cursor: undefined, bytesMax: 1, signal })).toEqual(nothing);
    expect(await engine.readScrubState()).toBeUndefined();
    await engine.writeScrubState({ group: 7, cursor: "x" });
    await engine[Symbol.asyncDispose]();
    engine = await open();
    expect(await engine.readScrubState()).toEqual({ group: 7, cursor: "x" });
    await engine[Symbol.asyncDispose]();
  });
});

describe("a dropped group", () => {
  test("is gone at once and after a restart, lies in the trash, and can be begun anew", async () => {
    let engine = await open();
    const [a, b] = (await chunks(2)) as [TestChunk, TestChunk];
    await engine.put(putOf(a));
    await engine.seal(group7);
    await engine.read(group7, a.id);
    await engine.dropGroup(group7);
    await engine.dropGroup(group7);
    expect(engine.holds(group7)).toBe(false);
    expect(engine.digests()).toEqual([]);
    expect(await thrownKind(engine.read(group7, a.id))).toBe("not-found");
    await engine[Symbol.asyncDispose]();
    engine = await open();
    expect(engine.holds(group7)).toBe(false);
    const [trashed] = await engine.trashed();
    expect(trashed).toMatchObject({ group: 7, droppedAt: clock.now() });
    expect(trashed?.bytes).toBeGreaterThan(500);
    expect(kindOf(await engine.put(putOf(b)))).toBe("ok");
    expect(digestOf(engine)).toMatchObject({ records: 1, sealed: false });
    await engine.dropGroup(group7);
    expect(await engine.trashed()).toHaveLength(2);
    expect(await engine.emptyTrash(trashed?.name ?? "")).toBe(trashed?.bytes);
    expect(await engine.trashed()).toHaveLength(1);
    expect(await engine.emptyTrash("../g")).toBe(0);
    await engine[Symbol.asyncDispose]();
  });

  test("a put that comes while it is dropped begins it anew", async () => {
    await using engine = await open();
    const [a, b] = (await chunks(2)) as [TestChunk, TestChunk];
    await engine.put(putOf(a));
    const [, outcome] = await Promise.all([engine.dropGroup(group7), engine.put(putOf(b))]);
    expect(kindOf(outcome)).toBe("ok");
    expect(digestOf(engine)?.records).toBe(1);
    expect(Buffer.compare((await engine.read(group7, b.id)).bytes, b.bytes)).toBe(0);
  });
});
