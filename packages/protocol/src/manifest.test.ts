import fc from "fast-check";
import { expect, test } from "vitest";
import { isKind } from "./errors.ts";
import { chunkIdFromHash, type GroupId } from "./ids.ts";
import { limits } from "./limits.ts";
import { decodeManifest, encodeManifest, type ManifestEntry, manifestEntryBytes } from "./manifest.ts";

const entry: fc.Arbitrary<ManifestEntry> = fc.record({
  id: fc.uint8Array({ minLength: 32, maxLength: 32 }).map(chunkIdFromHash),
  length: fc.integer({ min: 1, max: limits.chunkBytesMax }),
  group: fc.integer({ min: 1, max: 2 ** 32 - 1 }).map((value) => value as GroupId),
});

function isCorrupt(bytes: Uint8Array): boolean {
  try {
    decodeManifest(bytes);
    return false;
  } catch (error) {
    return isKind(error, "corrupt");
  }
}

test("a manifest gives back its entries, 40 bytes each, wherever the bytes lie", () => {
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 20 }), fc.nat({ max: 7 }), (entries, shift) => {
      const bytes = encodeManifest(entries);
      expect(bytes.length).toBe(entries.length * manifestEntryBytes);
      const moved = new Uint8Array(bytes.length + shift);
      moved.set(bytes, shift);
      expect(decodeManifest(moved.subarray(shift))).toEqual(entries);
    }),
  );
});

test("an entry is hash, length and group, little-endian", () => {
  const id = chunkIdFromHash(Uint8Array.from({ length: 32 }, (_, index) => index));
  const bytes = encodeManifest([{ id, length: 0x01_02_03, group: 0x0a_0b_0c_0d as GroupId }]);
  expect(Buffer.from(bytes).toString("hex")).toBe(`${id}030201000d0c0b0a`);
});

test("bytes that cannot be a manifest are corrupt", () => {
  const [first] = fc.sample(entry, 1) as [ManifestEntry];
  const good = encodeManifest([first, first]);
  expect(isCorrupt(good)).toBe(false);
  for (const length of [1, 39, 41, 79]) expect(isCorrupt(good.subarray(0, length))).toBe(true);
  expect(isCorrupt(good.with(72, 0).with(73, 0).with(74, 0).with(75, 0))).toBe(true);
  expect(isCorrupt(good.with(75, 255))).toBe(true);
  expect(isCorrupt(good.fill(0, 76))).toBe(true);
});

test("an entry that does not fit its fields is a bug, never a cut number", () => {
  const [first] = fc.sample(entry, 1) as [ManifestEntry];
  expect(() => encodeManifest([{ ...first, group: (2 ** 32) as GroupId }])).toThrow(/Broken invariant/);
  expect(() => encodeManifest([{ ...first, length: 0 }])).toThrow(/Broken invariant/);
});
