import fc from "fast-check";
import { expect, test } from "vitest";
import {
  chunkIdFromHash,
  generationOf,
  generationsPerLease,
  hashOfChunkId,
  type LeaseId,
  leaseOfGeneration,
  parseChunkId,
  parseDiskId,
  parseGeneration,
  parseGroupId,
  parseLeaseId,
  parseNodeId,
} from "./ids.ts";

test("a chunk id is its hash in hex", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (hash) => {
      expect(hashOfChunkId(parseChunkId(chunkIdFromHash(hash)))).toEqual(hash);
    }),
  );
  for (const text of [
    "",
    "a".repeat(63),
    "a".repeat(65),
    "A".repeat(64),
    `${"a".repeat(63)}g`,
    `../${"a".repeat(61)}`,
  ]) {
    expect(() => parseChunkId(text)).toThrow(/invalid/);
  }
  expect(() => parseChunkId(`${"a".repeat(64)}\n`)).toThrow(/invalid/);
});

test("a generation tells its lease, stays exact, and generations of later leases are higher", () => {
  const lease = fc.integer({ min: 1, max: 2 ** 29 - 1 }).map((id) => id as LeaseId);
  const counter = fc.integer({ min: 0, max: generationsPerLease - 1 });
  fc.assert(
    fc.property(lease, counter, lease, counter, (a, i, b, j) => {
      const generation = generationOf(a, i);
      expect(leaseOfGeneration(generation)).toBe(a);
      expect(parseGeneration(generation)).toBe(generation);
      expect(Math.sign(generation - generationOf(b, j))).toBe(Math.sign(a - b || i - j));
    }),
  );
  expect(Number.isSafeInteger(generationOf((2 ** 29 - 1) as LeaseId, generationsPerLease - 1))).toBe(true);
  for (const bad of [-1, generationsPerLease, 0.5, Number.NaN]) {
    expect(() => generationOf(1 as LeaseId, bad)).toThrow(/Broken invariant/);
  }
});

test("numbers that cannot be ids are refused", () => {
  for (const bad of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
    for (const parse of [parseGroupId, parseDiskId, parseGeneration, parseLeaseId]) expect(() => parse(bad)).toThrow();
  }
  expect(() => parseLeaseId(2 ** 29)).toThrow(/invalid/);
});

test("a node's name is short, plain and never a path or an option", () => {
  expect(parseNodeId("node-1")).toBe("node-1");
  expect(parseNodeId("a".repeat(63))).toBe("a".repeat(63));
  for (const bad of ["", "-a", "Node", "a.b", "a/b", "..", "a b", "a_b", "é", "a".repeat(64), "a\n"]) {
    expect(() => parseNodeId(bad)).toThrow(/invalid/);
  }
});
