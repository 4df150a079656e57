import { MemoryDisk, VirtualClock } from "@cairn/simulator";
import { describe, expect, test } from "vitest";
import { DiskEngine } from "./disk-engine.ts";
import { initialiseDisk } from "./disk-identity.ts";
import { changed, chunks, diskWith, hasher, index, open, reads, segment1 } from "./testing/damaged-disk.ts";
import {
  engineEnv,
  group7,
  identity,
  kindOf,
  mustPut,
  putOf,
  smallSegments,
  type TestChunk,
} from "./testing/engine-fixture.ts";

describe("the index of a sealed group is only a help", () => {
  const cases: [string, (idx: Uint8Array, other: Uint8Array) => Uint8Array | undefined][] = [
    ["missing", () => undefined],
    ["empty", () => new Uint8Array(0)],
    ["cut off", (bytes) => bytes.slice(0, bytes.length - 1)],
    ["longer", (bytes) => Buffer.concat([bytes, new Uint8Array(1)])],
    ["damaged in its header", (bytes) => bytes.fill(0xff, 20, 21)],
    ["damaged in its table of pages", (bytes) => bytes.fill(0x5a, 4097, 4098)],
    ["damaged in a page of entries", (bytes) => bytes.fill(0xff, bytes.length - 4000, bytes.length - 3999)],
    ["of another disk", (_, other) => other],
  ];
  test.each(cases)("%s: made anew from the segments", async (_, change) => {
    const all = await chunks(5);
    const image = await diskWith(all, { sealed: true });
    const alien = new MemoryDisk();
    const foreign = await foreignIndex(all, alien);
    const disk = changed(image, index, (bytes) => change(bytes, foreign));
    await using engine = await open(disk);
    expect(engine.digests()).toMatchObject([{ records: 5, sealed: true }]);
    expect(await reads(engine, all)).toEqual(Array(5).fill("ok"));
    expect((await engine.inventory(group7, undefined, 10)).chunks).toHaveLength(5);
    expect(disk.image().files.get(index)).toEqual(image.files.get(index));
  });

  test("older than the segments: made anew", async () => {
    const [first, ...rest] = await chunks(5);
    const old = await diskWith([first as TestChunk], { sealed: true });
    const image = await diskWith([first as TestChunk, ...rest], { sealed: true });
    const disk = changed(image, index, () => old.files.get(index));
    await using engine = await open(disk);
    expect(await reads(engine, [first as TestChunk, ...rest])).toEqual(Array(5).fill("ok"));
  });

  test("damaged, cut or removed under a running engine: made anew, and no chunk is called missing", async () => {
    const all = await chunks(5);
    const disk = new MemoryDisk();
    await using engine = await open(disk);
    await engine.putMany(all.map((chunk) => putOf(chunk)));
    await engine.seal(group7);
    const file = await disk.open(index, "write");
    await file.write([new Uint8Array(4096)], (await file.size()) - 4096);
    expect(await reads(engine, all)).toEqual(Array(5).fill("ok"));
    await disk.remove(index);
    await engine[Symbol.asyncDispose]();
    await using again = await open(disk);
    await disk.remove(index);
    expect(await reads(again, all)).toEqual(Array(5).fill("ok"));
    expect((await again.inventory(group7, undefined, 10)).chunks).toHaveLength(5);
  });

  test("a segment that is gone makes its chunks damaged, not unknown", async () => {
    const all = await chunks(5);
    const image = await diskWith(all, { sealed: true });
    const disk = new MemoryDisk({ image });
    await using engine = await open(disk);
    await disk.remove(segment1);
    expect((await reads(engine, all)).every((kind) => kind === "corrupt")).toBe(true);
    expect(kindOf(await engine.put(putOf(all[0] as TestChunk)))).toBe("unavailable");
  });
});

async function foreignIndex(all: readonly TestChunk[], disk: MemoryDisk): Promise<Uint8Array> {
  await initialiseDisk(disk, { ...identity, uuid: "ab".repeat(16) });
  const env = engineEnv({ hasher, clock: new VirtualClock() });
  const options = { expected: { ...identity, uuid: "ab".repeat(16) }, options: smallSegments };
  await using engine = await DiskEngine.open(env, disk, options);
  for (const chunk of all)
    await mustPut(engine, { ...chunk, generation: (chunk.generation + 1) as TestChunk["generation"] });
  await engine.seal(group7);
  return disk.image().files.get(index) ?? new Uint8Array(0);
}
