import type { Disk, DiskFile } from "@cairn/env";
import { compareBytes, fromHex, type GroupId, isKind, StorageError, toHex } from "@cairn/protocol";
import { writeWholeFile } from "./atomic-file.ts";
import { type ChunkTable, type Location, readTableEntry, writeTableEntry } from "./chunk-table.ts";
import type { Crc32c } from "./record-format.ts";

/**
 * The sorted index of a sealed group (docs/formats/segment.md): a header page, a table with the beginning of each page's
 * first hash, and pages of 85 entries with a CRC each. The table stays in memory, 4 bytes for 85 chunks; a look-up then
 * reads one page.
 */
const indexMagic = 0x49_4e_52_43; // "CRNI"
const indexVersion = 1;
const segmentList = 72;
const pageBytes = 4096;
const entriesPerPage = 85;

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

/** An index as it is kept in memory. */
export interface SealedIndex extends IndexSummary {
  /** The first 32 bits of the first hash of each page. */
  readonly fences: Uint32Array;
}

export async function writeSealedIndex(
  disk: Disk,
  path: string,
  { table, summary, crc32c }: { table: ChunkTable; summary: IndexSummary; crc32c: Crc32c },
): Promise<SealedIndex> {
  const order = table.sorted();
  const pages = Math.ceil(order.length / entriesPerPage);
  const body = new Uint8Array(pages * pageBytes);
  const fences = new Uint32Array(pages);
  for (let number = 0; number < pages; number++) {
    const page = body.subarray(number * pageBytes, (number + 1) * pageBytes);
    const view = viewOf(page);
    for (const [place, index] of order.subarray(number * entriesPerPage, (number + 1) * entriesPerPage).entries()) {
      const { hash, location } = table.at(index);
      writeTableEntry(page, view, place, hash, location);
      if (place === 0) fences[number] = beginningOf(hash);
    }
    view.setUint32(pageBytes - 4, crc32c(page.subarray(0, pageBytes - 4)), true);
  }
  const fencePages = new Uint8Array(fencePagesBytes(pages));
  for (const [number, fence] of fences.entries()) viewOf(fencePages).setUint32(number * 4, fence, true);
  await writeWholeFile(disk, path, [encodeHeader(summary, fencePages, crc32c), fencePages, body]);
  return { ...summary, fences };
}

/** The header page, field by field in docs/formats/segment.md. */
function encodeHeader(summary: IndexSummary, fencePages: Uint8Array, crc32c: Crc32c): Uint8Array {
  const header = new Uint8Array(pageBytes);
  const view = viewOf(header);
  view.setUint32(0, indexMagic, true);
  view.setUint32(8, indexVersion, true);
  view.setUint32(12, summary.records, true);
  view.setBigUint64(16, BigInt(summary.bytes), true);
  view.setBigUint64(24, summary.digest, true);
  view.setBigUint64(32, BigInt(summary.nextSequence), true);
  view.setUint32(40, crc32c(fencePages), true);
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

/** An index that is whole and speaks of exactly these segments; undefined means: make it anew. */
export async function readSealedIndex(
  disk: Disk,
  path: string,
  { group, disk: uuid, segments, crc32c }: IndexedSegments & { crc32c: Crc32c },
): Promise<SealedIndex | undefined> {
  const file = await openIfThere(disk, path);
  if (!file) return undefined;
  try {
    const header = new Uint8Array(pageBytes);
    if ((await file.read(header, 0)) !== pageBytes) return undefined;
    const summary = decodeHeader(header, crc32c);
    if (!summary || summary.group !== group || summary.disk !== uuid) return undefined;
    const sameSegments =
      summary.segments.length === segments.length &&
      summary.segments.every(
        ({ number, bytes }, index) => number === segments[index]?.number && bytes === segments[index]?.bytes,
      );
    const pages = Math.ceil(summary.records / entriesPerPage);
    const size = pageBytes + fencePagesBytes(pages) + pages * pageBytes;
    if (!sameSegments || (await file.size()) !== size) return undefined;
    const fencePages = new Uint8Array(fencePagesBytes(pages));
    if ((await file.read(fencePages, pageBytes)) !== fencePages.length) return undefined;
    if (viewOf(header).getUint32(40, true) !== crc32c(fencePages)) return undefined;
    const view = viewOf(fencePages);
    return { ...summary, fences: Uint32Array.from({ length: pages }, (_, page) => view.getUint32(page * 4, true)) };
  } finally {
    await file.close();
  }
}

function decodeHeader(header: Uint8Array, crc32c: Crc32c): IndexSummary | undefined {
  const view = viewOf(header);
  if (view.getUint32(0, true) !== indexMagic || view.getUint32(8, true) !== indexVersion) return undefined;
  if (view.getUint32(4, true) !== crc32c(header.subarray(8))) return undefined;
  return {
    group: Number(view.getBigUint64(48, true)) as GroupId,
    disk: toHex(header.subarray(56, 72)),
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

/** Entries in order, from the first whose hash is at or after this one (absent: all), a page of the file at a time. */
export async function* readIndexEntries(
  file: DiskFile,
  { index, from, crc32c }: { index: SealedIndex; from: Uint8Array | undefined; crc32c: Crc32c },
): AsyncGenerator<{ hash: Uint8Array; location: Location }> {
  const { fences, records } = index;
  for (let number = from ? firstPageOf(fences, from) : 0; number < fences.length; number++) {
    const page = await readPage(file, { number, pages: fences.length, crc32c });
    const view = viewOf(page);
    const count = Math.min(entriesPerPage, records - number * entriesPerPage);
    for (let place = 0; place < count; place++) {
      const entry = readTableEntry(page, view, place);
      if (!from || compareBytes(entry.hash, from) >= 0) yield entry;
    }
  }
}

/** All records with this hash. Throws corrupt when a page of the index does not match its CRC. */
export async function findInIndex(
  file: DiskFile,
  { index, hash, crc32c }: { index: SealedIndex; hash: Uint8Array; crc32c: Crc32c },
): Promise<Location[]> {
  const found: Location[] = [];
  for await (const entry of readIndexEntries(file, { index, from: hash, crc32c })) {
    if (compareBytes(entry.hash, hash) !== 0) break;
    found.push(entry.location);
  }
  return found;
}

/** The first page that may hold this hash: the one before the first that begins at or after it. */
function firstPageOf(fences: Uint32Array, hash: Uint8Array): number {
  const beginning = beginningOf(hash);
  let low = 0;
  let high = fences.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((fences[middle] as number) < beginning) low = middle + 1;
    else high = middle;
  }
  return Math.max(low - 1, 0);
}

async function readPage(
  file: DiskFile,
  { number, pages, crc32c }: { number: number; pages: number; crc32c: Crc32c },
): Promise<Uint8Array> {
  const page = new Uint8Array(pageBytes);
  const read = await file.read(page, pageBytes + fencePagesBytes(pages) + number * pageBytes);
  if (read !== pageBytes || viewOf(page).getUint32(pageBytes - 4, true) !== crc32c(page.subarray(0, pageBytes - 4))) {
    throw new StorageError("corrupt", "read index", `page ${number} does not match its CRC`);
  }
  return page;
}

async function openIfThere(disk: Disk, path: string): Promise<DiskFile | undefined> {
  try {
    return await disk.open(path, "read");
  } catch (error) {
    if (isKind(error, "not-found")) return undefined;
    throw error;
  }
}

function fencePagesBytes(pages: number): number {
  return Math.ceil((pages * 4) / pageBytes) * pageBytes;
}

function beginningOf(hash: Uint8Array): number {
  return (((hash[0] ?? 0) << 24) | ((hash[1] ?? 0) << 16) | ((hash[2] ?? 0) << 8) | (hash[3] ?? 0)) >>> 0;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
