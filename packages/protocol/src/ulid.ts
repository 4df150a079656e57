import { assert } from "./assert.ts";
import { StorageError } from "./errors.ts";
import type { CommitId, DriveId, EntryId, UploadId, VersionId } from "./ids.ts";

/** Crockford's base 32: no I, L, O, U. */
const alphabet = "0123456789abcdefghjkmnpqrstvwxyz";
const digitsPerUlid = 26;

interface PrefixedIds {
  f_: EntryId;
  v_: VersionId;
  dr_: DriveId;
  up_: UploadId;
  cm_: CommitId;
}
/** What an id names, seen from its first letters. */
export type IdPrefix = keyof PrefixedIds;

/**
 * Spells 16 bytes (6 of time in ms, 10 of chance, big-endian) as a prefixed id such as `f_01j9…`.
 * Source: the ULID specification, in lower case.
 */
export function idFromBytes<Prefix extends IdPrefix>(prefix: Prefix, bytes: Uint8Array): PrefixedIds[Prefix] {
  assert(bytes.length === 16, "a ULID has 16 bytes");
  let text: string = prefix;
  let bits = 0;
  // 26 digits hold 130 bits: the first digit begins with two zero bits.
  let bitCount = 2;
  for (let index = 0; index < 16; index++) {
    bits = ((bits << 8) | (bytes[index] as number)) & 0xfff;
    bitCount += 8;
    while (bitCount >= 5) {
      bitCount -= 5;
      text += alphabet[(bits >> bitCount) & 31];
    }
  }
  return text as PrefixedIds[Prefix];
}

/** A new id from the wall clock and 10 bytes of chance; ids made later sort later. */
export function newId<Prefix extends IdPrefix>(
  prefix: Prefix,
  wallMs: number,
  chance: Uint8Array,
): PrefixedIds[Prefix] {
  assert(chance.length === 10, "a ULID takes 10 bytes of chance");
  const bytes = new Uint8Array(16);
  let time = wallMs;
  for (let index = 5; index >= 0; index--) {
    bytes[index] = time % 256;
    time = Math.floor(time / 256);
  }
  bytes.set(chance, 6);
  return idFromBytes(prefix, bytes);
}

/** When an id was made: wall clock ms of whoever made it. */
export function timeOfId(id: PrefixedIds[IdPrefix]): number {
  return bytesOfId(id)
    .subarray(0, 6)
    .reduce((time, byte) => time * 256 + byte, 0);
}

/** The 16 bytes that an id spells. */
export function bytesOfId(id: PrefixedIds[IdPrefix]): Uint8Array {
  const digits = id.slice(id.indexOf("_") + 1);
  const range = bytesOfDigits(digits, "0");
  assert(digits.length === digitsPerUlid && range !== undefined, "an id was parsed before it is used");
  return range;
}

/** Throws invalid unless the text is a whole id with this prefix; letters may be of either case. */
export function parseId<Prefix extends IdPrefix>(prefix: Prefix, text: string): PrefixedIds[Prefix] {
  const folded = text.toLowerCase();
  const digits = folded.slice(prefix.length);
  if (!folded.startsWith(prefix) || digits.length !== digitsPerUlid || !bytesOfDigits(digits, "0")) {
    throw new StorageError("invalid", "parse id", text.slice(0, 80), { hint: `An id looks like ${prefix}01j9zk….` });
  }
  return folded as PrefixedIds[Prefix];
}

/** The lowest and highest 16 bytes of all ids that begin so, both inclusive; undefined if no id can. */
export function idRange(prefix: IdPrefix, text: string): { low: Uint8Array; high: Uint8Array } | undefined {
  const folded = text.toLowerCase();
  if (!folded.startsWith(prefix)) return undefined;
  const digits = folded.slice(prefix.length);
  const low = bytesOfDigits(digits, "0");
  const high = bytesOfDigits(digits, "z");
  return low && high ? { low, high } : undefined;
}

function bytesOfDigits(digits: string, padding: "0" | "z"): Uint8Array | undefined {
  if (digits.length > digitsPerUlid) return undefined;
  const bytes = new Uint8Array(16);
  const filler = padding === "z" ? 31 : 0;
  let bits = 0;
  let bitCount = -2;
  let written = 0;
  for (let index = 0; index < digitsPerUlid; index++) {
    let digit = index < digits.length ? digitOfCode(digits.charCodeAt(index)) : filler;
    if (digit < 0) return undefined;
    // The first digit holds three bits only: a larger one begins no id, and the range of all ids ends at the largest.
    if (index === 0 && digit > 7) {
      if (digits.length > 0) return undefined;
      digit = 7;
    }
    bits = ((bits << 5) | digit) & 0x1fff;
    bitCount += 5;
    if (bitCount >= 8) {
      bitCount -= 8;
      bytes[written++] = (bits >> bitCount) & 255;
    }
  }
  return bytes;
}

const digitOfCodes: Int8Array = Int8Array.from({ length: 128 }, (_, code) =>
  alphabet.indexOf(String.fromCharCode(code)),
);

function digitOfCode(code: number): number {
  return code < 128 ? (digitOfCodes[code] as number) : -1;
}
