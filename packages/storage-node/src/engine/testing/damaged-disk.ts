import { NodeHasher } from "@cairn/env-node";
import { type DiskImage, type FaultyDisk, MemoryDisk, VirtualClock } from "@cairn/simulator";
import type { DiskEngine } from "../disk-engine.ts";
import {
  chunksOf,
  engineEnv,
  group7,
  ListLog,
  mustPut,
  openEngine,
  smallSegments,
  type TestChunk,
} from "./engine-fixture.ts";

export const hasher: NodeHasher = new NodeHasher();
export const segment1 = "g/7/00000001.seg";
export const index = "g/7/sealed.idx";
export const pageBytes = 4096;

export function open(disk: MemoryDisk | FaultyDisk, log = new ListLog()): Promise<DiskEngine> {
  return openEngine(engineEnv({ hasher, clock: new VirtualClock(), log }), disk, smallSegments);
}

export const chunks = (count: number, length = 200): Promise<TestChunk[]> => chunksOf(hasher, count, { length });

/** A disk with these chunks in group 7, one batch each. `crashed`: the checkpoint knows none of them as synced. */
export async function diskWith(all: readonly TestChunk[], { sealed = false, crashed = true } = {}): Promise<DiskImage> {
  const disk = new MemoryDisk();
  const engine = await open(disk);
  for (const chunk of all) await mustPut(engine, chunk);
  if (sealed) await engine.seal(group7);
  const image = disk.image();
  await engine[Symbol.asyncDispose]();
  return crashed ? image : disk.image();
}

export function changed(
  image: DiskImage,
  path: string,
  change: (bytes: Uint8Array) => Uint8Array | undefined,
): MemoryDisk {
  const files = new Map(image.files);
  const bytes = change((files.get(path) ?? new Uint8Array(0)).slice());
  if (bytes) files.set(path, bytes);
  else files.delete(path);
  return new MemoryDisk({ image: { ...image, files } });
}

export function flipped(image: DiskImage, path: string, at: number, bit = at % 8): MemoryDisk {
  return changed(image, path, (bytes) => {
    bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
    return bytes;
  });
}

/** What the engine has of each chunk: its bytes are right (`ok`), or why they are not served. */
export async function reads(engine: DiskEngine, all: readonly TestChunk[]): Promise<string[]> {
  return Promise.all(
    all.map(async (chunk) => {
      const read = await engine.read(group7, chunk.id).catch((error) => error as { kind: string });
      if ("kind" in read) return read.kind;
      return Buffer.compare(read.bytes, chunk.bytes) === 0 ? "ok" : "WRONG BYTES";
    }),
  );
}
