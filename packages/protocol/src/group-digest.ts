import type { Generation } from "./ids.ts";

const multiplier = 0x9e3779b97f4a7c15n;

/**
 * One record's part in the digest of its group, which is the XOR of all (docs/formats/segment.md): the hash's first 8 bytes,
 * with the generation spread over them by an odd multiplier (2^64 ÷ golden ratio).
 */
export function recordDigest(hash: Uint8Array, generation: Generation | number): bigint {
  const head = new DataView(hash.buffer, hash.byteOffset, 8).getBigUint64(0, true);
  return head ^ BigInt.asUintN(64, BigInt(generation) * multiplier);
}

/** As nodes spell a digest: 16 hex digits. */
export function spellDigest(xor: bigint): string {
  return xor.toString(16).padStart(16, "0");
}
