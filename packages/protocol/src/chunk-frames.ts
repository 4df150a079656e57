import { assert } from "./assert.ts";
import { concatBytes, fromUtf8, utf8 } from "./bytes.ts";
import type { ChunkWrite } from "./chunk-service.ts";
import { StorageError } from "./errors.ts";
import {
  type ChunkId,
  chunkIdFromHash,
  type Generation,
  type GroupId,
  hashOfChunkId,
  parseGeneration,
  parseGroupId,
} from "./ids.ts";
import { limits } from "./limits.ts";
import { tokenCharactersMax } from "./token.ts";

/** The framed bodies of batch requests and of chunk reads, byte by byte in docs/api/chunk.md. All little-endian. */
const putMagic = 0x50_4e_52_43; // "CRNP"
const getMagic = 0x47_4e_52_43; // "CRNG"
const putHeaderBytes = 48;
const getItemBytes = 44;

/** Bytes of one block under one CRC32C. */
export const crcBlockBytes: number = 64 * 1024;

/** A batch of writes as the parts of one body; payloads are not copied. */
export function encodePutBatch(writes: readonly ChunkWrite[]): Uint8Array[] {
  const tokens = [...new Set(writes.map((write) => write.token))];
  const parts: Uint8Array[] = [encodeHead(putMagic, tokens, writes.length)];
  for (const write of writes) {
    const header = new Uint8Array(putHeaderBytes);
    const view = new DataView(header.buffer);
    header.set(hashOfChunkId(write.id), 0);
    view.setBigUint64(32, BigInt(write.generation), true);
    view.setUint32(40, write.bytes.length, true);
    view.setUint32(44, tokens.indexOf(write.token), true);
    parts.push(header, write.bytes);
  }
  return parts;
}

/** The payloads are views of the body. Throws invalid or too-large. */
export function decodePutBatch(body: Uint8Array): ChunkWrite[] {
  const { tokens, count, end } = decodeHead(body, putMagic);
  const view = viewOf(body);
  const writes: ChunkWrite[] = [];
  let offset = end;
  for (let index = 0; index < count; index++) {
    if (offset + putHeaderBytes > body.length) throw malformed("an item is cut off");
    const length = view.getUint32(offset + 40, true);
    const start = offset + putHeaderBytes;
    if (start + length > body.length) throw malformed("a payload is cut off");
    writes.push({
      id: chunkIdFromHash(body.subarray(offset, offset + 32)),
      generation: parseGeneration(Number(view.getBigUint64(offset + 32, true))),
      token: tokenAt(tokens, view.getUint32(offset + 44, true)),
      bytes: body.subarray(start, start + length),
    });
    offset = start + length;
  }
  if (offset !== body.length) throw malformed("bytes are left over");
  return writes;
}

/** Bytes that all heads of a batch can have beside the payloads. */
export const batchHeadBytesMax: number =
  12 + limits.batchChunksMax * (4 + tokenCharactersMax + Math.max(putHeaderBytes, getItemBytes));

/** One whole-chunk read of a batch. */
export interface FramedRead {
  readonly id: ChunkId;
  readonly group: GroupId;
  readonly token: string;
}

export function encodeGetBatch(reads: readonly FramedRead[]): Uint8Array {
  const tokens = [...new Set(reads.map((read) => read.token))];
  const items = new Uint8Array(reads.length * getItemBytes);
  const view = new DataView(items.buffer);
  reads.forEach((read, index) => {
    const offset = index * getItemBytes;
    items.set(hashOfChunkId(read.id), offset);
    view.setBigUint64(offset + 32, BigInt(read.group), true);
    view.setUint32(offset + 40, tokens.indexOf(read.token), true);
  });
  return concatBytes([encodeHead(getMagic, tokens, reads.length), items]);
}

export function decodeGetBatch(body: Uint8Array): FramedRead[] {
  const { tokens, count, end } = decodeHead(body, getMagic);
  if (end + count * getItemBytes !== body.length) throw malformed("the items do not fill the body");
  const view = viewOf(body);
  return Array.from({ length: count }, (_, index) => {
    const offset = end + index * getItemBytes;
    return {
      id: chunkIdFromHash(body.subarray(offset, offset + 32)),
      group: parseGroupId(Number(view.getBigUint64(offset + 32, true))),
      token: tokenAt(tokens, view.getUint32(offset + 40, true)),
    };
  });
}

/** Some blocks of a chunk with the CRCs that were stored beside them. */
export interface ChunkBlocks {
  readonly generation: Generation;
  /** Bytes of the whole chunk. */
  readonly chunkLength: number;
  /** Byte of the chunk at which `bytes` starts: a multiple of crcBlockBytes. */
  readonly offset: number;
  readonly crcs: Uint32Array;
  readonly bytes: Uint8Array;
}

const blocksHeaderBytes = 24;

/** Header: generation 8, chunk length 4, offset 4, CRC count 4, byte count 4; then CRCs of 4; then the bytes. */
export function encodeBlocks(blocks: ChunkBlocks): Uint8Array[] {
  const head = new Uint8Array(blocksHeaderBytes + blocks.crcs.length * 4);
  const view = new DataView(head.buffer);
  view.setBigUint64(0, BigInt(blocks.generation), true);
  view.setUint32(8, blocks.chunkLength, true);
  view.setUint32(12, blocks.offset, true);
  view.setUint32(16, blocks.crcs.length, true);
  view.setUint32(20, blocks.bytes.length, true);
  blocks.crcs.forEach((crc, index) => {
    view.setUint32(blocksHeaderBytes + index * 4, crc, true);
  });
  return [head, blocks.bytes];
}

/**
 * Reads one encoded run of blocks at `start` of a body; `end` is where the next thing begins. The bytes are a view.
 * Without `crc32c` the blocks are not compared with their CRCs: for whole chunks, which are checked against their id.
 * Throws corrupt when the frame is not whole or a block does not match its CRC.
 */
export function decodeBlocks(
  body: Uint8Array,
  start: number,
  crc32c: ((bytes: Uint8Array) => number) | undefined,
): { blocks: ChunkBlocks; end: number } {
  const view = viewOf(body);
  if (start + blocksHeaderBytes > body.length) throw cutOff();
  const crcCount = view.getUint32(start + 16, true);
  const length = view.getUint32(start + 20, true);
  const payload = start + blocksHeaderBytes + crcCount * 4;
  const end = payload + length;
  if (end > body.length || crcCount !== Math.ceil(length / crcBlockBytes)) throw cutOff();
  const bytes = body.subarray(payload, end);
  const crcs = new Uint32Array(crcCount);
  for (let block = 0; block < crcCount; block++) {
    const crc = view.getUint32(start + blocksHeaderBytes + block * 4, true);
    if (crc32c && crc32c(bytes.subarray(block * crcBlockBytes, (block + 1) * crcBlockBytes)) !== crc)
      throw new StorageError("corrupt", "read chunk", `block ${block} does not match its CRC`);
    crcs[block] = crc;
  }
  const generation = Number(view.getBigUint64(start, true));
  const chunkLength = view.getUint32(start + 8, true);
  const offset = view.getUint32(start + 12, true);
  const fits = offset % crcBlockBytes === 0 && offset + length <= chunkLength && generation > 0;
  if (!fits || !Number.isSafeInteger(generation)) throw cutOff();
  return { blocks: { generation: parseGeneration(generation), chunkLength, offset, crcs, bytes }, end };
}

/** Head of a batch: magic 4, token count 4, item count 4, then per token: length 4 and the text. */
function encodeHead(magic: number, tokens: readonly string[], count: number): Uint8Array {
  assert(count <= limits.batchChunksMax, "a batch was cut to its limit before it is encoded");
  const head = new Uint8Array(12);
  const view = new DataView(head.buffer);
  view.setUint32(0, magic, true);
  view.setUint32(4, tokens.length, true);
  view.setUint32(8, count, true);
  const spelled = tokens.map((token) => {
    const text = utf8(token);
    const length = new Uint8Array(4);
    new DataView(length.buffer).setUint32(0, text.length, true);
    return concatBytes([length, text]);
  });
  return concatBytes([head, ...spelled]);
}

function decodeHead(body: Uint8Array, magic: number): { tokens: string[]; count: number; end: number } {
  const view = viewOf(body);
  if (body.length < 12 || view.getUint32(0, true) !== magic) throw malformed("it does not start as one");
  const tokenCount = view.getUint32(4, true);
  const count = view.getUint32(8, true);
  if (tokenCount > count) throw malformed("it has more tokens than items");
  if (count > limits.batchChunksMax) {
    throw new StorageError("too-large", "read batch", `${count} items; at most ${limits.batchChunksMax}`);
  }
  const tokens: string[] = [];
  let end = 12;
  for (let index = 0; index < tokenCount; index++) {
    const length = end + 4 <= body.length ? view.getUint32(end, true) : Number.POSITIVE_INFINITY;
    if (end + 4 + length > body.length) throw malformed("a token is cut off");
    if (length > tokenCharactersMax) throw malformed("a token is too long");
    tokens.push(fromUtf8(body.subarray(end + 4, end + 4 + length)));
    end += 4 + length;
  }
  return { tokens, count, end };
}

function tokenAt(tokens: readonly string[], index: number): string {
  const token = tokens[index];
  if (token === undefined) throw malformed("an item names a token that is not there");
  return token;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function malformed(why: string): StorageError {
  return new StorageError("invalid", "read batch", why);
}

function cutOff(): StorageError {
  return new StorageError("corrupt", "read chunk", "the answer is not whole");
}
