import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { recordOf, WrittenSegment } from "../testing/written-segment.ts";
import { FileWindow } from "./file-window.ts";
import type { Depth } from "./layout.ts";
import { walkSegment } from "./segment-walk.ts";

const folder = mkdtempSync(join(tmpdir(), "cairn-fsck-"));
afterAll(() => rmSync(folder, { recursive: true }));

const payloads = [1, 7, 65_536, 65_537, 300_000].map((length) => Buffer.alloc(length, length));

/** What a walk finds, as short words. */
async function walk(
  bytes: Uint8Array,
  {
    depth = "checksums",
    unsyncedFrom = Number.POSITIVE_INFINITY,
    windowBytes = 8192,
  }: { depth?: Depth; unsyncedFrom?: number; windowBytes?: number } = {},
): Promise<readonly string[]> {
  const path = join(folder, "segment");
  writeFileSync(path, bytes);
  await using file = await open(path, "r");
  const window = new FileWindow(file, { end: bytes.length, windowBytes, tell: () => undefined });
  const found: string[] = [];
  for await (const stretch of walkSegment(window, { depth, unsyncedFrom })) {
    if (stretch.is === "record") found.push(`${stretch.offset} ${stretch.header.type} ${stretch.fault ?? "good"}`);
    else found.push(`${stretch.offset} ${stretch.is} to ${stretch.end}`);
  }
  return found;
}

function segmentOf(...parts: readonly Uint8Array[]): { bytes: Buffer; offsets: readonly number[] } {
  const segment = new WrittenSegment();
  const offsets = parts.map((part) => segment.chunk(part));
  return { bytes: segment.bytes, offsets };
}

test.each(["headers", "checksums", "hashes"] as const)(
  "all records of a sound segment are found, reading %s",
  async (depth) => {
    const { bytes, offsets } = segmentOf(...payloads);
    for (const windowBytes of [96, 4096, 1 << 20]) {
      expect(await walk(bytes, { depth, windowBytes })).toEqual(offsets.map((offset) => `${offset} chunk good`));
    }
  },
);

test("a damaged record costs itself alone, whatever of it is damaged", async () => {
  const { bytes, offsets } = segmentOf(...payloads);
  const [first = 0, second = 0, third = 0] = offsets;
  const at = (offset: number): Buffer => {
    const damaged = Buffer.from(bytes);
    damaged[offset] = (damaged[offset] ?? 0) ^ 16;
    return damaged;
  };
  const expected = (words: string) => [
    `${first} chunk good`,
    words,
    ...offsets.slice(2).map((it) => `${it} chunk good`),
  ];
  expect(await walk(at(second))).toEqual(expected(`${second} gap to ${third}`));
  expect(await walk(at(second + 40))).toEqual(expected(`${second} gap to ${third}`));
  expect(await walk(at(second + 96))).toEqual(expected(`${second} chunk its table of checksums is damaged`));
  expect(await walk(at(second + 100))).toEqual(expected(`${second} chunk block 0 of its bytes is damaged`));
  expect(await walk(at(third - 8))).toEqual(expected(`${second} chunk the length at its end is wrong`));
  expect(await walk(at(third - 1))).toEqual(expected(`${second} chunk the checksum at its end is wrong`));
});

test("a flipped bit anywhere in a record is found", async () => {
  const { bytes, offsets } = segmentOf(Buffer.alloc(8, 1), Buffer.alloc(21, 2), Buffer.alloc(8, 3));
  const [, second = 0, third = 0] = offsets;
  for (let offset = second; offset < third; offset++) {
    // Padding is not covered by a checksum, and nobody reads it.
    if (offset >= second + 96 + 4 + 21 && offset < third - 8) continue;
    const damaged = Buffer.from(bytes);
    damaged[offset] = (damaged[offset] ?? 0) ^ (1 << (offset % 8));
    const found = await walk(damaged);
    expect(found[1], String(offset - second)).not.toBe(`${second} chunk good`);
    expect(found.at(-1)).toBe(`${third} chunk good`);
  }
});

test("what stands behind the last synced byte and has nothing sound behind it is an append that did not end", async () => {
  const { bytes, offsets } = segmentOf(...payloads);
  const last = offsets.at(-1) ?? 0;
  for (const cut of [bytes.length - 1, bytes.length - 200_000, last + 96, last + 50, last + 8]) {
    const torn = bytes.subarray(0, cut);
    expect((await walk(torn, { unsyncedFrom: last })).at(-1)).toBe(`${last} unfinished to ${cut}`);
    expect((await walk(torn)).at(-1)).not.toMatch(/unfinished/);
    expect((await walk(torn, { unsyncedFrom: last + 8 })).at(-1)).not.toMatch(/unfinished/);
  }
  const damaged = Buffer.from(bytes);
  damaged[(offsets[1] ?? 0) + 40] = 99;
  expect((await walk(damaged, { unsyncedFrom: 4096 }))[1]).toMatch(/gap/);
});

test("a user's bytes that look like a record are not taken for one behind damage", async () => {
  const forged = recordOf({
    type: 1,
    payload: Buffer.from("not what it says"),
    generation: 5,
    group: 3,
    hash: Buffer.alloc(32, 9),
  });
  const tombstone = recordOf({
    type: 2,
    payload: Buffer.alloc(0),
    generation: 16_777_217,
    group: 3,
    hash: Buffer.alloc(32, 9),
  });
  const { bytes, offsets } = segmentOf(
    Buffer.alloc(16, 1),
    Buffer.concat([Buffer.alloc(4), forged, tombstone]),
    Buffer.alloc(16, 2),
  );
  const [first, second = 0, third = 0] = offsets;
  bytes[second + 20] = 77;
  const found = await walk(bytes);
  expect(found[0]).toBe(`${first} chunk good`);
  expect(found.at(-1)).toBe(`${third} chunk good`);
  expect(found.slice(1, -1).join()).not.toMatch(/chunk good/);
});

test("a chunk whose checksums fit other bytes than its hash is found when hashes are read", async () => {
  const segment = new WrittenSegment();
  const offset = segment.record({
    type: 1,
    payload: Buffer.from("other bytes"),
    generation: 5,
    hash: Buffer.alloc(32, 1),
  });
  expect(await walk(segment.bytes)).toEqual([`${offset} chunk good`]);
  expect(await walk(segment.bytes, { depth: "hashes" })).toEqual([
    `${offset} chunk its bytes are not those that its hash names`,
  ]);
});
