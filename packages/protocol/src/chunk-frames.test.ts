import { crc32c } from "@node-rs/crc32";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { concatBytes } from "./bytes.ts";
import {
  batchHeadBytesMax,
  type ChunkBlocks,
  crcBlockBytes,
  decodeBlocks,
  decodeGetBatch,
  decodePutBatch,
  encodeBlocks,
  encodeGetBatch,
  encodePutBatch,
  type FramedRead,
} from "./chunk-frames.ts";
import type { ChunkWrite } from "./chunk-service.ts";
import { type ErrorKind, StorageError } from "./errors.ts";
import { chunkIdFromHash, type Generation, type GroupId } from "./ids.ts";
import { limits } from "./limits.ts";
import { tokenCharactersMax } from "./token.ts";

const identifier = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const id = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(chunkIdFromHash);
const token = fc.constantFrom("w1.a", "w1.b", "w1.c", "");
const write: fc.Arbitrary<ChunkWrite> = fc.record({
  id,
  generation: identifier.map((value) => value as Generation),
  token,
  bytes: fc.uint8Array({ maxLength: 50 }),
});
const read: fc.Arbitrary<FramedRead> = fc.record({ id, group: identifier.map((value) => value as GroupId), token });

function kindOf(work: () => unknown): ErrorKind | "no error" {
  try {
    work();
    return "no error";
  } catch (error) {
    if (error instanceof StorageError) return error.kind;
    throw error;
  }
}

describe("a batch of writes", () => {
  test("gives back what was put in, and its payloads are views of the body", () => {
    fc.assert(
      fc.property(fc.array(write, { maxLength: 12 }), (writes) => {
        const body = concatBytes(encodePutBatch(writes));
        const decoded = decodePutBatch(body);
        expect(decoded).toEqual(writes);
        for (const { bytes } of decoded) expect(bytes.buffer).toBe(body.buffer);
      }),
    );
  });

  test("sends each token once and copies no payload", () => {
    const writes = fc.sample(write, 100).map((it) => ({ ...it, token: "the one token" }));
    const parts = encodePutBatch(writes);
    expect(Buffer.concat(parts).toString("latin1").split("the one token")).toHaveLength(2);
    for (const { bytes } of writes) expect(parts).toContain(bytes);
  });

  test("that is cut anywhere, or has bytes left over, is invalid", () => {
    const body = concatBytes(encodePutBatch(fc.sample(write, { numRuns: 3, seed: 1 })));
    for (let length = 0; length < body.length; length++) {
      expect([length, kindOf(() => decodePutBatch(body.subarray(0, length)))]).toEqual([length, "invalid"]);
    }
    expect(kindOf(() => decodePutBatch(concatBytes([body, Uint8Array.of(0)])))).toBe("invalid");
  });

  test("with any byte changed is either refused or another well-formed batch; nothing else ever escapes", () => {
    const body = concatBytes(encodePutBatch(fc.sample(write, { numRuns: 3, seed: 2 })));
    fc.assert(
      fc.property(fc.nat({ max: body.length - 1 }), fc.nat({ max: 255 }), (index, value) => {
        expect(["no error", "invalid", "too-large"]).toContain(kindOf(() => decodePutBatch(body.with(index, value))));
      }),
      { numRuns: 1000 },
    );
  });

  test("that announces more than the limits is refused before anything is made of it", () => {
    const head = (tokens: number, items: number): Uint8Array => {
      const bytes = new Uint8Array(12);
      const view = new DataView(bytes.buffer);
      view.setUint32(0, 0x50_4e_52_43, true);
      view.setUint32(4, tokens, true);
      view.setUint32(8, items, true);
      return bytes;
    };
    expect(kindOf(() => decodePutBatch(head(0, limits.batchChunksMax + 1)))).toBe("too-large");
    expect(kindOf(() => decodePutBatch(head(0, 2 ** 32 - 1)))).toBe("too-large");
    expect(kindOf(() => decodePutBatch(head(2, 1)))).toBe("invalid");
    expect(kindOf(() => decodeGetBatch(head(0, 0)))).toBe("invalid");
    expect(() => encodePutBatch(fc.sample(write, limits.batchChunksMax + 1))).toThrow(/Broken invariant/);
  });

  test("takes no token longer than a token can be, and the fullest head fits its limit", () => {
    const [first] = fc.sample(write, 1) as [ChunkWrite];
    const long = { ...first, token: "x".repeat(tokenCharactersMax + 1) };
    expect(kindOf(() => decodePutBatch(concatBytes(encodePutBatch([long]))))).toBe("invalid");
    const writes = Array.from({ length: limits.batchChunksMax }, (_, index) => ({
      ...first,
      bytes: new Uint8Array(0),
      token: String(index).padStart(tokenCharactersMax, "0"),
    }));
    const body = concatBytes(encodePutBatch(writes));
    expect(body.length).toBe(batchHeadBytesMax);
    expect(decodePutBatch(body)).toEqual(writes);
  });

  test("with a generation beyond 2^53 is refused, not rounded", () => {
    const [first] = fc.sample(write, 1) as [ChunkWrite];
    const body = concatBytes(encodePutBatch([{ ...first, token: "" }]));
    new DataView(body.buffer).setBigUint64(16 + 32, 2n ** 53n, true);
    expect(kindOf(() => decodePutBatch(body))).toBe("invalid");
  });
});

describe("a batch of reads", () => {
  test("gives back what was put in", () => {
    fc.assert(
      fc.property(fc.array(read, { maxLength: 12 }), (reads) => {
        expect(decodeGetBatch(encodeGetBatch(reads))).toEqual(reads);
      }),
    );
  });

  test("that is cut, too long, or names a token that is not there is invalid", () => {
    const body = encodeGetBatch(fc.sample(read, { numRuns: 3, seed: 3 }));
    for (let length = 0; length < body.length; length++) {
      expect(kindOf(() => decodeGetBatch(body.subarray(0, length)))).toBe("invalid");
    }
    expect(kindOf(() => decodeGetBatch(concatBytes([body, Uint8Array.of(0)])))).toBe("invalid");
    expect(kindOf(() => decodeGetBatch(body.with(body.length - 4, 9)))).toBe("invalid");
  });
});

describe("a run of blocks", () => {
  const blocksOf = (length: number, { firstBlock = 0, more = 0 } = {}): ChunkBlocks => {
    const bytes = Uint8Array.from({ length }, (_, index) => (index * 31) & 255);
    const count = Math.ceil(length / crcBlockBytes);
    const crcs = Uint32Array.from({ length: count }, (_, block) =>
      crc32c(bytes.subarray(block * crcBlockBytes, (block + 1) * crcBlockBytes)),
    );
    const offset = firstBlock * crcBlockBytes;
    return { generation: 77 as Generation, chunkLength: offset + length + more, offset, crcs, bytes };
  };
  const encoded = (blocks: ChunkBlocks): Uint8Array => concatBytes(encodeBlocks(blocks));

  test("gives back what was put in, one run behind the other", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 3 * crcBlockBytes }),
        fc.nat({ max: 5 }),
        fc.nat(),
        (length, firstBlock, more) => {
          const first = blocksOf(length, { firstBlock, more: more % 1000 });
          const second = blocksOf(10);
          const body = concatBytes([encoded(first), encoded(second)]);
          const { blocks, end } = decodeBlocks(body, 0, crc32c);
          expect(blocks.offset).toBe(first.offset);
          expect(Buffer.from(blocks.bytes).equals(first.bytes)).toBe(true);
          expect({ ...blocks, bytes: 0 }).toEqual({ ...first, bytes: 0 });
          expect(decodeBlocks(body, end, crc32c)).toEqual({ blocks: second, end: body.length });
        },
      ),
      { numRuns: 30 },
    );
  });

  test("with any bit of its payload or CRCs changed is corrupt", () => {
    const body = encoded(blocksOf(crcBlockBytes + 100));
    fc.assert(
      fc.property(fc.integer({ min: 24, max: body.length - 1 }), fc.nat({ max: 7 }), (index, bit) => {
        const flipped = body.with(index, (body[index] as number) ^ (1 << bit));
        expect(kindOf(() => decodeBlocks(flipped, 0, crc32c))).toBe("corrupt");
      }),
      { numRuns: 300 },
    );
  });

  test("that is cut off, or whose header makes no sense, is corrupt and nothing else", () => {
    const body = encoded(blocksOf(1000));
    for (const length of [0, 1, 23, 24, 27, 28, 500, body.length - 1]) {
      expect([length, kindOf(() => decodeBlocks(body.subarray(0, length), 0, crc32c))]).toEqual([length, "corrupt"]);
    }
    const view = new DataView(body.buffer);
    const broken = (change: () => void): string => {
      const before = body.slice(0, 24);
      change();
      const kind = kindOf(() => decodeBlocks(body, 0, crc32c));
      body.set(before);
      return kind;
    };
    expect(broken(() => view.setBigUint64(0, 0n, true))).toBe("corrupt");
    expect(broken(() => view.setBigUint64(0, 2n ** 53n, true))).toBe("corrupt");
    expect(broken(() => view.setUint32(8, 999, true))).toBe("corrupt");
    expect(broken(() => view.setUint32(12, 5, true))).toBe("corrupt");
    expect(broken(() => view.setUint32(16, 0, true))).toBe("corrupt");
    expect(broken(() => view.setUint32(16, 2 ** 32 - 1, true))).toBe("corrupt");
    expect(broken(() => view.setUint32(20, 2 ** 32 - 1, true))).toBe("corrupt");
    expect(broken(() => undefined)).toBe("no error");
  });
});
