import { fromHex, type GroupId, StorageError, toHex } from "@cairn/protocol";
import type { Crc32c } from "./record-format.ts";

/** The header page of docs/formats/segment.md: who wrote this file, and for what. */
export const segmentHeaderBytes = 4096;
const segmentMagic = 0x53_4e_52_43; // "CRNS"
/** A segment that grows record by record, and one that was written as a whole. */
const grownVersion = 1;
const wholeVersion = 2;

export interface SegmentHeader {
  /** 32 hex digits each. */
  readonly cluster: string;
  readonly disk: string;
  readonly group: GroupId;
  readonly number: number;
  /** Wall clock ms; for people only. */
  readonly createdAt: number;
  /** Bytes of a segment that compaction wrote as a whole; undefined in one that grew. */
  readonly wholeBytes?: number | undefined;
}

export function encodeSegmentHeader(header: SegmentHeader, crc32c: Crc32c): Uint8Array {
  const page = new Uint8Array(segmentHeaderBytes);
  const view = new DataView(page.buffer);
  view.setUint32(0, segmentMagic, true);
  view.setUint32(8, header.wholeBytes === undefined ? grownVersion : wholeVersion, true);
  page.set(fromHex(header.cluster), 12);
  page.set(fromHex(header.disk), 28);
  view.setBigUint64(44, BigInt(header.group), true);
  view.setUint32(52, header.number, true);
  view.setBigUint64(56, BigInt(Math.floor(header.createdAt)), true);
  view.setBigUint64(64, BigInt(header.wholeBytes ?? 0), true);
  view.setUint32(4, crc32c(page.subarray(8)), true);
  return page;
}

/** Undefined when the page is damaged or not one of ours. Throws invalid for a version that is newer than this program. */
export function decodeSegmentHeader(page: Uint8Array, crc32c: Crc32c): SegmentHeader | undefined {
  if (page.length < segmentHeaderBytes) return undefined;
  const view = new DataView(page.buffer, page.byteOffset, segmentHeaderBytes);
  if (view.getUint32(0, true) !== segmentMagic) return undefined;
  if (view.getUint32(4, true) !== crc32c(page.subarray(8, segmentHeaderBytes))) return undefined;
  const version = view.getUint32(8, true);
  if (version !== grownVersion && version !== wholeVersion) {
    throw new StorageError("invalid", "open segment", `its format is version ${version}`, {
      hint: "This disk was written by a newer Cairn. Start that version.",
    });
  }
  return {
    cluster: toHex(page.subarray(12, 28)),
    disk: toHex(page.subarray(28, 44)),
    group: Number(view.getBigUint64(44, true)) as GroupId,
    number: view.getUint32(52, true),
    createdAt: Number(view.getBigUint64(56, true)),
    wholeBytes: version === wholeVersion ? Number(view.getBigUint64(64, true)) : undefined,
  };
}

/** The folder of a group on its disk. */
export function groupFolder(group: GroupId): string {
  return `g/${group}`;
}

/** `00000001.seg` for 1. */
export function segmentName(number: number): string {
  return `${String(number).padStart(8, "0")}.seg`;
}

/** Where compaction writes a segment until it is whole: `00000001.seg.new` for 1. */
export function unfinishedName(number: number): string {
  return `${segmentName(number)}.new`;
}

/** True for a file that compaction left behind; it means nothing. */
export function isUnfinished(name: string): boolean {
  return /^\d{8}\.seg\.new$/.test(name);
}

/** The number of a segment's file, or undefined for another file. */
export function segmentNumber(name: string): number | undefined {
  const match = /^(\d{8})\.seg$/.exec(name);
  return match ? Number(match[1]) : undefined;
}
