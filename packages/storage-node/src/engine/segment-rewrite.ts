import type { DiskFile } from "@cairn/env";
import { type GroupId, StorageError } from "@cairn/protocol";
import type { EngineParts } from "./engine-parts.ts";
import {
  decodeRecordHeader,
  footerMatches,
  payloadIsSound,
  type RecordHeader,
  recordBytes,
  recordHeaderBytes,
} from "./record-format.ts";
import { encodeSegmentHeader, segmentHeaderBytes } from "./segment-format.ts";

/** Bytes that are read and written in one go. */
const stretchBytes = 1_048_576;
/** Synced now and then, so that the disk never has to write a whole segment at once while others wait for it. */
const syncEveryBytes = 8_388_608;

/** Which segment is written anew, and what may be left out. */
export interface Rewrite {
  readonly group: GroupId;
  readonly number: number;
  /** The segment that is read, its bytes, and where the new one is written. */
  readonly path: string;
  readonly bytes: number;
  readonly target: string;
  readonly mayDrop: (header: RecordHeader) => boolean;
  /** Awaited before so many bytes are read and written. */
  readonly pace: (bytes: number) => Promise<void>;
  readonly signal: AbortSignal;
}

/** A damaged record, or a place where no record stands, that keeps a segment from being rewritten. */
export interface DamagedRecord {
  readonly offset: number;
  readonly end: number;
}

/** Where the records of a segment stand in the one that was written in its place. */
export class RewrittenSegment {
  readonly bytes: number;
  /** Beginning and end of each stretch that was left out, in order. */
  readonly #dropped: readonly { readonly offset: number; readonly end: number; readonly before: number }[];

  constructor(bytes: number, dropped: readonly { readonly offset: number; readonly end: number }[]) {
    let before = 0;
    this.#dropped = dropped.map(({ offset, end }) => {
      before += end - offset;
      return { offset, end, before: before - (end - offset) };
    });
    this.bytes = bytes - before;
  }

  /** Undefined for a record that was left out. */
  placeOf(offset: number): number | undefined {
    let low = 0;
    let high = this.#dropped.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#dropped[middle]?.offset ?? 0) <= offset) low = middle + 1;
      else high = middle;
    }
    const last = this.#dropped[low - 1];
    if (!last) return offset;
    return offset < last.end ? undefined : offset - last.before - (last.end - last.offset);
  }
}

/**
 * Copies a segment without the records that may be dropped, each record as it stands and checked on the way, into a file of
 * its own, synced. Nothing else is changed. Damage is handed back: then the copy is worth nothing, and the segment stays.
 */
export async function rewriteSegment(parts: EngineParts, rewrite: Rewrite): Promise<RewrittenSegment | DamagedRecord> {
  const { disk, crashPoint } = parts;
  const source = await disk.open(rewrite.path, "read");
  try {
    if (await disk.exists(rewrite.target)) await disk.remove(rewrite.target);
    const target = await disk.open(rewrite.target, "create");
    try {
      const copied = await copyRecords(parts, rewrite, { source, target });
      if (!(copied instanceof RewrittenSegment)) return copied;
      const { group, number } = rewrite;
      const { cluster, uuid } = parts.identity;
      const header = { cluster, disk: uuid, group, number, createdAt: parts.clock.now(), wholeBytes: copied.bytes };
      await target.write([encodeSegmentHeader(header, parts.crc32c)], 0);
      crashPoint("engine.compact.before-sync");
      await target.syncData();
      return copied;
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}

async function copyRecords(
  parts: EngineParts,
  { group, bytes, mayDrop, pace, signal }: Rewrite,
  { source, target }: { readonly source: DiskFile; readonly target: DiskFile },
): Promise<RewrittenSegment | DamagedRecord> {
  const dropped: { offset: number; end: number }[] = [];
  let written = segmentHeaderBytes;
  let synced = written;
  let offset = segmentHeaderBytes;
  while (offset < bytes) {
    const stretch = await readStretch(parts, source, { offset, bytes, pace });
    // The pace may have held it up for long.
    if (signal.aborted) throw new StorageError("cancelled", "compact segment", "the node stops");
    const kept: Uint8Array[] = [];
    let at = 0;
    while (at < stretch.length) {
      const header = decodeRecordHeader(stretch.subarray(at), parts.crc32c);
      const length = header ? recordBytes(header.length) : 0;
      // The next stretch begins with a record that this one holds in part; a stretch holds one record at least.
      if (header && at > 0 && at + length > stretch.length) break;
      const record = stretch.subarray(at, at + length);
      const sound = header?.group === group && record.length === length && isSound(parts, record, header);
      if (!header || !sound) {
        const partial = at > 0 && stretch.length - at < recordHeaderBytes && offset + stretch.length < bytes;
        if (partial) break;
        return { offset: offset + at, end: Math.min(offset + at + Math.max(length, recordHeaderBytes), bytes) };
      }
      if (header.type === "chunk" && mayDrop(header)) dropped.push({ offset: offset + at, end: offset + at + length });
      else kept.push(record);
      at += length;
    }
    await target.write(kept, written);
    written += kept.reduce((sum, { length }) => sum + length, 0);
    offset += at;
    if (written - synced < syncEveryBytes) continue;
    await target.syncData();
    synced = written;
  }
  return new RewrittenSegment(bytes, dropped);
}

/** Bytes from a record's beginning on: a stretch of many records, or one that is longer. */
async function readStretch(
  { crc32c }: EngineParts,
  source: DiskFile,
  { offset, bytes, pace }: { readonly offset: number; readonly bytes: number; readonly pace: Rewrite["pace"] },
): Promise<Uint8Array> {
  const stretch = await readWhole(source, offset, Math.min(stretchBytes, bytes - offset));
  const header = decodeRecordHeader(stretch, crc32c);
  const length = Math.min(header ? recordBytes(header.length) : 0, bytes - offset);
  await pace(Math.max(stretch.length, length));
  return length > stretch.length ? readWhole(source, offset, length) : stretch;
}

async function readWhole(source: DiskFile, offset: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  // A read that stops early is a failure of the disk: taken for the end of the file it would cut records off.
  if ((await source.read(bytes, offset)) === length) return bytes;
  throw new StorageError("unavailable", "compact segment", `the read at ${offset} stopped early`);
}

function isSound({ crc32c }: EngineParts, record: Uint8Array, header: RecordHeader): boolean {
  return footerMatches(record, header) && payloadIsSound(record, header, crc32c);
}
