import {
  appendFileSync,
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statSync,
  truncateSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";

const headerPage = 4096;
const recordHeader = 96;
const crcBlock = 65_536;
const footer = 8;

/** One record of a segment as docs/formats/segment.md lays it out. */
export interface SegmentRecord {
  readonly offset: number;
  readonly length: number;
  /** Where the payload begins within the record. */
  readonly payload: number;
  readonly payloadBytes: number;
}

/** The segments of a disk, oldest first within each group. */
export function segmentsOf(disk: string): readonly string[] {
  const groups = join(disk, "g");
  if (!existsSync(groups)) return [];
  return readdirSync(groups)
    .flatMap((group) => readdirSync(join(groups, group)).map((name) => join(groups, group, name)))
    .filter((file) => /\d{8}\.seg$/.test(file) && statSync(file).size > headerPage)
    .sort();
}

/** The records of a sound segment, by their lengths alone. */
export function recordsOf(segment: string): readonly SegmentRecord[] {
  const bytes = readFileSync(segment);
  const records: SegmentRecord[] = [];
  for (let offset = headerPage; offset + recordHeader < bytes.length; ) {
    if (bytes.toString("latin1", offset, offset + 4) !== "CRN1") break;
    const payloadBytes = bytes.readUInt32LE(offset + 12);
    const payload = recordHeader + 4 * Math.ceil(payloadBytes / crcBlock);
    const length = Math.ceil((payload + payloadBytes) / 8) * 8 + footer;
    if (offset + length > bytes.length) break;
    records.push({ offset, length, payload, payloadBytes });
    offset += length;
  }
  return records;
}

/** One bit of a file, in place, as a bad medium does it. */
export function flipBits(file: string, at: number, bit: number): void {
  const handle = openSync(file, "r+");
  try {
    const byte = Buffer.alloc(1);
    readSync(handle, byte, 0, 1, at);
    byte[0] = (byte[0] ?? 0) ^ (1 << bit);
    writeSync(handle, byte, 0, 1, at);
  } finally {
    closeSync(handle);
  }
}

export function appendTo(file: string, bytes: Uint8Array): void {
  appendFileSync(file, bytes);
}

/** Cuts bytes off the end, never into the header page. */
export function cutTail(file: string, bytes: number): void {
  truncateSync(file, Math.max(headerPage, statSync(file).size - bytes));
}
