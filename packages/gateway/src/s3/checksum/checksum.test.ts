import { createHash, randomBytes, randomInt } from "node:crypto";
import { crc32 as zlibCrc32 } from "node:zlib";
import { expect, test } from "vitest";
import { type ChecksumAlgorithm, checksumAlgorithms, checksumInfo } from "./checksum-algorithm.ts";
import { formatChecksum } from "./checksum-value.ts";
import { compositeChecksum, multipartEtag } from "./composite-checksum.ts";
import { type CombinableAlgorithm, combineCrcs } from "./crc-combine.ts";
import { Crc64Nvme, crc64NvmePolynomial } from "./crc64-nvme.ts";
import { type DigestAlgorithm, digestOf, inlineChecksum } from "./streaming-checksum.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const digits = bytesOf("123456789");

/** Published check values: the catalogue of CRCs, RFC 1321, RFC 3174 and FIPS 180. */
const vectors: readonly (readonly [DigestAlgorithm, string, string])[] = [
  ["CRC32", "123456789", "cbf43926"],
  ["CRC32C", "123456789", "e3069283"],
  ["CRC64NVME", "123456789", "ae8b14860a799888"],
  ["CRC32", "", "00000000"],
  ["CRC32C", "", "00000000"],
  ["CRC64NVME", "", "0000000000000000"],
  ["MD5", "", "d41d8cd98f00b204e9800998ecf8427e"],
  ["MD5", "message digest", "f96b697d7cb7938d525a2f31aaf161d0"],
  ["SHA1", "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"],
  ["SHA256", "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
];

test.each(vectors)("%s of %j is the published value", async (algorithm, text, expected) => {
  expect(hex(digestOf(algorithm, bytesOf(text)))).toBe(expected);
  const checksum = inlineChecksum(algorithm);
  for (const byte of bytesOf(text)) checksum.update(Uint8Array.of(byte));
  expect(hex(await checksum.digest())).toBe(expected);
});

/** RFC 3720 B.4 for CRC-32C, and the NVM Express specification's examples of 4 KiB for the 64-bit one. */
test("CRCs of long runs are the published ones", () => {
  expect(hex(digestOf("CRC32C", new Uint8Array(32)))).toBe("8a9136aa");
  expect(hex(digestOf("CRC32C", new Uint8Array(32).fill(0xff)))).toBe("62a8ab43");
  expect(hex(digestOf("CRC64NVME", new Uint8Array(4096)))).toBe("6482d367eb22b64e");
  expect(hex(digestOf("CRC64NVME", new Uint8Array(4096).fill(0xff)))).toBe("c0ddba7302eca3ac");
  const ascending = Uint8Array.from({ length: 4096 }, (_, index) => index & 0xff);
  expect(hex(digestOf("CRC64NVME", ascending))).toBe("3e729f5f6750449c");
  const descending = Uint8Array.from({ length: 4096 }, (_, index) => 0xff - (index & 0xff));
  expect(hex(digestOf("CRC64NVME", descending))).toBe("9a2df64b8e9e517e");
});

test("the CRC-64 of any length and alignment is that of one bit after the other", () => {
  const bytes = randomBytes(700);
  for (let length = 0; length < 80; length += 1) {
    const offset = length % 9;
    const piece = bytes.subarray(offset, offset + length);
    expect(hex(digestOf("CRC64NVME", piece)), hex(piece)).toBe(hex(bitwise(piece)));
  }
  expect(hex(digestOf("CRC64NVME", bytes))).toBe(hex(bitwise(bytes)));
});

test("two CRC-64s at once, in pieces, longer than the window, do not disturb each other", () => {
  const [one, two] = [randomBytes(700_001), randomBytes(700_001)];
  const [first, second] = [new Crc64Nvme(), new Crc64Nvme()];
  for (let from = 0; from < one.length; from += 300_007) {
    first.update(one.subarray(from, from + 300_007));
    second.update(two.subarray(from, from + 300_007));
  }
  expect(hex(first.digest())).toBe(hex(digestOf("CRC64NVME", one)));
  expect(hex(second.digest())).toBe(hex(digestOf("CRC64NVME", two)));
});

test("CRC-32 agrees with zlib", () => {
  const bytes = randomBytes(100_003);
  expect(hex(digestOf("CRC32", bytes))).toBe(zlibCrc32(bytes).toString(16).padStart(8, "0"));
});

test.each(["CRC32", "CRC32C", "CRC64NVME"] as const)("%s of parts gives that of the whole", (algorithm) => {
  const seed = randomInt(2 ** 31);
  const random = pseudoRandom(seed);
  for (let round = 0; round < 60; round += 1) {
    const bytes = Buffer.from(Array.from({ length: random(3000) }, () => random(256)));
    const parts: Buffer[] = [];
    for (let from = 0; from < bytes.length || parts.length === 0; ) {
      const to = Math.min(bytes.length, from + random(900));
      parts.push(bytes.subarray(from, to));
      from = to;
    }
    const known = parts.map((part) => ({ crc: digestOf(algorithm, part), length: part.length }));
    expect(hex(combineCrcs(algorithm, known)), `seed ${seed}, round ${round}`).toBe(hex(digestOf(algorithm, bytes)));
  }
});

test("lengths beyond 32 bits combine as several of shorter ones do", () => {
  for (const algorithm of ["CRC32", "CRC32C", "CRC64NVME"] as const) {
    const zeros = (length: number) => ({ crc: crcOfZeros(algorithm, length), length });
    const [tail, head] = [zeros(2 ** 33 + 12_345), { crc: digestOf(algorithm, digits), length: 9 }];
    const halves = [zeros(2 ** 32), zeros(2 ** 32), zeros(12_345)];
    expect(hex(combineCrcs(algorithm, [head, tail]))).toBe(hex(combineCrcs(algorithm, [head, ...halves])));
    expect(hex(combineCrcs(algorithm, [{ ...head, crc: new Uint8Array(head.crc.length) }]))).toMatch(/^0+$/);
  }
});

test("no part and one part combine to themselves", () => {
  expect(hex(combineCrcs("CRC64NVME", []))).toBe("0000000000000000");
  expect(hex(combineCrcs("CRC32", [{ crc: digestOf("CRC32", digits), length: 9 }]))).toBe("cbf43926");
});

test.each(checksumAlgorithms)("a composite %s is the checksum over those of the parts", (algorithm) => {
  const parts = ["a", "bc", ""].map((text) => digestOf(algorithm, bytesOf(text)));
  expect(compositeChecksum(algorithm, parts)).toBe(
    `${formatChecksum(digestOf(algorithm, Buffer.concat(parts)))}-${parts.length}`,
  );
  expect(parts.every(({ length }) => length === checksumInfo[algorithm as ChecksumAlgorithm].bytes)).toBe(true);
});

test("the ETag of parts is the MD5 over their MD5s", () => {
  const md5 = (text: string) => createHash("md5").update(text).digest();
  const expected = createHash("md5")
    .update(Buffer.concat([md5("a"), md5("b")]))
    .digest("hex");
  expect(multipartEtag([md5("a"), md5("b")])).toBe(`${expected}-2`);
});

/** Ten thousand parts of one length and ten thousand of as many lengths. */
test("combining 10,000 parts is cheap when they are equally long, and not dear when they are not", () => {
  const crc = digestOf("CRC64NVME", digits);
  const equal = Array.from({ length: 10_000 }, () => ({ crc, length: 5 * 1024 * 1024 }));
  const uneven = Array.from({ length: 10_000 }, (_, index) => ({ crc, length: 5 * 1024 * 1024 + index }));
  const milliseconds = (parts: typeof equal) => {
    const start = performance.now();
    combineCrcs("CRC64NVME", parts);
    return performance.now() - start;
  };
  milliseconds(uneven);
  expect(milliseconds(equal)).toBeLessThan(milliseconds(uneven) + 5);
});

function crcOfZeros(algorithm: CombinableAlgorithm, length: number): Uint8Array {
  let [zeros, done] = [combineCrcs(algorithm, []), 0];
  let [power, size] = [digestOf(algorithm, new Uint8Array(1)), 1];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) {
      zeros = combineCrcs(algorithm, [
        { crc: zeros, length: done },
        { crc: power, length: size },
      ]);
      done += size;
    }
    const half = { crc: power, length: size };
    [power, size] = [combineCrcs(algorithm, [half, half]), size * 2];
  }
  return zeros;
}

function bitwise(bytes: Uint8Array): Uint8Array {
  let value = 2n ** 64n - 1n;
  for (const byte of bytes) {
    value ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit += 1) value = value & 1n ? (value >> 1n) ^ crc64NvmePolynomial : value >> 1n;
  }
  const digest = Buffer.alloc(8);
  digest.writeBigUInt64BE(value ^ (2n ** 64n - 1n));
  return digest;
}

function pseudoRandom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
