import {
  assert,
  type ChunkId,
  chunkIdFromHash,
  crcBlockBytes,
  type Generation,
  type GroupId,
  hashOfChunkId,
} from "@cairn/protocol";

/** The record of docs/formats/segment.md, little-endian, 8-byte aligned. */
export const recordMagic = 0x31_4e_52_43; // "CRN1"
export const recordHeaderBytes = 96;
export const recordFooterBytes = 8;
export const recordAlignment = 8;

/** The index has three bytes for a length. */
export const payloadBytesMax: number = 2 ** 24 - 1;

export type RecordType = "chunk" | "tombstone" | "meta" | "seal";
const typeCodes: Readonly<Record<RecordType, number>> = { chunk: 1, tombstone: 2, meta: 3, seal: 4 };

export type Crc32c = (bytes: Uint8Array) => number;

export interface RecordHeader {
  readonly type: RecordType;
  /** Bytes of the payload. */
  readonly length: number;
  /** Bytes of the chunk that the record speaks of; a tombstone has no payload but tells what was deleted. */
  readonly logicalLength: number;
  readonly group: GroupId;
  readonly generation: Generation | 0;
  /** Rises by one with every record of the group; a gap tells of a lost one. */
  readonly sequence: number;
  /** Wall clock ms; for people only. */
  readonly writtenAt: number;
  readonly hash: Uint8Array;
  readonly crcOfTable: number;
  /** CRC of the header itself; the footer repeats it. */
  readonly crc: number;
}

/** What a writer says of a record; the rest follows from the payload. */
export interface RecordFields extends Omit<RecordHeader, "crcOfTable" | "crc" | "length" | "logicalLength"> {
  /** A tombstone tells here how long the chunk was; other records have the length of their payload. */
  readonly logicalLength?: number;
}

/** Bytes that a record with this payload takes in a segment. */
export function recordBytes(payloadBytes: number): number {
  const whole = recordHeaderBytes + tableBytes(payloadBytes) + payloadBytes;
  return alignUp(whole) + recordFooterBytes;
}

/** Bytes of the table of CRCs of a payload. */
export function tableBytes(payloadBytes: number): number {
  return 4 * Math.ceil(payloadBytes / crcBlockBytes);
}

/** A record as parts to write one after the other; the payload is not copied. */
export function encodeRecord(header: RecordFields, payload: Uint8Array, crc32c: Crc32c): Uint8Array[] {
  const table = tableBytes(payload.length);
  const head = new Uint8Array(recordHeaderBytes + table);
  const view = new DataView(head.buffer);
  for (let block = 0; block * crcBlockBytes < payload.length; block++) {
    const bytes = payload.subarray(block * crcBlockBytes, (block + 1) * crcBlockBytes);
    view.setUint32(recordHeaderBytes + block * 4, crc32c(bytes), true);
  }
  view.setUint32(0, recordMagic, true);
  view.setUint8(8, typeCodes[header.type]);
  view.setUint16(10, recordHeaderBytes, true);
  view.setUint32(12, payload.length, true);
  view.setUint32(16, header.logicalLength ?? payload.length, true);
  view.setUint32(20, 16, true);
  view.setBigUint64(24, BigInt(header.group), true);
  view.setBigUint64(32, BigInt(header.generation), true);
  view.setBigUint64(40, BigInt(header.sequence), true);
  view.setBigUint64(48, BigInt(Math.floor(header.writtenAt)), true);
  head.set(header.hash, 56);
  view.setUint32(88, crc32c(head.subarray(recordHeaderBytes)), true);
  const headerCrc = crc32c(head.subarray(8, recordHeaderBytes));
  view.setUint32(4, headerCrc, true);

  const total = recordBytes(payload.length);
  const tail = new Uint8Array(total - head.length - payload.length);
  const tailView = new DataView(tail.buffer);
  tailView.setUint32(tail.length - 8, total, true);
  tailView.setUint32(tail.length - 4, headerCrc, true);
  return payload.length > 0 ? [head, payload, tail] : [head, tail];
}

/** The header at the start of these bytes, or undefined if none stands there whole and sound. */
export function decodeRecordHeader(bytes: Uint8Array, crc32c: Crc32c): RecordHeader | undefined {
  if (bytes.length < recordHeaderBytes) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, recordHeaderBytes);
  if (view.getUint32(0, true) !== recordMagic || view.getUint16(10, true) !== recordHeaderBytes) return undefined;
  const crc = view.getUint32(4, true);
  if (crc !== crc32c(bytes.subarray(8, recordHeaderBytes))) return undefined;
  if (view.getUint32(12, true) > payloadBytesMax) return undefined;
  const code = view.getUint8(8);
  const type = (Object.keys(typeCodes) as RecordType[]).find((known) => typeCodes[known] === code);
  if (!type) return undefined;
  return {
    type,
    length: view.getUint32(12, true),
    logicalLength: view.getUint32(16, true),
    group: Number(view.getBigUint64(24, true)) as GroupId,
    generation: Number(view.getBigUint64(32, true)) as Generation,
    sequence: Number(view.getBigUint64(40, true)),
    writtenAt: Number(view.getBigUint64(48, true)),
    hash: new Uint8Array(bytes.subarray(56, 88)),
    crcOfTable: view.getUint32(88, true),
    crc,
  };
}

/** True when the footer that belongs to this header stands at the end of the record's bytes. */
export function footerMatches(record: Uint8Array, header: RecordHeader): boolean {
  const total = recordBytes(header.length);
  assert(record.length >= recordFooterBytes, "a footer is read whole");
  const view = new DataView(record.buffer, record.byteOffset + record.length - recordFooterBytes, recordFooterBytes);
  return view.getUint32(0, true) === total && view.getUint32(4, true) === header.crc;
}

/** True when the table of CRCs is sound and each block of the payload matches its CRC. `record` starts at the header. */
export function payloadIsSound(record: Uint8Array, header: RecordHeader, crc32c: Crc32c): boolean {
  const table = tableOf(record, header, crc32c);
  if (!table) return false;
  const start = recordHeaderBytes + tableBytes(header.length);
  const payload = record.subarray(start, start + header.length);
  if (payload.length !== header.length) return false;
  return table.every(
    (crc, block) => crc32c(payload.subarray(block * crcBlockBytes, (block + 1) * crcBlockBytes)) === crc,
  );
}

/** The CRCs of the payload's blocks, or undefined if the table itself is damaged. */
export function tableOf(record: Uint8Array, header: RecordHeader, crc32c: Crc32c): Uint32Array | undefined {
  const bytes = record.subarray(recordHeaderBytes, recordHeaderBytes + tableBytes(header.length));
  if (bytes.length !== tableBytes(header.length) || crc32c(bytes) !== header.crcOfTable) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Uint32Array.from({ length: bytes.length / 4 }, (_, block) => view.getUint32(block * 4, true));
}

export function idOf(header: RecordHeader): ChunkId {
  return chunkIdFromHash(header.hash);
}

export function hashOf(id: ChunkId): Uint8Array {
  return hashOfChunkId(id);
}

export function alignUp(offset: number): number {
  return Math.ceil(offset / recordAlignment) * recordAlignment;
}
