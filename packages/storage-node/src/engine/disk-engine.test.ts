import { NodeHasher } from "@cairn/env-node";
import { type GroupId, unwrap } from "@cairn/protocol";
import { FaultyDisk, MemoryDisk, VirtualClock } from "@cairn/simulator";
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
let disk: MemoryDisk;

beforeEach(() => {
  clock = new VirtualClock();
  disk = new MemoryDisk();
});

function open(on = disk, options: Partial<EngineOptions> = smallSegments): Promise<DiskEngine> {
  return openEngine(engineEnv({ hasher, clock }), on, options);
}

const chunks = (count: number, length?: number): Promise<TestChunk[]> => chunksOf(hasher, count, { length });

describe("ordinary use", () => {
  test("a chunk that was put is read back after a restart, with its CRCs", async () => {
    const chunk = await chunkOf(hasher, 1, 200_000);
    await using first = await open();
    await mustPut(first, chunk);
    await first[Symbol.asyncDispose]();

    await using engine = await open();
    const blocks = await engine.read(group7, chunk.id);
    expect(blocks.bytes).toEqual(chunk.bytes);
    expect(blocks).toMatchObject({ generation: chunk.generation, chunkLength: 200_000, offset: 0 });
    expect([...blocks.crcs]).toEqual(
      [0, 65536, 131072, 196608].map((at) => hasher.crc32c(chunk.bytes.subarray(at, at + 65536))),
    );
    expect(await engine.find(group7, chunk.id)).toMatchObject({ generation: chunk.generation, length: 200_000 });
  });

  test("a range is answered with the blocks that cover it", async () => {
    const chunk = await chunkOf(hasher, 1, 200_000);
    await using engine = await open();
    await mustPut(engine, chunk);
    const blocks = await engine.read(group7, chunk.id, { offset: 70_000, length: 10 });
    expect(blocks.offset).toBe(65_536);
    expect(blocks.bytes).toEqual(chunk.bytes.subarray(65_536, 131_072));
    const start = await engine.read(group7, chunk.id, { offset: 0, length: 1 });
    expect(start.bytes).toEqual(chunk.bytes.subarray(0, 65_536));
    expect(await thrownKind(engine.read(group7, chunk.id, { offset: 199_999, length: 2 }))).toBe("range");
  });

  test("an empty chunk is kept like any other", async () => {
    const chunk = await chunkOf(hasher, 1, 0);
    await using engine = await open();
    await mustPut(engine, chunk);
    expect((await engine.read(group7, chunk.id)).bytes.length).toBe(0);
  });

  test("a chunk that was never put, and a group that is not here, are not found", async () => {
    const chunk = await chunkOf(hasher, 1);
    await using engine = await open();
    expect(await thrownKind(engine.read(group7, chunk.id))).toBe("not-found");
    await mustPut(engine, await chunkOf(hasher, 2));
    expect(await thrownKind(engine.read(group7, chunk.id))).toBe("not-found");
    expect(await engine.find(group7, chunk.id)).toBeUndefined();
  });

  test("an inventory has every chunk once, in order of id and generation, page by page, before and after the seal", async () => {
    const all = await chunks(200, 40);
    await using engine = await open();
    await engine.putMany(all.map((chunk) => putOf(chunk)));
    const again = {
      ...(all[0] as TestChunk),
      generation: ((all[0] as TestChunk).generation + 500) as TestChunk["generation"],
    };
    await mustPut(engine, again);
    const expected = [...all, again]
      .map(({ id, generation, bytes }) => ({ id, generation, length: bytes.length }))
      .sort((a, b) => (a.id === b.id ? a.generation - b.generation : a.id < b.id ? -1 : 1));
    expect(await wholeInventory(engine, 33)).toEqual(expected);
    await engine.seal(group7);
    expect(await wholeInventory(engine, 33)).toEqual(expected);
    expect(await wholeInventory(engine, 1000)).toEqual(expected);
    expect(await thrownKind(engine.inventory(group7, "nonsense", 10))).toBe("invalid");
  });

  test("the digest of a group is the same on every disk that holds the same, whatever the order, restart, seal or history of deletes", async () => {
    const all = await chunks(30);
    const other = new MemoryDisk();
    await using one = await open();
    await using two = await open(other);
    for (const chunk of all) await mustPut(one, chunk);
    await two.putMany(
      [...all]
        .reverse()
        .slice(0, 25)
        .map((chunk) => putOf(chunk)),
    );
    await one.deleteExact(all.slice(0, 5).map((chunk) => ({ group: group7, ...chunk })));
    const [want] = two.digests();
    expect(want).toMatchObject({ records: 25, sealed: false });
    expect(one.digests()).toEqual([want]);

    await one[Symbol.asyncDispose]();
    await using restarted = await open();
    expect(restarted.digests()).toEqual([want]);
    await restarted.seal(group7);
    expect(restarted.digests()).toEqual([{ ...want, sealed: true }]);
    await restarted.deleteExact([{ group: group7, ...(all[10] as TestChunk) }]);
    const [fewer] = restarted.digests();
    expect(fewer).toMatchObject({ records: 24 });
    await restarted[Symbol.asyncDispose]();
    await using sealed = await open();
    expect(sealed.digests()).toEqual([fewer]);
  });
});

describe("puts", () => {
  test("bytes that do not have the hash they are named by are refused, and nothing is kept", async () => {
    const chunk = await chunkOf(hasher, 1);
    await using engine = await open();
    const wrong = { ...chunk, bytes: chunk.bytes.map((byte, at) => (at === 5 ? byte ^ 1 : byte)) };
    expect(kindOf(await engine.put(putOf(wrong)))).toBe("invalid");
    expect(await engine.find(group7, chunk.id)).toBeUndefined();
    expect(engine.digests()).toEqual([]);
  });

  test("an epoch below the highest that the group has seen is stale, also after a restart", async () => {
    const [a, b, c] = (await chunks(3)) as [TestChunk, TestChunk, TestChunk];
    await using first = await open();
    await mustPut(first, a, { epoch: 5 });
    expect(kindOf(await first.put(putOf(b, { epoch: 4 })))).toBe("stale");
    await first[Symbol.asyncDispose]();
    await using engine = await open();
    expect(kindOf(await engine.put(putOf(b, { epoch: 4 })))).toBe("stale");
    expect(kindOf(await engine.put(putOf(b, { epoch: 5 })))).toBe("ok");
    expect(kindOf(await engine.put(putOf(c, { group: 8 as GroupId, epoch: 1 })))).toBe("ok");
  });

  test("putting the same generation again succeeds and keeps one record", async () => {
    const chunk = await chunkOf(hasher, 1);
    await using engine = await open();
    const outcomes = await engine.putMany([putOf(chunk), putOf(chunk), putOf(chunk)]);
    expect(outcomes.map(kindOf)).toEqual(["ok", "ok", "ok"]);
    await mustPut(engine, chunk);
    expect(engine.digests()).toMatchObject([{ records: 1, bytes: 300 }]);
    await engine.seal(group7);
    await mustPut(engine, chunk);
    expect(await wholeInventory(engine, 10)).toHaveLength(1);
  });

  test("a batch keeps the order of its items and gives each its own outcome", async () => {
    const [a, b, c] = (await chunks(3)) as [TestChunk, TestChunk, TestChunk];
    await using engine = await open();
    await mustPut(engine, a, { epoch: 2 });
    const outcomes = await engine.putMany([putOf(b, { epoch: 2 }), { ...putOf(c, { epoch: 2 }), id: a.id }, putOf(c)]);
    expect(outcomes.map(kindOf)).toEqual(["ok", "invalid", "stale"]);
  });

  test("puts that come together share one write and one sync", async () => {
    const faulty = new FaultyDisk(disk);
    const calls = new Map<string, number>();
    await using engine = await open(faulty as unknown as MemoryDisk, { segmentBytes: 2 ** 20 });
    await mustPut(engine, await chunkOf(hasher, 99));
    faulty.plan = ({ operation }) => {
      calls.set(operation, (calls.get(operation) ?? 0) + 1);
      return undefined;
    };
    await engine.putMany((await chunks(64)).map((chunk) => putOf(chunk)));
    expect(calls.get("write")).toBe(1);
    expect(calls.get("sync")).toBe(1);
  });

  test("puts that come while a batch is synced form the next batch", async () => {
    const faulty = new FaultyDisk(disk);
    await using engine = await open(faulty as unknown as MemoryDisk, { segmentBytes: 2 ** 20 });
    await mustPut(engine, await chunkOf(hasher, 99));
    const all = await chunks(21);
    let later: Promise<unknown>[] = [];
    let syncs = 0;
    faulty.plan = ({ operation }) => {
      if (operation === "sync" && ++syncs === 1) later = all.slice(1).map((chunk) => engine.put(putOf(chunk)));
      return undefined;
    };
    await mustPut(engine, all[0] as TestChunk);
    await Promise.all(later);
    expect(syncs).toBe(2);
    expect(engine.digests()).toMatchObject([{ records: 22 }]);
  });

  test("what waits beyond the limit is refused as overloaded, not queued", async () => {
    await using engine = await open(disk, { ...smallSegments, waitingRecordsMax: 4, batchRecordsMax: 2 });
    await mustPut(engine, await chunkOf(hasher, 99));
    const kinds = (await engine.putMany((await chunks(20)).map((chunk) => putOf(chunk)))).map(kindOf);
    expect(new Set(kinds)).toEqual(new Set(["ok", "overloaded"]));
    expect(engine.digests()).toMatchObject([{ records: 1 + kinds.filter((kind) => kind === "ok").length }]);
  });

  test("a segment ends when the next batch would make it too long", async () => {
    await using engine = await open();
    for (const chunk of await chunks(20, 4000)) await mustPut(engine, chunk);
    const segments = (await disk.list("g/7")).filter((name) => /^\d{8}\.seg$/.test(name));
    expect(segments.length).toBeGreaterThan(5);
    for (const chunk of await chunks(20, 4000))
      expect((await engine.read(group7, chunk.id)).bytes).toEqual(chunk.bytes);
  });

  test("a sealed group takes no new chunk, before and after a restart, and serves those it has", async () => {
    const [a, b] = (await chunks(2)) as [TestChunk, TestChunk];
    await using engine = await open();
    await mustPut(engine, a);
    await engine.seal(group7);
    await engine.seal(group7);
    expect(kindOf(await engine.put(putOf(b)))).toBe("unavailable");
    await engine[Symbol.asyncDispose]();
    await using restarted = await open();
    expect(kindOf(await restarted.put(putOf(b)))).toBe("unavailable");
    expect((await restarted.read(group7, a.id)).bytes).toEqual(a.bytes);
    expect(restarted.digests()).toMatchObject([{ records: 1, sealed: true }]);
  });

  test("a closed engine refuses puts", async () => {
    const engine = await open();
    await engine[Symbol.asyncDispose]();
    expect(kindOf(await engine.put(putOf(await chunkOf(hasher, 1))))).toBe("unavailable");
  });
});

describe("deletes", () => {
  test("exactly the generation that is named goes away, for good", async () => {
    const a = await chunkOf(hasher, 1);
    const newer = { ...a, generation: (a.generation + 1) as TestChunk["generation"] };
    await using engine = await open();
    await mustPut(engine, a);
    await mustPut(engine, newer);
    expect((await engine.deleteExact([{ group: group7, ...a }])).map(kindOf)).toEqual(["ok"]);
    expect((await engine.read(group7, a.id)).generation).toBe(newer.generation);
    await engine.deleteExact([{ group: group7, ...newer }]);
    expect(await thrownKind(engine.read(group7, a.id))).toBe("not-found");
    await engine[Symbol.asyncDispose]();
    await using restarted = await open();
    expect(await thrownKind(restarted.read(group7, a.id))).toBe("not-found");
    expect(restarted.digests()).toMatchObject([{ records: 0, bytes: 0, digest: "0000000000000000" }]);
  });

  test("the bytes of a deleted chunk stay in the segment", async () => {
    const a = await chunkOf(hasher, 1);
    await using engine = await open();
    await mustPut(engine, a);
    const before = (await disk.image()).files.get("g/7/00000001.seg");
    await engine.deleteExact([{ group: group7, ...a }]);
    expect((await disk.image()).files.get("g/7/00000001.seg")).toEqual(before);
  });

  test("what is not there counts as deleted and leaves nothing behind", async () => {
    const [a, b] = (await chunks(2)) as [TestChunk, TestChunk];
    await using engine = await open();
    await mustPut(engine, a);
    const outcomes = await engine.deleteExact([
      { group: group7, ...b },
      { group: 99 as GroupId, ...b },
    ]);
    expect(outcomes.map(kindOf)).toEqual(["ok", "ok"]);
    expect(await disk.exists("g/7/tombstones.seg")).toBe(false);
  });

  test("a late put of a generation that was deleted is refused, so that nobody believes it is kept", async () => {
    const a = await chunkOf(hasher, 1);
    await using engine = await open();
    await mustPut(engine, a);
    await engine.deleteExact([{ group: group7, ...a }]);
    expect(kindOf(await engine.put(putOf(a)))).toBe("stale");
    expect(kindOf(await engine.put(putOf({ ...a, generation: (a.generation + 1) as TestChunk["generation"] })))).toBe(
      "ok",
    );
    expect((await engine.read(group7, a.id)).bytes).toEqual(a.bytes);
  });

  test("chunks of a sealed group can be deleted", async () => {
    const all = await chunks(5);
    await using engine = await open();
    await engine.putMany(all.map((chunk) => putOf(chunk)));
    await engine.seal(group7);
    await engine.deleteExact([{ group: group7, ...(all[2] as TestChunk) }]);
    await engine[Symbol.asyncDispose]();
    await using restarted = await open();
    expect(await wholeInventory(restarted, 2)).toHaveLength(4);
  });
});

describe("what changed since the last heartbeat", () => {
  test("only the groups that were touched after a mark are told", async () => {
    const [a, b] = (await chunks(2)) as [TestChunk, TestChunk];
    await using engine = await open();
    await mustPut(engine, a, { group: 1 as GroupId });
    await mustPut(engine, a, { group: 2 as GroupId });
    const { mark, groups } = engine.changedSince(0);
    expect(groups.map(({ group }) => group)).toEqual([1, 2]);
    expect(engine.changedSince(mark).groups).toEqual([]);
    await mustPut(engine, b, { group: 2 as GroupId });
    expect(engine.changedSince(mark).groups).toMatchObject([{ group: 2, records: 2 }]);
    const second = engine.changedSince(mark).mark;
    await engine.seal(1 as GroupId);
    await engine.deleteExact([{ group: 2 as GroupId, ...a }]);
    expect(engine.changedSince(second).groups).toMatchObject([
      { group: 1, sealed: true },
      { group: 2, records: 1 },
    ]);
  });
});

test("verify reads everything and finds nothing wrong with sound records", async () => {
  await using engine = await open();
  await engine.putMany((await chunks(20)).map((chunk) => putOf(chunk)));
  await engine.putMany((await chunks(10)).map((chunk) => putOf(chunk, { group: 8 as GroupId })));
  await engine.seal(group7);
  expect(await engine.verify()).toEqual({ records: 30, damaged: 0 });
});

test("open files for reading are bounded and closed in the end", async () => {
  let openFiles = 0;
  let most = 0;
  const counting = new Proxy(disk, {
    get(target, name) {
      if (name !== "open") {
        const member = target[name as keyof MemoryDisk];
        return typeof member === "function" ? member.bind(target) : member;
      }
      return async (path: string, mode: "read") => {
        const file = await target.open(path, mode);
        most = Math.max(most, ++openFiles);
        const close = file.close.bind(file);
        file.close = async () => {
          openFiles--;
          await close();
        };
        return file;
      };
    },
  });
  const all = await chunks(40, 4000);
  const engine = await open(counting, { ...smallSegments, filesMax: 3 });
  for (const chunk of all) unwrap(await engine.put(putOf(chunk)));
  most = 0;
  await Promise.all(all.map((chunk) => engine.read(group7, chunk.id)));
  for (const chunk of all) await engine.read(group7, chunk.id);
  await engine.seal(group7);
  await engine.deleteExact(all.map((chunk) => ({ group: group7, ...chunk })));
  expect(openFiles).toBeLessThanOrEqual(3);
  await engine[Symbol.asyncDispose]();
  expect(openFiles).toBe(0);
});

async function wholeInventory(engine: DiskEngine, limit: number): Promise<unknown[]> {
  const all: unknown[] = [];
  let cursor: string | undefined;
  do {
    const page = await engine.inventory(group7, cursor, limit);
    expect(page.chunks.length).toBeLessThanOrEqual(limit);
    all.push(...page.chunks);
    cursor = page.cursor;
  } while (cursor !== undefined);
  return all;
}
