import fc from "fast-check";
import { expect, test } from "vitest";
import {
  compareBytes,
  concatBytes,
  equalConstantTime,
  fromBase64Url,
  fromHex,
  fromUtf8,
  toBase64Url,
  toHex,
  utf8,
} from "./bytes.ts";
import { isKind } from "./errors.ts";

const bytes = fc.uint8Array({ maxLength: 100 });
const invalid = (work: () => unknown): boolean => {
  try {
    work();
    return false;
  } catch (error) {
    return isKind(error, "invalid");
  }
};

test("hex and base64url give back what they were given, and agree with Node's", () => {
  fc.assert(
    fc.property(bytes, (value) => {
      expect(toHex(value)).toBe(Buffer.from(value).toString("hex"));
      expect(fromHex(toHex(value))).toEqual(value);
      expect(toBase64Url(value)).toBe(Buffer.from(value).toString("base64url"));
      expect(fromBase64Url(toBase64Url(value))).toEqual(value);
    }),
  );
});

test("a text is base64url only if it is how some bytes are spelled", () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[A-Za-z0-9_-]{0,12}$/), (text) => {
      const decoded = Buffer.from(text, "base64url");
      expect(invalid(() => fromBase64Url(text))).toBe(decoded.toString("base64url") !== text);
    }),
  );
  for (const text of ["A", "AB", "AAB", "AA==", "AA+A", "AA/A", "AA A", "é", "AAAAA"]) {
    expect([text, invalid(() => fromBase64Url(text))]).toEqual([text, true]);
  }
});

test("hex is an even number of lower-case digits", () => {
  for (const text of ["a", "abc", "AB", "0g", " 0", "é0", "0x"]) {
    expect([text, invalid(() => fromHex(text))]).toEqual([text, true]);
  }
  expect(fromHex("")).toEqual(new Uint8Array(0));
});

test("UTF-8 is strict when read: no stray bytes, no surrogates, and a byte order mark is a character", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      expect(fromUtf8(utf8(text))).toBe(text);
    }),
  );
  expect(fromUtf8(utf8("\u{feff}a"))).toBe("\u{feff}a");
  expect(fromUtf8(utf8("\ud800"))).toBe("\u{fffd}");
  for (const bad of [[0xff], [0xc0, 0x80], [0xe2, 0x82], [0xed, 0xa0, 0x80]]) {
    expect(invalid(() => fromUtf8(Uint8Array.from(bad)))).toBe(true);
  }
});

test("byte order and equality are those of Buffer", () => {
  fc.assert(
    fc.property(bytes, bytes, (a, b) => {
      expect(Math.sign(compareBytes(a, b))).toBe(Buffer.compare(a, b));
      expect(equalConstantTime(a, b)).toBe(Buffer.compare(a, b) === 0);
      expect(equalConstantTime(a, Uint8Array.from(a))).toBe(true);
      expect(equalConstantTime(a, concatBytes([a, Uint8Array.of(0)]))).toBe(false);
      expect(equalConstantTime(concatBytes([a, Uint8Array.of(0)]), a)).toBe(false);
    }),
  );
});

test("parts are put together in order", () => {
  fc.assert(
    fc.property(fc.array(bytes, { maxLength: 5 }), (parts) => {
      expect(Buffer.from(concatBytes(parts)).equals(Buffer.concat(parts))).toBe(true);
    }),
  );
});
