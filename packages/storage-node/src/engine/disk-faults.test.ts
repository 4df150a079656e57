import { NodeHasher } from "@cairn/env-node";
import type { DiskState, GroupId } from "@cairn/protocol";
import { CrashDisk, type DiskFault, FaultyDisk, MemoryDisk, VirtualClock } from "@cairn/simulator";
import { beforeEach, describe, expect, test } from "vitest";
import type { DiskEngine } from "./disk-engine.ts";
import type { EngineOptions } from "./engine-parts.ts";
import {
  chunkOf,
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
let clock: VirtualClock;
let memory: MemoryDisk;
let disk: FaultyDisk;

beforeEach(() => {
  clock = new VirtualClock();
  memory = new MemoryDisk();
  disk = new FaultyDisk(memory);
});

function open(
  on: FaultyDisk | MemoryDisk | CrashDisk = disk,
  options: Partial<EngineOptions> = {},
): Promise<DiskEngine> {
  return openEngine(engineEnv({ hasher, clock }), on, { ...smallSegments, ...options });
}

const chunks = (count: number, length = 200): Promise<TestChunk[]> => chunksOf(hasher, count, { length });

/** Fails the next call of this kind on a segment. */
function failNext(operation: string, fault: DiskFault, path = /\.seg$/): void {
  let armed = true;
  disk.plan = (call) => {
    if (!armed || call.operation !== operation || !path.test(call.path)) return undefined;
    armed = false;
    return fault;
  };
}

async function stateOf(engine: DiskEngine): Promise<DiskState> {
  return engine.state(await engine.space());
}

describe("a disk that fails a write or a sync", () => {
  for (const operation of ["write", "sync"] as const) {
    test(`(${operation}) fails the whole batch, takes no more chunks, and still serves what it has`, async () => {
      const all = await chunks(6);
      await using engine = await open();
      await engine.putMany(all.slice(0, 3).map((chunk) => putOf(chunk)));
      failNext(operation, { fault: "io-error", keepBytes: 100 });
      const outcomes = await engine.putMany(all.slice(3, 5).map((chunk) => putOf(chunk)));
      expect(outcomes.map(kindOf)).toEqual(["internal", "internal"]);
      expect(disk.hits).toBe(1);
      expect(await stateOf(engine)).toBe("suspect");
      expect(engine.health("ok")).toBe("suspect");
      expect(kindOf(await engine.put(putOf(all[5] as TestChunk)))).toBe("unavailable");
      for (const chunk of all.slice(0, 3)) expect((await engine.read(group7, chunk.id)).bytes).toEqual(chunk.bytes);
      for (const chunk of all.slice(3)) expect(await thrownKind(engine.read(group7, chunk.id))).toBe("not-found");
    });
  }

  test("never syncs that file again: the next start goes on in a new segment", async () => {
    const all = await chunks(4);
    const engine = await open();
    await mustPut(engine, all[0] as TestChunk);
    failNext("sync", { fault: "io-error" });
    await engine.put(putOf(all[1] as TestChunk));
    let syncs = 0;
    disk.plan = ({ operation, path }) => {
      if (operation === "sync" && path.endsWith(".seg")) syncs++;
      return undefined;
    };
    await engine[Symbol.asyncDispose]();
    expect(syncs).toBe(0);
    await using again = await open();
    await mustPut(again, all[1] as TestChunk);
    expect(memory.image().files.has("g/7/00000002.seg")).toBe(true);
    expect((await again.read(group7, (all[1] as TestChunk).id)).bytes).toEqual(all[1]?.bytes);
    expect(again.digests()).toMatchObject([{ records: 2 }]);
  });

  test("without room to note where the segment ends: it is noted before the next segment begins", async () => {
    const [a, b, c] = (await chunks(3)) as [TestChunk, TestChunk, TestChunk];
    const crash = new CrashDisk();
    const failing = new FaultyDisk(crash);
    const engine = await open(failing);
    await mustPut(engine, a);
    failing.plan = ({ operation, path }) =>
      (operation === "sync" && path.endsWith(".seg")) || operation === "rename" ? { fault: "no-space" } : undefined;
    expect(kindOf(await engine.put(putOf(b)))).toBe("no-space");
    expect(kindOf(await engine.put(putOf(c)))).toBe("no-space");
    expect(failing.hits).toBe(3);
    failing.plan = () => undefined;
    await mustPut(engine, c);
    crash.endProcess();
    // The bytes of b still stand behind the end of the first segment, in the page cache only.
    await using restarted = await open(crash);
    await mustPut(restarted, b);
    for (const { image } of crash.crashStates({ first: crash.operations.length })) {
      await using again = await open(new MemoryDisk({ image }));
      for (const chunk of [a, b, c]) expect((await again.read(group7, chunk.id)).bytes).toEqual(chunk.bytes);
    }
  });

  test("(tombstones) fails the delete, and the chunk is served until a delete is acknowledged", async () => {
    const [chunk] = (await chunks(1)) as [TestChunk];
    await using engine = await open();
    await mustPut(engine, chunk);
    failNext("sync", { fault: "io-error" });
    const exact = [{ group: group7, id: chunk.id, generation: chunk.generation }];
    expect((await engine.deleteExact(exact)).map(kindOf)).toEqual(["internal"]);
    expect((await engine.read(group7, chunk.id)).bytes).toEqual(chunk.bytes);
    expect(await stateOf(engine)).toBe("suspect");
  });

  test("(the checkpoint, at a new epoch) fails the put and leaves the epoch as it was", async () => {
    const all = await chunks(2);
    const engine = await open();
    await mustPut(engine, all[0] as TestChunk, { epoch: 1 });
    failNext("rename", { fault: "io-error" }, /checkpoint/);
    expect(kindOf(await engine.put(putOf(all[1] as TestChunk, { epoch: 2 })))).toBe("internal");
    await engine[Symbol.asyncDispose]();
    await using again = await open();
    await mustPut(again, all[1] as TestChunk, { epoch: 1 });
  });

  test("(the index of a seal) leaves the group sealed, and the next seal writes the index", async () => {
    const all = await chunks(2);
    await using engine = await open();
    await mustPut(engine, all[0] as TestChunk);
    failNext("write", { fault: "no-space", keepBytes: 1000 }, /sealed\.idx/);
    expect(await thrownKind(engine.seal(group7))).toBe("no-space");
    expect(kindOf(await engine.put(putOf(all[1] as TestChunk)))).toBe("unavailable");
    expect((await engine.read(group7, (all[0] as TestChunk).id)).bytes).toEqual(all[0]?.bytes);
    await engine.seal(group7);
    expect(memory.image().files.has("g/7/sealed.idx")).toBe(true);
  });
});

describe("a disk that fails reads", () => {
  test("answers unavailable, so that another copy is read, and sets nothing aside", async () => {
    const [chunk] = (await chunks(1)) as [TestChunk];
    await using engine = await open();
    await mustPut(engine, chunk);
    failNext("read", { fault: "io-error" });
    expect(await thrownKind(engine.read(group7, chunk.id))).toBe("unavailable");
    expect(engine.quarantined(group7)).toEqual([]);
    expect((await engine.read(group7, chunk.id)).bytes).toEqual(chunk.bytes);
    expect(await stateOf(engine)).toBe("ok");
  });

  test("again and again is given up", async () => {
    const [chunk] = (await chunks(1)) as [TestChunk];
    await using engine = await open(disk, { readErrorsMax: 3 });
    await mustPut(engine, chunk);
    disk.plan = ({ operation }) => (operation === "read" ? { fault: "io-error" } : undefined);
    for (let attempt = 0; attempt < 3; attempt++) await thrownKind(engine.read(group7, chunk.id));
    expect(await stateOf(engine)).toBe("failed");
    expect(kindOf(await engine.put(putOf(await chunkOf(hasher, 9))))).toBe("unavailable");
  });

  test("that flips a bit or reads the wrong place is never believed", async () => {
    const [a, b] = (await chunks(2)) as [TestChunk, TestChunk];
    for (const fault of [
      { fault: "flip", bit: 8 * 150 },
      { fault: "misdirect", byBytes: 8 },
      { fault: "misdirect", byBytes: 312 },
      { fault: "short", missingBytes: 1 },
    ] as const) {
      disk = new FaultyDisk(new MemoryDisk());
      await using engine = await open();
      await engine.putMany([putOf(a), putOf(b)]);
      failNext("read", fault);
      expect(await thrownKind(engine.read(group7, a.id))).toBe("corrupt");
      expect(disk.hits).toBe(1);
    }
  });

  test("a read that stops early while a disk is opened never cuts records off", async () => {
    const all = await chunks(5);
    const engine = await open();
    for (const chunk of all) await mustPut(engine, chunk);
    const image = memory.image();
    await engine[Symbol.asyncDispose]();
    for (const count of [1, 2, 3, 4, 5, 6]) {
      const copy = new MemoryDisk({ image });
      let reads = 0;
      const faulty = new FaultyDisk(copy, ({ operation, path }) =>
        operation === "read" && path.endsWith(".seg") && ++reads === count
          ? { fault: "short", missingBytes: 200 }
          : undefined,
      );
      await open(faulty).then(
        (opened) => opened[Symbol.asyncDispose](),
        () => copy.endProcess(),
      );
      await using healthy = await open(copy);
      for (const chunk of all) expect((await healthy.read(group7, chunk.id)).bytes).toEqual(chunk.bytes);
    }
  });
});

describe("a disk that becomes full", () => {
  test("refuses chunks below its reserve, still takes deletes, and recovers without a restart", async () => {
    const small = new MemoryDisk({ totalBytes: 200_000 });
    await using engine = await open(small, { reserveBytes: 50_000, fullFraction: 0.5, spaceRefreshMs: 0 });
    const all = await chunks(60, 4000);
    const kinds: string[] = [];
    for (const chunk of all) kinds.push(kindOf(await engine.put(putOf(chunk))));
    expect(new Set(kinds)).toEqual(new Set(["ok", "no-space"]));
    expect(kinds.lastIndexOf("ok")).toBeLessThan(kinds.indexOf("no-space"));
    expect((await engine.space()).freeBytes).toBeGreaterThanOrEqual(50_000);
    expect((await engine.space()).freeBytes).toBeLessThan(60_000);
    const [first] = all as [TestChunk];
    expect((await engine.deleteExact([{ group: group7, ...first }])).map(kindOf)).toEqual(["ok"]);
    small.resize(400_000);
    await mustPut(engine, all.at(-1) as TestChunk);
    expect(await stateOf(engine)).toBe("ok");
  });

  test("reports full at the reserve", async () => {
    const small = new MemoryDisk({ totalBytes: 100_000 });
    await using engine = await open(small, { reserveBytes: 1000, fullFraction: 1 });
    expect(await stateOf(engine)).toBe("ok");
    expect(engine.state({ totalBytes: 100_000, freeBytes: 999 })).toBe("full");
    expect(engine.state({ totalBytes: 10 ** 13, freeBytes: 10 ** 9 })).toBe("ok");
  });

  test("in the middle of a write keeps no half record, loses nothing, and goes on in the same segment", async () => {
    const all = await chunks(5);
    await using engine = await open();
    await mustPut(engine, all[0] as TestChunk);
    for (const keepBytes of [0, 1, 96, 250]) {
      const before = memory.image().files.get("g/7/00000001.seg");
      failNext("write", { fault: "no-space", keepBytes });
      expect(kindOf(await engine.put(putOf(all[1] as TestChunk)))).toBe("no-space");
      expect(memory.image().files.get("g/7/00000001.seg")).toEqual(before);
    }
    expect(await stateOf(engine)).toBe("ok");
    await engine.putMany(all.map((chunk) => putOf(chunk)));
    await engine[Symbol.asyncDispose]();
    await using again = await open();
    for (const chunk of all) expect((await again.read(group7, chunk.id)).bytes).toEqual(chunk.bytes);
    expect((await memory.list("g/7")).filter((name) => name.endsWith(".seg"))).toEqual(["00000001.seg"]);
  });

  test("hundreds of times in a row does not use the group up", async () => {
    const all = await chunks(2);
    await using engine = await open();
    for (let attempt = 0; attempt < 600; attempt++) {
      disk.plan = ({ operation, path }) =>
        operation === "write" && path.endsWith(".seg") ? { fault: "no-space" } : undefined;
      expect(kindOf(await engine.put(putOf(all[0] as TestChunk)))).toBe("no-space");
    }
    disk.plan = () => undefined;
    await mustPut(engine, all[0] as TestChunk);
  });

  test("for real, at any byte, never breaks a promise", async () => {
    const all = await chunks(12, 700);
    for (let room = 0; room < 9000; room += 331) {
      const small = new MemoryDisk({ totalBytes: 8000 + room });
      const engine = await open(small, { fullFraction: 0 }).catch(() => undefined);
      if (!engine) continue;
      const kept: TestChunk[] = [];
      for (const chunk of all) if ((await engine.put(putOf(chunk))).ok) kept.push(chunk);
      await engine.seal(group7).catch(() => undefined);
      await engine[Symbol.asyncDispose]().catch(() => undefined);
      small.resize(10 ** 9);
      small.endProcess();
      await using again = await open(small);
      for (const chunk of kept) expect((await again.read(group7, chunk.id)).bytes).toEqual(chunk.bytes);
      expect(again.digests().reduce((sum, { records }) => sum + records, 0)).toBeGreaterThanOrEqual(kept.length);
    }
  });
});

test("one bad group does not keep the others from being served", async () => {
  const [a, b] = (await chunks(2)) as [TestChunk, TestChunk];
  const engine = await open();
  await mustPut(engine, a, { group: 1 as GroupId });
  await mustPut(engine, b, { group: 2 as GroupId });
  await engine[Symbol.asyncDispose]();
  const files = new Map(memory.image().files).set("g/1/00000001.seg", new Uint8Array(9000).fill(0x55));
  await using again = await open(new MemoryDisk({ image: { folders: memory.image().folders, files } }));
  expect((await again.read(2 as GroupId, b.id)).bytes).toEqual(b.bytes);
  expect(await thrownKind(again.read(1 as GroupId, a.id))).toBe("not-found");
  expect(again.quarantined(1 as GroupId).length).toBeGreaterThan(0);
});
