import { NodeHasher } from "@cairn/env-node";
import type { GroupId } from "@cairn/protocol";
import { FaultyDisk, MemoryDisk, VirtualClock } from "@cairn/simulator";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { DiskEngine } from "./disk-engine.ts";
import {
  chunkOf,
  chunksOf,
  engineEnv,
  group7,
  ListLog,
  mustPut,
  openEngine,
  smallSegments,
  type TestChunk,
  thrownKind,
} from "./testing/engine-fixture.ts";

const hasher = new NodeHasher();
let disk: MemoryDisk;
let clock: VirtualClock;
let log: ListLog;
let engine: DiskEngine;
const hour = 3600_000;

beforeEach(async () => {
  disk = new MemoryDisk();
  clock = new VirtualClock();
  log = new ListLog();
  engine = await open();
});
afterEach(async () => {
  await engine[Symbol.asyncDispose]();
});

const open = (): Promise<DiskEngine> => openEngine(engineEnv({ hasher, clock, log }), disk, smallSegments);

async function reopen(): Promise<void> {
  await engine[Symbol.asyncDispose]();
  engine = await open();
}

/** Chunks of 2,300 bytes: five fill a segment. */
async function put(count: number, from = 0): Promise<TestChunk[]> {
  const chunks = await chunksOf(hasher, count, { from, length: 2300 });
  for (const chunk of chunks) await mustPut(engine, chunk);
  return chunks;
}

async function remove(...chunks: readonly (TestChunk | undefined)[]): Promise<void> {
  await engine.deleteExact(chunks.flatMap((chunk) => (chunk ? [{ group: group7, ...chunk }] : [])));
}

const free = { pace: async () => undefined, signal: new AbortController().signal };
const compact = (segment: number, trashMs = 0): Promise<{ freedBytes: number }> =>
  engine.compact({ group: group7, segment, trashMs, ...free });

async function bytesOf(segment: number): Promise<number> {
  const file = await disk.open(`g/7/0000000${segment}.seg`, "read");
  return await file.size();
}

/** The chunk's bytes as the engine gives them, or the kind of its refusal. */
async function readBack(chunk: TestChunk | undefined): Promise<string> {
  if (!chunk) return "no chunk";
  const read = await engine.read(group7, chunk.id).then(
    ({ bytes }) => (Buffer.compare(bytes, chunk.bytes) === 0 ? "whole" : "other bytes"),
    (error) => error.kind as string,
  );
  return read;
}

const all = (chunks: readonly TestChunk[]): Promise<string[]> => Promise.all(chunks.map(readBack));

test("the bytes of deleted records are given back, the others stay where they can be read, also after a restart", async () => {
  const chunks = await put(12);
  await remove(chunks[0], chunks[2], chunks[3]);
  await clock.advance(2000);
  const before = await bytesOf(1);
  const digest = engine.digests();
  const [candidate] = await engine.compactable({ trashMs: 0, urgent: false });
  expect(candidate).toMatchObject({ group: group7, segment: 1 });
  const { freedBytes } = await compact(1);
  expect(freedBytes).toBe(candidate?.deadBytes);
  expect(await bytesOf(1)).toBe(before - freedBytes);
  for (const _ of ["running", "after a restart"]) {
    const kinds = await all(chunks);
    expect(kinds.filter((_, index) => [0, 2, 3].includes(index))).toEqual(Array(3).fill("not-found"));
    expect(kinds.filter((_, index) => ![0, 2, 3].includes(index))).toEqual(Array(9).fill("whole"));
    expect(engine.digests()).toEqual(digest);
    expect(await engine.compactable({ trashMs: 0, urgent: true })).toEqual([]);
    await reopen();
  }
  expect(log.lines).toEqual([]);
});

test("a sealed group gives back too; its index follows, and nothing of it is read from memory", async () => {
  const chunks = await put(12);
  await engine.seal(group7);
  await remove(...chunks.slice(5, 10));
  await clock.advance(2000);
  const digest = engine.digests();
  await compact(2);
  expect(await bytesOf(2)).toBe(4096);
  expect((await all(chunks)).filter((kind) => kind === "whole")).toHaveLength(7);
  await reopen();
  expect(engine.digests()).toEqual(digest);
  expect((await all(chunks)).filter((kind) => kind === "whole")).toHaveLength(7);
  expect(await engine.compactable({ trashMs: 0, urgent: true })).toEqual([]);
  expect(log.lines).toEqual([]);
});

test("nothing is dropped before its trash time is over, whatever was deleted beside it", async () => {
  const chunks = await put(6);
  await remove(chunks[0], chunks[1]);
  await clock.advance(2 * hour);
  await remove(chunks[2]);
  await reopen();
  expect(await engine.compactable({ trashMs: 3 * hour, urgent: true })).toEqual([]);
  const [candidate] = await engine.compactable({ trashMs: hour, urgent: true });
  const one = (candidate?.deadBytes ?? 0) / 2;
  expect((await compact(1, hour)).freedBytes).toBe(2 * one);
  await clock.advance(2 * hour);
  expect((await engine.compactable({ trashMs: hour, urgent: true }))[0]?.deadBytes).toBe(one);
  expect((await compact(1, hour)).freedBytes).toBe(one);
  expect((await all(chunks)).filter((kind) => kind === "whole")).toHaveLength(3);
});

test("only a segment with a quarter of dead bytes is worth it, unless space is short; the most dead comes first", async () => {
  const chunks = await put(16);
  await remove(chunks[0], ...chunks.slice(5, 8));
  await clock.advance(2000);
  expect((await engine.compactable({ trashMs: 0, urgent: false })).map(({ segment }) => segment)).toEqual([2]);
  expect((await engine.compactable({ trashMs: 0, urgent: true })).map(({ segment }) => segment)).toEqual([2, 1]);
});

test("a generation whose record is gone stays deleted: late writes and copies of it are refused", async () => {
  const chunks = await put(6);
  await remove(...chunks.slice(0, 5));
  await clock.advance(2000);
  await compact(1);
  await reopen();
  const [late] = chunks as [TestChunk];
  for (const way of ["put", "adopt"] as const) {
    const outcome = await engine[way]({ group: group7, epoch: 9, ...late });
    expect([way, outcome.ok ? "ok" : outcome.error.kind]).toEqual([way, "stale"]);
  }
});

describe("what is left alone", () => {
  test("the segment that grows, and the newest one of an open group", async () => {
    const chunks = await put(7);
    await remove(...chunks);
    await clock.advance(2000);
    expect((await engine.compactable({ trashMs: 0, urgent: true })).map(({ segment }) => segment)).toEqual([1]);
    expect(await thrownKind(compact(2))).toBe("conflict");
    expect(await thrownKind(compact(9))).toBe("conflict");
    await engine.seal(group7);
    expect((await engine.compactable({ trashMs: 0, urgent: true })).map(({ segment }) => segment).sort()).toEqual([
      1, 2,
    ]);
    await compact(2);
    await reopen();
    expect(engine.digests()[0]).toMatchObject({ records: 0, sealed: true });
  });

  test("a segment with damage: what is found is set aside, and not a byte of it is dropped", async () => {
    const chunks = await put(6);
    await remove(chunks[0], chunks[1]);
    await clock.advance(2000);
    const damaged = chunks[3] as TestChunk;
    const place = (await engine.find(group7, damaged.id))?.offset ?? 0;
    await engine[Symbol.asyncDispose]();
    const file = await disk.open("g/7/00000001.seg", "write");
    for (const at of [place + 500]) {
      const byte = new Uint8Array(1);
      await file.read(byte, at);
      await file.write([Uint8Array.of((byte[0] ?? 0) ^ 1)], at);
    }
    await file.close();
    engine = await open();
    const size = await bytesOf(1);
    expect(await thrownKind(compact(1))).toBe("corrupt");
    expect(engine.quarantined(group7)).toMatchObject([{ segment: 1, generation: damaged.generation }]);
    expect(engine.changedSince(0).groups[0]?.records).toBe(3);
    expect(await bytesOf(1)).toBe(size);
    expect(await engine.compactable({ trashMs: 0, urgent: true })).toEqual([]);
    expect(await thrownKind(compact(1))).toBe("conflict");
    expect(await disk.list("g/7")).not.toContain("00000001.seg.new");
    expect(await all(chunks.slice(2))).toEqual(["whole", "corrupt", "whole", "whole"]);
  });

  test("a header that cannot be read is damage of the record that stands there", async () => {
    const chunks = await put(6);
    await remove(chunks[0], chunks[1]);
    await clock.advance(2000);
    const damaged = chunks[2] as TestChunk;
    const place = (await engine.find(group7, damaged.id))?.offset ?? 0;
    const file = await disk.open("g/7/00000001.seg", "write");
    await file.write([new Uint8Array(96)], place);
    await file.close();
    expect(await thrownKind(compact(1))).toBe("corrupt");
    expect(engine.quarantined(group7)).toMatchObject([{ segment: 1, offset: place, generation: damaged.generation }]);
  });

  test("a disk without room for the new segment, a reader that fails, a stop: all stays as it was", async () => {
    const chunks = await put(6);
    await remove(chunks[0], chunks[1]);
    await clock.advance(2000);
    const names = (await disk.list("g/7")).length;
    const stop = new AbortController();
    const stopped = engine.compact({
      ...{ group: group7, segment: 1, trashMs: 0, signal: stop.signal },
      pace: async () => stop.abort(),
    });
    expect(await thrownKind(stopped)).not.toBe("ok");
    expect((await disk.list("g/7")).length).toBe(names);
    await engine[Symbol.asyncDispose]();
    let failing = "write";
    const faulty = new FaultyDisk(disk, (call) =>
      call.path.endsWith(".seg.new") && call.operation === failing ? { fault: "no-space" } : undefined,
    );
    engine = await openEngine(engineEnv({ hasher, clock, log }), faulty, smallSegments);
    for (const name of ["write", "sync", "rename", "open"]) {
      failing = name;
      expect(await thrownKind(compact(1))).not.toBe("ok");
    }
    failing = "none";
    expect((await all(chunks)).filter((kind) => kind === "whole")).toHaveLength(4);
    expect((await compact(1)).freedBytes).toBeGreaterThan(4000);
  });

  test("an unfinished segment of a compaction that was cut off is thrown away at the next start", async () => {
    await put(6);
    const file = await disk.open("g/7/00000001.seg.new", "create");
    await file.write([new Uint8Array(9000)], 0);
    await file.close();
    await reopen();
    expect(await disk.list("g/7")).not.toContain("00000001.seg.new");
  });
});

describe("beside other work", () => {
  test("reads, writes, deletes, copies, scrubs and seals go on while segments are written anew", async () => {
    const chunks = await put(40);
    const dead = chunks.filter((_, index) => index % 2 === 0);
    await remove(...dead);
    await clock.advance(2000);
    let running = true;
    const wrong: string[] = [];
    const readers = [1, 2, 3].map(async (seed) => {
      for (let turn = seed; running; turn += 7) {
        const index = turn % chunks.length;
        const kind = await readBack(chunks[index]);
        if (kind !== (index % 2 === 0 ? "not-found" : "whole")) wrong.push(`${index}: ${kind}`);
        await new Promise((resolve) => setImmediate(resolve));
      }
    });
    const scrub = (async () => {
      for (; running; await new Promise((resolve) => setImmediate(resolve))) {
        const { damaged } = await engine.verify();
        if (damaged > 0) wrong.push(`${damaged} damaged`);
      }
    })();
    const writer = put(10, 100);
    for (const segment of [1, 2, 3, 4]) await compact(segment);
    await writer;
    await engine.seal(group7);
    for (const chunk of await Promise.all([200, 201].map((number) => chunkOf(hasher, number, 2300)))) {
      expect((await engine.adopt({ group: group7, epoch: 1, ...chunk })).ok).toBe(true);
    }
    await remove(chunks[1], chunks[3]);
    await clock.advance(2000);
    await compact(1);
    running = false;
    await Promise.all([...readers, scrub]);
    // The two that were deleted last may have been read before and after.
    expect(wrong.filter((it) => !/^[13]: not-found/.test(it))).toEqual([]);
    const digest = engine.digests();
    expect(digest[0]?.records).toBe(20 + 10 + 2 - 2);
    await reopen();
    expect(engine.digests()).toEqual(digest);
    expect((await engine.verify()).damaged).toBe(0);
    expect(log.lines).toEqual([]);
  });

  test("a group that is dropped meanwhile is gone, and nothing comes after", async () => {
    const chunks = await put(6);
    await remove(chunks[0], chunks[1]);
    await clock.advance(2000);
    let dropping: Promise<void> | undefined;
    const compacting = engine.compact({
      ...{ group: group7, segment: 1, trashMs: 0, signal: free.signal },
      pace: async () => {
        dropping ??= engine.dropGroup(group7);
        await dropping;
      },
    });
    expect(await thrownKind(compacting)).not.toBe("ok");
    expect(engine.holds(group7)).toBe(false);
    expect(await disk.exists("g/7")).toBe(false);
    expect(await engine.compactable({ trashMs: 0, urgent: true })).toEqual([]);
    expect(await thrownKind(engine.compact({ group: 8 as GroupId, segment: 1, trashMs: 0, ...free }))).toBe(
      "not-found",
    );
  });
});
