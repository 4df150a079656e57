import fc from "fast-check";
import { expect, test } from "vitest";
import { bytesOfId, idFromBytes, idRange, newId, parseId } from "./ulid.ts";

const sixteenBytes = fc.uint8Array({ minLength: 16, maxLength: 16 });
const alphabet = "0123456789abcdefghjkmnpqrstvwxyz";

/** The spelling by the book: one large number in base 32. */
function spellSlowly(bytes: Uint8Array): string {
  let value = bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  let text = "";
  for (let digit = 0; digit < 26; digit++) {
    text = alphabet[Number(value & 31n)] + text;
    value >>= 5n;
  }
  return text;
}

test("an id is spelled in base 32 and read back to the same bytes", () => {
  fc.assert(
    fc.property(sixteenBytes, (bytes) => {
      const id = idFromBytes("f_", bytes);
      expect(id).toBe(`f_${spellSlowly(bytes)}`);
      expect(bytesOfId(id)).toEqual(bytes);
      expect(parseId("f_", id.toUpperCase())).toBe(id);
    }),
  );
});

test("ids that are made later sort later", () => {
  const chance = new Uint8Array(10).fill(255);
  expect(newId("f_", 1_700_000_000_000, chance) < newId("f_", 1_700_000_000_001, new Uint8Array(10))).toBe(true);
});

test("the range of a prefix holds exactly the ids that begin so", () => {
  fc.assert(
    fc.property(sixteenBytes, fc.nat({ max: 26 }), sixteenBytes, (bytes, length, other) => {
      const prefix = idFromBytes("f_", bytes).slice(0, 2 + length);
      const range = idRange("f_", prefix);
      const id = idFromBytes("f_", other);
      const low = range && idFromBytes("f_", range.low);
      const high = range && idFromBytes("f_", range.high);
      expect(low !== undefined && high !== undefined && low <= id && id <= high).toBe(id.startsWith(prefix));
    }),
  );
  expect(idRange("f_", "f_")).toEqual({ low: new Uint8Array(16), high: new Uint8Array(16).fill(255) });
});

test("what cannot be an id is refused", () => {
  const last = `f_7${"z".repeat(25)}`;
  expect(bytesOfId(parseId("f_", last))).toEqual(new Uint8Array(16).fill(255));
  for (const text of [
    "",
    "f_",
    `v_${"0".repeat(26)}`,
    `f_8${"0".repeat(25)}`,
    `f_${"0".repeat(27)}`,
    `f_${"u".repeat(26)}`,
    `f_0é${"0".repeat(24)}`,
  ]) {
    expect(() => parseId("f_", text)).toThrow(/invalid/);
  }
  expect(idRange("f_", "f_8")).toBeUndefined();
  expect(idRange("f_", "f_0!")).toBeUndefined();
  expect(idRange("f_", "v_0")).toBeUndefined();
});
