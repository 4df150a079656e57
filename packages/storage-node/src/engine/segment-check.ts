import type { DiskFile } from "@cairn/env";
import { compareBytes, type GroupId, StorageError } from "@cairn/protocol";
import type { EngineParts } from "./engine-parts.ts";
import type { GroupCheckpoint } from "./group-checkpoint.ts";
import type { Quarantine } from "./quarantine.ts";
import { type Crc32c, recordBytes, recordHeaderBytes, tableBytes } from "./record-format.ts";
import { decodeSegmentHeader, type SegmentHeader, segmentHeaderBytes } from "./segment-format.ts";
import { type DamagedStretch, type ScannedRecord, type SegmentScan, scanSegment } from "./segment-scan.ts";

export interface SegmentFile {
  readonly number: number;
  readonly path: string;
  /** Bytes that belong to the segment. */
  readonly bytes: number;
  /** Bytes that the file has: fewer when some were lost, more after a failed append. */
  readonly size: number;
  /** Compaction wrote it as a whole, without the records that were dropped. */
  readonly compacted?: boolean;
}

interface SegmentPlace {
  readonly group: GroupId;
  readonly checkpoint: GroupCheckpoint;
  readonly quarantine: Quarantine;
}

/**
 * Reads the records of a segment that can be believed, and sets aside what cannot. `unborn`: the process ended while it
 * made this segment; nothing was ever acknowledged in it, and it was removed.
 */
export async function readSegment(
  parts: EngineParts,
  place: SegmentPlace,
  { file, last }: { file: SegmentFile; last: boolean },
): Promise<SegmentScan | "unborn"> {
  const opened = await parts.disk.open(file.path, "read");
  try {
    const header = await readHeader(parts, opened);
    if (!header && isUnborn(place, { file, last })) {
      parts.log.warn({ file: file.path }, "an unfinished segment without records is removed");
      await parts.disk.remove(file.path);
      return "unborn";
    }
    const misplaced = header ? misplacement(parts, place, { file, header }) : undefined;
    const scan: SegmentScan = misplaced
      ? { records: [], damage: [{ offset: 0, end: file.bytes }], end: file.bytes, tornFrom: undefined }
      : await scanRecords(parts, place, { file, last, opened, sound: header !== undefined });
    const why = misplaced ?? "no whole record stands here";
    for (const stretch of scan.damage) await place.quarantine.add({ segment: file.number, ...stretch, why });
    return { ...scan, records: await believable(parts, place, { file, opened, records: scan.records }) };
  } finally {
    await opened.close();
  }
}

/** Bytes of the file at a path, and how many it must have if compaction wrote it. Throws not-found. */
export async function measureSegment(
  { disk, crc32c }: EngineParts,
  path: string,
): Promise<{ readonly size: number; readonly wholeBytes: number | undefined }> {
  const file = await disk.open(path, "read");
  try {
    return { size: await file.size(), wholeBytes: (await headerOf(file, crc32c))?.wholeBytes };
  } finally {
    await file.close();
  }
}

/** A header that the disk cannot read costs itself, not the group: the checkpoint knows the size too. */
async function headerOf(file: DiskFile, crc32c: Crc32c): Promise<SegmentHeader | undefined> {
  const page = new Uint8Array(segmentHeaderBytes);
  let read = 0;
  try {
    read = await file.read(page, 0);
  } catch {
    return undefined;
  }
  return decodeSegmentHeader(page.subarray(0, read), crc32c);
}

async function readHeader(parts: EngineParts, file: DiskFile): Promise<SegmentHeader | undefined> {
  const page = new Uint8Array(segmentHeaderBytes);
  return decodeSegmentHeader(page.subarray(0, await file.read(page, 0)), parts.crc32c);
}

/** Only the newest segment can be unfinished, and a segment takes records only after its header was synced. */
function isUnborn(place: SegmentPlace, { file, last }: { file: SegmentFile; last: boolean }): boolean {
  return last && !place.checkpoint.segments.has(file.number) && file.size <= segmentHeaderBytes;
}

/** Why a file does not belong here. Throws corrupt for one of another disk: then more than one file is in doubt. */
function misplacement(
  parts: EngineParts,
  place: SegmentPlace,
  { file, header }: { file: SegmentFile; header: SegmentHeader },
): string | undefined {
  if (header.disk !== parts.identity.uuid || header.cluster !== parts.identity.cluster) {
    throw new StorageError("corrupt", "open segment", file.path, {
      hint: `Its header names disk ${header.disk}: the file was copied here from another disk. Move it away.`,
    });
  }
  if (header.group === place.group && header.number === file.number) return undefined;
  return `the file is segment ${header.number} of group ${header.group}`;
}

async function scanRecords(
  parts: EngineParts,
  place: SegmentPlace,
  { file, last, opened, sound }: { file: SegmentFile; last: boolean; opened: DiskFile; sound: boolean },
): Promise<SegmentScan> {
  const known = place.checkpoint.segments.get(file.number);
  // A torn append is possible only at the end of the last segment, and only beyond what was noted as synced.
  const durable = last && !known?.ended ? (known?.durable ?? segmentHeaderBytes) : file.bytes;
  const end = Math.min(file.bytes, file.size);
  const scan = await scanSegment(opened, { end, durable }, parts.crc32c);
  const damage: DamagedStretch[] = [...scan.damage];
  if (!sound) damage.unshift({ offset: 0, end: segmentHeaderBytes });
  // Nothing is cut off a damaged segment. Its torn end is noted, or the next start takes it for a record.
  const { tornFrom } = scan;
  if (damage.length > 0 && tornFrom !== undefined) damage.push({ offset: tornFrom, end });
  if (file.size < file.bytes) damage.push({ offset: file.size, end: file.bytes });
  return { ...scan, damage, end: file.size < file.bytes ? file.bytes : scan.end };
}

/** Drops records of other groups, and those found behind damage whose bytes are not what their hash says. */
async function believable(
  parts: EngineParts,
  place: SegmentPlace,
  { file, opened, records }: { file: SegmentFile; opened: DiskFile; records: readonly ScannedRecord[] },
): Promise<ScannedRecord[]> {
  const good: ScannedRecord[] = [];
  for (const record of records) {
    const { header, offset } = record;
    const foreign = header.group !== place.group;
    const doubtful = !foreign && record.afterDamage && header.type === "chunk";
    if (!foreign && !(doubtful && !(await matchesHash(parts, opened, record)))) {
      good.push(record);
      continue;
    }
    const why = foreign ? `it belongs to group ${header.group}` : "its bytes are not what its hash says";
    await place.quarantine.add({ segment: file.number, offset, end: offset + recordBytes(header.length), why });
  }
  return good;
}

async function matchesHash(parts: EngineParts, file: DiskFile, { header, offset }: ScannedRecord): Promise<boolean> {
  const payload = new Uint8Array(header.length);
  const read = await file.read(payload, offset + recordHeaderBytes + tableBytes(header.length));
  return read === payload.length && compareBytes(await parts.hasher.sha256(payload), header.hash) === 0;
}
