import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { HashColumn } from "./hash-column.ts";

const hashes = Array.from({ length: 500 }, (_, index) => createHash("sha256").update(String(index)).digest()).sort(
  Buffer.compare,
);

test("each hash is found at its place, wherever it stands in the bytes that are given", () => {
  const column = new HashColumn(Buffer.concat(hashes));
  for (const [index, hash] of hashes.entries()) {
    expect(column.find(hash)).toBe(index);
    expect(column.find(Buffer.concat([Buffer.alloc(40), hash, Buffer.alloc(8)]), 40)).toBe(index);
    expect(column.hexAt(index)).toBe(hash.toString("hex"));
    expect(Buffer.compare(column.at(index), hash)).toBe(0);
  }
});

test("a hash that is not there is not found, also when it begins like another", () => {
  const column = new HashColumn(Buffer.concat(hashes));
  for (const hash of hashes) {
    const near = Buffer.from(hash);
    near[31] = (near[31] ?? 0) ^ 1;
    expect(column.find(near)).toBe(-1);
  }
  expect(column.find(Buffer.alloc(32))).toBe(-1);
  expect(column.find(Buffer.alloc(32, 0xff))).toBe(-1);
  expect(new HashColumn(new Uint8Array(0)).find(Buffer.alloc(32))).toBe(-1);
});

test("hashes that differ in their last byte only keep their order", () => {
  const close = [1, 2, 3, 250].map((last) => Buffer.concat([Buffer.alloc(31, 7), Buffer.from([last])]));
  const column = new HashColumn(Buffer.concat(close));
  expect(close.map((hash) => column.find(hash))).toEqual([0, 1, 2, 3]);
});
