import { createHash } from "node:crypto";
import { crc32c } from "@node-rs/crc32";

/** Bytes of a segment as docs/formats/segment.md has them, made by hand. */
export class WrittenSegment {
  readonly #parts: Buffer[];

  constructor({ group = 3, number = 1, cluster = "ab".repeat(16), disk = "cd".repeat(16) } = {}) {
    const page = Buffer.alloc(4096);
    page.write("CRNS", 0, "latin1");
    page.writeUInt32LE(1, 8);
    page.write(cluster, 12, "hex");
    page.write(disk, 28, "hex");
    page.writeBigUInt64LE(BigInt(group), 44);
    page.writeUInt32LE(number, 52);
    page.writeUInt32LE(crc32c(page.subarray(8)), 4);
    this.#parts = [page];
  }

  get length(): number {
    return this.#parts.reduce((sum, part) => sum + part.length, 0);
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }

  /** Appends a chunk's record and tells where it stands. */
  chunk(payload: Uint8Array, generation: number = 16_777_217): number {
    return this.record({ type: 1, payload, generation, hash: createHash("sha256").update(payload).digest() });
  }

  /** Appends a record of any kind and tells where it stands. */
  record(it: {
    readonly type: number;
    readonly payload: Uint8Array;
    readonly generation: number;
    readonly hash: Uint8Array;
    readonly group?: number;
  }): number {
    const offset = this.length;
    this.#parts.push(recordOf({ group: 3, ...it }));
    return offset;
  }
}

/** One record with its checksums. */
export function recordOf(it: {
  type: number;
  payload: Uint8Array;
  generation: number;
  hash: Uint8Array;
  group: number;
}): Buffer {
  const { payload } = it;
  const blocks = Math.ceil(payload.length / 65_536);
  const head = Buffer.alloc(96 + 4 * blocks);
  head.write("CRN1", 0, "latin1");
  head.writeUInt8(it.type, 8);
  head.writeUInt16LE(96, 10);
  head.writeUInt32LE(payload.length, 12);
  head.writeUInt32LE(payload.length, 16);
  head.writeUInt32LE(16, 20);
  head.writeBigUInt64LE(BigInt(it.group), 24);
  head.writeBigUInt64LE(BigInt(it.generation), 32);
  head.set(it.hash, 56);
  for (let block = 0; block < blocks; block++) {
    head.writeUInt32LE(crc32c(payload.subarray(block * 65_536, (block + 1) * 65_536)), 96 + 4 * block);
  }
  head.writeUInt32LE(crc32c(head.subarray(96)), 88);
  head.writeUInt32LE(crc32c(head.subarray(8, 96)), 4);
  const end = Math.ceil((head.length + payload.length) / 8) * 8;
  const tail = Buffer.alloc(end - head.length - payload.length + 8);
  tail.writeUInt32LE(end + 8, tail.length - 8);
  tail.writeUInt32LE(head.readUInt32LE(4), tail.length - 4);
  return Buffer.concat([head, payload, tail]);
}
