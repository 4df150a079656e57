import type { Disk, DiskFile } from "@cairn/env";
import { compareBytes, fromHex, type GroupId, isKind, StorageError, toHex } from "@cairn/protocol";
import { writeWholeFile } from "./atomic-file.ts";
import { type ChunkTable, type Location, readTableEntry, writeTableEntry } from "./chunk-table.ts";
import type { Crc32c } from "./record-format.ts";

/**
 * The sorted index of a sealed group (docs/formats/segment.md): a header page, a radix table over the first two bytes
 * of the hash, and pages of 85 entries with a CRC each. One look-up reads one or two pages and keeps nothing in memory.
 */
const indexMagic = 0x49_4e_52_43; // "CRNI"
const indexVersion = 1;
const segmentList = 72;
const pageBytes = 4096;
const entriesPerPage = 85;
const radixBuckets = 65_536;
const radixBytes = (radixBuckets + 1) * 4;
const firstPage = pageBytes + Math.ceil(radixBytes / pageBytes) * pageBytes;

/** What an index must agree with to be believed. */
export interface IndexedSegments {
  readonly group: GroupId;
  /** UUID of the disk, 32 hex digits. */
  readonly disk: string;
  /** Number and bytes of each segment, in order. */
  readonly segments: readonly { readonly number: number; readonly bytes: number }[];
}

/** Counts all records of the index, whether they are deleted or damaged by now or not. */
export interface IndexSummary extends IndexedSegments {
  readonly records: number;
  readonly bytes: number;
  readonly digest: bigint;
  readonly nextSequence: number;
}

export async function writeSealedIndex(
  disk: Disk,
  path: string,
  { table, summary, crc32c }: { table: ChunkTable; summary: IndexSummary; crc32c: Crc32c },
): Promise<void> {
  const order = table.sorted();
  const pages = Math.ceil(order.length / entriesPerPage);
  const body = new Uint8Array(pages * pageBytes);
  const radix = new Uint32Array(radixBuckets + 1);
  for (const [rank, index] of order.entries()) {
    const { hash, location } = table.at(index);
    const page = body.subarray(Math.floor(rank / entriesPerPage) * pageBytes).subarray(0, pageBytes);
    writeTableEntry(page, viewOf(page), rank % entriesPerPage, hash, location);
    const bucket = bucketOf(hash);
    radix[bucket + 1] = (radix[bucket + 1] ?? 0) + 1;
  }
  for (let bucket = 1; bucket <= radixBuckets; bucket++)
    radix[bucket] = (radix[bucket] ?? 0) + (radix[bucket - 1] ?? 0);
  for (let start = 0; start < body.length; start += pageBytes) {
    const page = body.subarray(start, start + pageBytes);
    viewOf(page).setUint32(pageBytes - 4, crc32c(page.subarray(0, pageBytes - 4)), true);
  }
  const radixPage = new Uint8Array(firstPage - pageBytes);
  radix.forEach((count, bucket) => {
    viewOf(radixPage).setUint32(bucket * 4, count, true);
  });
  await writeWholeFile(disk, path, [encodeHeader(summary, radixPage, crc32c), radixPage, body]);
}

/** The header page, field by field in docs/formats/segment.md. */
function encodeHeader(summary: IndexSummary, radix: Uint8Array, crc32c: Crc32c): Uint8Array {
  const header = new Uint8Array(pageBytes);
  const view = viewOf(header);
  view.setUint32(0, indexMagic, true);
  view.setUint32(8, indexVersion, true);
  view.setUint32(12, summary.records, true);
  view.setBigUint64(16, BigInt(summary.bytes), true);
  view.setBigUint64(24, summary.digest, true);
  view.setBigUint64(32, BigInt(summary.nextSequence), true);
  view.setUint32(40, crc32c(radix), true);
  view.setUint32(44, summary.segments.length, true);
  view.setBigUint64(48, BigInt(summary.group), true);
  header.set(fromHex(summary.disk), 56);
  summary.segments.forEach(({ number, bytes }, index) => {
    view.setUint32(segmentList + index * 12, number, true);
    view.setBigUint64(segmentList + 4 + index * 12, BigInt(bytes), true);
  });
  view.setUint32(4, crc32c(header.subarray(8)), true);
  return header;
}

/** The summary of an index that is whole and speaks of exactly these segments; undefined means: build it again. */
export async function readIndexSummary(
  disk: Disk,
  path: string,
  { group, disk: uuid, segments, crc32c }: IndexedSegments & { crc32c: Crc32c },
): Promise<IndexSummary | undefined> {
  const file = await openIfThere(disk, path);
  if (!file) return undefined;
  try {
    const head = new Uint8Array(firstPage);
    if ((await file.read(head, 0)) !== firstPage) return undefined;
    const summary = decodeHeader(head, crc32c);
    if (!summary || summary.group !== group || summary.disk !== uuid) return undefined;
    if ((await file.size()) !== firstPage + Math.ceil(summary.records / entriesPerPage) * pageBytes) return undefined;
    const same =
      summary.segments.length === segments.length &&
      summary.segments.every(
        ({ number, bytes }, index) => number === segments[index]?.number && bytes === segments[index]?.bytes,
      );
    return same ? summary : undefined;
  } finally {
    await file.close();
  }
}

function decodeHeader(head: Uint8Array, crc32c: Crc32c): IndexSummary | undefined {
  const view = viewOf(head);
  const sound =
    view.getUint32(0, true) === indexMagic && view.getUint32(4, true) === crc32c(head.subarray(8, pageBytes));
  if (!sound || view.getUint32(8, true) !== indexVersion) return undefined;
  if (view.getUint32(40, true) !== crc32c(head.subarray(pageBytes))) return undefined;
  return {
    group: Number(view.getBigUint64(48, true)) as GroupId,
    disk: toHex(head.subarray(56, 72)),
    segments: Array.from({ length: view.getUint32(44, true) }, (_, index) => ({
      number: view.getUint32(segmentList + index * 12, true),
      bytes: Number(view.getBigUint64(segmentList + 4 + index * 12, true)),
    })),
    records: view.getUint32(12, true),
    bytes: Number(view.getBigUint64(16, true)),
    digest: view.getBigUint64(24, true),
    nextSequence: Number(view.getBigUint64(32, true)),
  };
}

/** All records with this hash. Throws corrupt when a page of the index does not match its CRC. */
export async function findInIndex(file: DiskFile, hash: Uint8Array, crc32c: Crc32c): Promise<Location[]> {
  const range = new Uint8Array(8);
  await readFully(file, range, pageBytes + bucketOf(hash) * 4);
  const first = viewOf(range).getUint32(0, true);
  const end = viewOf(range).getUint32(4, true);
  const found: Location[] = [];
  for (let rank = first; rank < end; ) {
    const pageNumber = Math.floor(rank / entriesPerPage);
    const page = await readPage(file, pageNumber, crc32c);
    const stop = Math.min(end, (pageNumber + 1) * entriesPerPage);
    for (; rank < stop; rank++) {
      const entry = readTableEntry(page, viewOf(page), rank % entriesPerPage);
      if (compareBytes(entry.hash, hash) === 0) found.push(entry.location);
    }
  }
  return found;
}

/** Entries in order, from the first whose hash is at or after this one (absent: all), a page of the file at a time. */
export async function* readIndexEntries(
  file: DiskFile,
  { from, records, crc32c }: { from: Uint8Array | undefined; records: number; crc32c: Crc32c },
): AsyncGenerator<{ hash: Uint8Array; location: Location }> {
  const range = new Uint8Array(4);
  if (from) await readFully(file, range, pageBytes + bucketOf(from) * 4);
  let rank = viewOf(range).getUint32(0, true);
  while (rank < records) {
    const page = await readPage(file, Math.floor(rank / entriesPerPage), crc32c);
    const stop = Math.min(records, (Math.floor(rank / entriesPerPage) + 1) * entriesPerPage);
    for (; rank < stop; rank++) {
      const entry = readTableEntry(page, viewOf(page), rank % entriesPerPage);
      if (!from || compareBytes(entry.hash, from) >= 0) yield entry;
    }
  }
}

async function readPage(file: DiskFile, number: number, crc32c: Crc32c): Promise<Uint8Array> {
  const page = new Uint8Array(pageBytes);
  await readFully(file, page, firstPage + number * pageBytes);
  if (viewOf(page).getUint32(pageBytes - 4, true) !== crc32c(page.subarray(0, pageBytes - 4))) {
    throw new StorageError("corrupt", "read index", `page ${number} does not match its CRC`);
  }
  return page;
}

async function readFully(file: DiskFile, buffer: Uint8Array, position: number): Promise<void> {
  if ((await file.read(buffer, position)) !== buffer.length)
    throw new StorageError("corrupt", "read index", "it is cut off");
}

async function openIfThere(disk: Disk, path: string): Promise<DiskFile | undefined> {
  try {
    return await disk.open(path, "read");
  } catch (error) {
    if (isKind(error, "not-found")) return undefined;
    throw error;
  }
}

function bucketOf(hash: Uint8Array): number {
  return ((hash[0] ?? 0) << 8) | (hash[1] ?? 0);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
