import { NodeHasher } from "@cairn/env-node";
import { type ChunkLocator, type ChunkRead, type ChunkService, StorageError } from "@cairn/protocol";
import { MemoryDisk, VirtualClock } from "@cairn/simulator";
import { beforeEach, describe, expect, test } from "vitest";
import type { DiskEngine } from "../engine/index.ts";
import { chunkOf, engineEnv, group7, mustPut, openEngine, thrownKind } from "../engine/testing/engine-fixture.ts";
import { LocalDisks } from "./local-disks.ts";
import { shortCircuitAt } from "./short-circuit-chunks.ts";

const hasher = new NodeHasher();
const chunk = await chunkOf(hasher, 1, 200_000);
const other = await chunkOf(hasher, 2, 200_000);
const token = "a good token";
const read: ChunkRead = { id: chunk.id, group: group7, token };

let clock: VirtualClock;
let disk: MemoryDisk;
let engine: DiskEngine;
/** Reads that the node has answered with bytes. */
let served: number;

beforeEach(async () => {
  clock = new VirtualClock();
  disk = new MemoryDisk();
  engine = await openEngine(engineEnv({ hasher, clock }), disk);
  await mustPut(engine, chunk);
  await mustPut(engine, other);
  served = 0;
});

/** A node's service as far as reads need it, over the engine that ships. */
function node(changes: Partial<ChunkLocator> = {}): ChunkService & ChunkLocator {
  const locate: ChunkLocator["locate"] = async ({ id, group, token: given }) => {
    if (given !== token) throw new StorageError("unauthenticated", "find chunk", id);
    const found = await engine.find(group, id);
    if (!found) throw new StorageError("not-found", "find chunk", id);
    return { disk: engine.identity.disk, ...found };
  };
  const get: ChunkService["get"] = async ({ id, group, range }) => {
    served++;
    const { bytes, offset, chunkLength } = await engine.read(group, id, range);
    const start = (range?.offset ?? 0) - offset;
    return bytes.subarray(start, start + (range?.length ?? chunkLength));
  };
  return { get, locate, ...changes } as ChunkService & ChunkLocator;
}

function service(folders: readonly MemoryDisk[] = [disk], at = node()): ChunkService {
  return shortCircuitAt(() => at, { hasher, disks: new LocalDisks(clock, folders) })("http://node");
}

function isChunk(bytes: Uint8Array): boolean {
  return Buffer.compare(bytes, chunk.bytes) === 0;
}

async function flipAt(offset: number): Promise<void> {
  const place = await engine.find(group7, chunk.id);
  const file = await disk.open("g/7/00000001.seg", "write");
  const byte = new Uint8Array(1);
  await file.read(byte, (place?.offset ?? 0) + offset);
  await file.write([Uint8Array.of((byte[0] ?? 0) ^ 1)], (place?.offset ?? 0) + offset);
  await file.close();
}

describe("a read of a disk of this machine", () => {
  test("takes the bytes from the file, whole and in part", async () => {
    const chunks = service();
    expect(isChunk(await chunks.get(read))).toBe(true);
    for (const [offset, length] of [
      [0, 1],
      [65_535, 2],
      [70_000, 100_000],
      [199_999, 1],
      [5, 0],
    ] as const) {
      const part = await chunks.get({ ...read, range: { offset, length } });
      expect(Buffer.compare(part, chunk.bytes.subarray(offset, offset + length))).toBe(0);
    }
    expect(served).toBe(0);
  });

  test("is refused as the node refuses it, and nothing is read", async () => {
    expect(await thrownKind(service().get({ ...read, token: "a bad one" }))).toBe("unauthenticated");
    expect(await thrownKind(service().get({ ...read, id: (await chunkOf(hasher, 3)).id }))).toBe("not-found");
    expect(served).toBe(0);
  });

  test.each([
    ["header", 60],
    ["table of CRCs", 97],
    ["payload", 150_000],
  ])("is the node's affair when the %s is damaged: it sets the copy aside", async (_, offset) => {
    await flipAt(offset);
    expect(await thrownKind(service().get(read))).toBe("corrupt");
    expect(served).toBe(1);
    expect(engine.quarantined(group7)).toHaveLength(1);
  });

  test("is the node's affair when another record stands where the chunk stood", async () => {
    const moved = node({ locate: (it) => node().locate({ ...it, id: other.id }) });
    expect(isChunk(await service([disk], moved).get(read))).toBe(true);
    const gone = node({ locate: async (it) => ({ ...(await node().locate(it)), segment: 9 }) });
    expect(isChunk(await service([disk], gone).get(read))).toBe(true);
    expect(served).toBe(2);
  });
});

describe("a read of a disk elsewhere", () => {
  test("goes to the node", async () => {
    expect(isChunk(await service([new MemoryDisk()]).get(read))).toBe(true);
    expect(served).toBe(1);
  });

  test("finds a disk that is made later, without looking all the time", async () => {
    const folder = new MemoryDisk();
    const chunks = service([folder]);
    await chunks.get(read);
    const identity = await disk.open("disk.json", "read");
    const bytes = new Uint8Array(await identity.size());
    await identity.read(bytes, 0);
    await (await folder.open("disk.json", "create")).write([bytes], 0);
    await folder.makeFolder("g/7");
    const segment = await disk.open("g/7/00000001.seg", "read");
    const copy = new Uint8Array(await segment.size());
    await segment.read(copy, 0);
    await (await folder.open("g/7/00000001.seg", "create")).write([copy], 0);

    await chunks.get(read);
    expect(served).toBe(2);
    await clock.advance(10_000);
    await chunks.get(read);
    expect(served).toBe(2);
  });
});
