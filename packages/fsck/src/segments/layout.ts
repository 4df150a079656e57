import { createHash } from "node:crypto";
import { crc32c } from "@node-rs/crc32";

// The byte layouts of docs/formats/segment.md, read here on their own: nothing is shared with the engine that writes them.
export const segmentHeaderBytes = 4096;
export const recordHeaderBytes = 96;
export const gridBytes = 8;
const footerBytes = 8;
const blockBytes = 65_536;
const payloadBytesMax: number = 2 ** 24 - 1;
const recordTypes = { 1: "chunk", 2: "tombstone", 3: "meta", 4: "seal" } as const;

export interface SegmentHeader {
  readonly version: number;
  /** 32 hex digits each. */
  readonly cluster: string;
  readonly disk: string;
  readonly group: number;
  readonly number: number;
  /** Bytes of a segment that compaction wrote as a whole (version 2); undefined in one that grew. */
  readonly wholeBytes: number | undefined;
}

export interface RecordHeader {
  readonly type: "chunk" | "tombstone" | "meta" | "seal";
  /** Bytes of the payload. */
  readonly length: number;
  readonly group: number;
  readonly generation: number;
  readonly hash: Uint8Array;
  /** Bytes of the whole record in the segment. */
  readonly total: number;
}

/** How closely records are read: their headers, all checksums, or the SHA-256 of each chunk as well. */
export type Depth = "headers" | "checksums" | "hashes";

/** The header page of a segment, or undefined when it is not sound. */
export function readSegmentHeader(page: Uint8Array): SegmentHeader | undefined {
  if (page.length < segmentHeaderBytes) return undefined;
  const view = viewOf(page);
  const sound = magicOf(page) === "CRNS" && view.getUint32(4, true) === crc32c(page.subarray(8, segmentHeaderBytes));
  if (!sound) return undefined;
  const version = view.getUint32(8, true);
  return {
    version,
    cluster: hexOf(page, 12, 28),
    disk: hexOf(page, 28, 44),
    group: Number(view.getBigUint64(44, true)),
    number: view.getUint32(52, true),
    wholeBytes: version === 2 ? Number(view.getBigUint64(64, true)) : undefined,
  };
}

/** The header of a record, or undefined when none stands here whole and sound. The hash is a copy. */
export function readRecordHeader(bytes: Uint8Array): RecordHeader | undefined {
  if (bytes.length < recordHeaderBytes || magicOf(bytes) !== "CRN1") return undefined;
  const view = viewOf(bytes);
  if (view.getUint32(4, true) !== crc32c(bytes.subarray(8, recordHeaderBytes))) return undefined;
  const type = recordTypes[view.getUint8(8) as keyof typeof recordTypes];
  const length = view.getUint32(12, true);
  if (type === undefined || view.getUint16(10, true) !== recordHeaderBytes || length > payloadBytesMax)
    return undefined;
  return {
    type,
    length,
    group: Number(view.getBigUint64(24, true)),
    generation: Number(view.getBigUint64(32, true)),
    hash: bytes.slice(56, 88),
    total: recordBytes(length),
  };
}

/** What is wrong with a record whose header is sound; undefined when nothing is. `record`: all of its bytes. */
export function faultOf(record: Uint8Array, header: RecordHeader, depth: Depth): string | undefined {
  const view = viewOf(record);
  const footer = record.length - footerBytes;
  if (view.getUint32(footer, true) !== header.total) return "the length at its end is wrong";
  if (view.getUint32(footer + 4, true) !== view.getUint32(4, true)) return "the checksum at its end is wrong";
  if (depth === "headers") return undefined;
  const tableBytes = 4 * Math.ceil(header.length / blockBytes);
  const table = record.subarray(recordHeaderBytes, recordHeaderBytes + tableBytes);
  if (crc32c(table) !== view.getUint32(88, true)) return "its table of checksums is damaged";
  const payload = record.subarray(recordHeaderBytes + tableBytes, recordHeaderBytes + tableBytes + header.length);
  for (let block = 0; block * blockBytes < payload.length; block++) {
    const crc = crc32c(payload.subarray(block * blockBytes, (block + 1) * blockBytes));
    if (crc !== view.getUint32(recordHeaderBytes + block * 4, true)) return `block ${block} of its bytes is damaged`;
  }
  if (depth === "checksums" || header.type !== "chunk") return undefined;
  const sha256 = createHash("sha256").update(payload).digest();
  return sha256.equals(header.hash) ? undefined : "its bytes are not those that its hash names";
}

/** The part of a record that `faultOf` looks at when only headers are read: its header and its end. */
export function endOf(header: RecordHeader): { readonly offset: number; readonly length: number } {
  return { offset: header.total - footerBytes, length: footerBytes };
}

function recordBytes(length: number): number {
  const whole = recordHeaderBytes + 4 * Math.ceil(length / blockBytes) + length;
  return Math.ceil(whole / gridBytes) * gridBytes + footerBytes;
}

/** The four letters that a format begins with. */
export function magicOf(bytes: Uint8Array): string {
  return String.fromCharCode(bytes[0] ?? 0, bytes[1] ?? 0, bytes[2] ?? 0, bytes[3] ?? 0);
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

function hexOf(bytes: Uint8Array, from: number, to: number): string {
  return Buffer.from(bytes.subarray(from, to)).toString("hex");
}
