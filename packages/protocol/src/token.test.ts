import { createHmac } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { toBase64Url, utf8 } from "./bytes.ts";
import { type ErrorKind, StorageError } from "./errors.ts";
import type { DiskId, GroupId, LeaseId } from "./ids.ts";
import { parseNodeId } from "./ids.ts";
import { type Mac, macBytes, signToken, type TokenClaims, tokenCharactersMax, verifyToken } from "./token.ts";

const cluster = "ab".repeat(16);
const macWith =
  (key: string): Mac =>
  (message) =>
    createHmac("sha256", key).update(message).digest();
const mac = macWith("the cluster's key");
const now = 1_700_000_000_000;

const number = fc.integer({ min: 1, max: 2 ** 29 - 1 });
const expiresAt = fc.integer({ min: now + 1, max: now + 1e9 });
const claims: fc.Arbitrary<TokenClaims> = fc.oneof(
  fc.record({
    kind: fc.constant("write" as const),
    group: number.map((value) => value as GroupId),
    epoch: fc.nat(),
    lease: number.map((value) => value as LeaseId),
    chunkBytesMax: fc.nat(),
    disks: fc.array(
      number.map((value) => value as DiskId),
      { minLength: 1, maxLength: 8 },
    ),
    expiresAt,
  }),
  fc.record({ kind: fc.constant("read" as const), group: number.map((value) => value as GroupId), expiresAt }),
  fc.record({
    kind: fc.constant("command" as const),
    node: fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,62}$/).map(parseNodeId),
    incarnation: fc.nat(),
    leaderEpoch: fc.nat(),
    expiresAt,
  }),
);

const read: TokenClaims = { kind: "read", group: 3 as GroupId, expiresAt: now + 1000 };

function kindOf(work: () => unknown): ErrorKind | "no error" {
  try {
    work();
    return "no error";
  } catch (error) {
    if (error instanceof StorageError) return error.kind;
    throw error;
  }
}
const verdict = (token: string, of = cluster, key = mac, at = now): string =>
  kindOf(() => verifyToken(of, token, key, at));
/** Any text with a genuine signature, as only a holder of the key can make it. */
const signed = (body: string): string =>
  `${body}.${toBase64Url(mac(utf8(`cairn token ${cluster} ${body}`)).subarray(0, macBytes))}`;

test("a token gives back the claims it was made of", () => {
  fc.assert(
    fc.property(claims, (given) => {
      const token = signToken(cluster, given, mac);
      expect(verifyToken(cluster, token, mac, now)).toEqual(given);
      expect(token.length).toBeLessThanOrEqual(tokenCharactersMax);
      expect(token).toMatch(/^[\w.-]+$/);
    }),
  );
});

test("a token is for one cluster, one key and one time", () => {
  const token = signToken(cluster, read, mac);
  expect(verdict(token)).toBe("no error");
  expect(verdict(token, "cd".repeat(16))).toBe("unauthenticated");
  expect(verdict(token, cluster, macWith("another key"))).toBe("unauthenticated");
  expect(verdict(token, cluster, mac, read.expiresAt - 1)).toBe("no error");
  expect(verdict(token, cluster, mac, read.expiresAt)).toBe("unauthenticated");
});

test("a token with any one character changed, added or taken away is none", () => {
  fc.assert(
    fc.property(claims, fc.nat(), fc.constantFrom(..."abcXYZ019.-_ "), (given, place, letter) => {
      const token = signToken(cluster, given, mac);
      const index = place % token.length;
      const replaced = token.slice(0, index) + letter + token.slice(index + 1);
      if (replaced !== token) expect(verdict(replaced)).toBe("unauthenticated");
      expect(verdict(token.slice(0, index) + letter + token.slice(index))).toBe("unauthenticated");
      expect(verdict(token.slice(0, index) + token.slice(index + 1))).toBe("unauthenticated");
    }),
  );
});

test("what is no token at all is refused, however it is spelled", () => {
  const long = signed(`r1.3.${now + 1000}${"0".repeat(600)}`);
  for (const text of ["", ".", "..", "a.b", "r1.3.9", "é.é", long, `Bearer ${signToken(cluster, read, mac)}`]) {
    expect([text, verdict(text)]).toEqual([text, "unauthenticated"]);
  }
  fc.assert(
    fc.property(fc.string({ maxLength: 200 }), (text) => {
      expect(verdict(text)).toBe("unauthenticated");
    }),
  );
});

test("claims that make no sense grant nothing, even under a genuine signature", () => {
  expect(verdict(signed(`r1.3.${now + 1000}`))).toBe("no error");
  for (const body of [
    "",
    "r1",
    "r2.3.9999999999999",
    `r1.3.${now + 1000}.1`,
    "r1.3.NaN",
    "r1.3.",
    "r1.3.1e30",
    "r1.3.Infinity",
    "r1.3.-1",
    `r1.0.${now + 1000}`,
    `r1.0x3.${now + 1000}`,
    `r1. 3.${now + 1000}`,
    `w1.3.1.7.100..${now + 1000}`,
    `w1.3..7.100.1-2.${now + 1000}`,
    `w1.3.1.7.100.1--2.${now + 1000}`,
    `w1.3.1.536870912.100.1.${now + 1000}`,
    `c1.Node_1.1.1.${now + 1000}`,
    `c1.node-1.x.1.${now + 1000}`,
    `c1.node-1.1..${now + 1000}`,
  ]) {
    expect([body, verdict(signed(body))]).toEqual([body, "unauthenticated"]);
  }
});

test("the format is fixed: this token was made by its first version", () => {
  const token = signToken(cluster, { ...read, expiresAt: 4_000_000_000_000 }, macWith("golden"));
  expect(token).toMatchInlineSnapshot(`"r1.3.4000000000000.xuwVKNeaMgdrc7PU8seR1g"`);
});
