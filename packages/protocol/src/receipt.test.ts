import { createHmac } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { chunkIdFromHash, type DiskId, type Generation, type GroupId } from "./ids.ts";
import { type ReceiptClaims, receiptIsGenuine, signReceipt } from "./receipt.ts";
import type { Mac } from "./token.ts";

const macWith =
  (key: string): Mac =>
  (message) =>
    createHmac("sha256", key).update(message).digest();
const mac = macWith("the node's key");

const fourBytes = fc.nat({ max: 2 ** 32 - 1 });
const identifier = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const claims: fc.Arbitrary<ReceiptClaims> = fc.record({
  id: fc.uint8Array({ minLength: 32, maxLength: 32 }).map(chunkIdFromHash),
  generation: identifier.map((value) => value as Generation),
  group: identifier.map((value) => value as GroupId),
  epoch: fourBytes,
  length: fourBytes,
  disk: fc.integer({ min: 1, max: 2 ** 32 - 1 }).map((value) => value as DiskId),
});

test("a receipt proves exactly its own claims under exactly its node's key", () => {
  fc.assert(
    fc.property(claims, claims, (own, other) => {
      const receipt = signReceipt(own, mac);
      expect(receiptIsGenuine(own, receipt, mac)).toBe(true);
      expect(receiptIsGenuine(own, receipt, macWith("another node's key"))).toBe(false);
      for (const field of ["id", "generation", "group", "epoch", "length", "disk"] as const) {
        if (own[field] === other[field]) continue;
        const changed = { ...own, [field]: other[field] };
        const moved = { ...receipt, disk: changed.disk, epoch: changed.epoch };
        expect(receiptIsGenuine(changed, receipt, mac)).toBe(false);
        expect(receiptIsGenuine(changed, moved, mac)).toBe(false);
      }
    }),
  );
});

test("claims whose numbers would be cut to their fields are never genuine", () => {
  const own = fc.sample(claims, { numRuns: 1, seed: 1 })[0] as ReceiptClaims;
  const small = { ...own, epoch: 1, length: 5, disk: 2 as DiskId };
  const receipt = signReceipt(small, mac);
  for (const changes of [
    { epoch: 1 + 2 ** 32 },
    { epoch: 1.5 },
    { disk: (2 + 2 ** 32) as DiskId },
    { length: 5 + 2 ** 32 },
  ]) {
    const wide = { ...small, ...changes };
    expect(receiptIsGenuine(wide, { ...receipt, disk: wide.disk, epoch: wide.epoch }, mac)).toBe(false);
    expect(() => signReceipt(wide, mac)).toThrow(/Broken invariant/);
  }
  for (const generation of [0, -1, Number.NaN, 2 ** 53]) {
    expect(receiptIsGenuine({ ...small, generation: generation as Generation }, receipt, mac)).toBe(false);
  }
});

test("a proof that is spelled otherwise, cut or empty proves nothing", () => {
  const own = fc.sample(claims, { numRuns: 1, seed: 2 })[0] as ReceiptClaims;
  const receipt = signReceipt(own, mac);
  for (const text of [
    "",
    receipt.mac.slice(0, -1),
    `${receipt.mac}A`,
    `${receipt.mac}==`,
    "é",
    receipt.mac.slice(0, 8),
  ]) {
    expect(receiptIsGenuine(own, { ...receipt, mac: text }, mac)).toBe(false);
  }
  // The last digit of 16 bytes carries two bits only: its other spellings are refused.
  const last = receipt.mac.slice(-1);
  for (const digit of "ABCDEFGHIJKLMNOPQRSTUVWXYZ") {
    if (digit !== last)
      expect(receiptIsGenuine(own, { ...receipt, mac: receipt.mac.slice(0, -1) + digit }, mac)).toBe(false);
  }
});

test("the format is fixed: this receipt was made by its first version", () => {
  const golden = { id: "0123456789abcdef".repeat(4), generation: 117440513, group: 3, epoch: 2, length: 5, disk: 4 };
  expect(signReceipt(golden as ReceiptClaims, macWith("golden")).mac).toMatchInlineSnapshot(`"s_b4e5PXQMxKmbvCgp73Nw"`);
});
