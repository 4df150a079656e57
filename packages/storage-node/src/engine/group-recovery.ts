import type { Generation, GroupId } from "@cairn/protocol";
import { ChunkTable, type Location } from "./chunk-table.ts";
import type { EngineParts } from "./engine-parts.ts";
import { type GroupCheckpoint, readCheckpoint, tombstoneSegment } from "./group-checkpoint.ts";
import { RunningDigest } from "./group-digest.ts";
import { Quarantine } from "./quarantine.ts";
import { recordBytes } from "./record-format.ts";
import { readSealedIndex, type SealedIndex } from "./sealed-index.ts";
import { measureSegment, readSegment, type SegmentFile } from "./segment-check.ts";
import { isUnfinished, segmentHeaderBytes, segmentName, segmentNumber } from "./segment-format.ts";
import { SegmentWriter } from "./segment-writer.ts";

export const indexFile = "sealed.idx";
export const checkpointFile = "checkpoint";
export const tombstoneFile = "tombstones.seg";

/** What the segments of a group say after a start: the log is the truth, everything else only helps to read it. */
export interface RecoveredGroup {
  readonly checkpoint: GroupCheckpoint;
  readonly quarantine: Quarantine;
  readonly tombstones: ChunkTable;
  /** Bytes of the file of tombstones; 0 if there is none. */
  readonly tombstoneBytes: number;
  /** Records of a group that is still open, or whose index has to be built again. */
  readonly table: ChunkTable | undefined;
  /** Of a sealed group; there is a table or an index. */
  readonly index: SealedIndex | undefined;
  readonly sealed: boolean;
  readonly nextSequence: number;
  /** Number and bytes of each segment in order. */
  readonly segments: readonly { number: number; bytes: number }[];
  /** The segment to go on with, synced and cut; undefined: begin a new one. */
  readonly writer: SegmentWriter | undefined;
}

interface GroupPlace {
  readonly group: GroupId;
  readonly folder: string;
  readonly checkpoint: GroupCheckpoint;
  readonly quarantine: Quarantine;
}

export async function recoverGroup(parts: EngineParts, group: GroupId, folder: string): Promise<RecoveredGroup> {
  const checkpoint = await readCheckpoint(parts.disk, `${folder}/${checkpointFile}`, parts.crc32c);
  const quarantine = new Quarantine(parts, { group, folder });
  await quarantine.load();
  const place = { group, folder, checkpoint, quarantine };
  for (const name of (await parts.disk.list(folder)).filter(isUnfinished)) {
    // A compaction was cut off here; the segment that it read is still there.
    await parts.disk.remove(`${folder}/${name}`);
  }
  const files = await segmentFiles(parts, place);
  const segments = files.map(({ number, bytes }) => ({ number, bytes }));
  const shared = { checkpoint, quarantine, ...(await recoverTombstones(parts, place)) };
  const index = await readSealedIndex(parts.disk, `${folder}/${indexFile}`, {
    group,
    disk: parts.identity.uuid,
    segments,
    crc32c: parts.crc32c,
  });
  if (!index) return { ...shared, index, ...(await rebuild(parts, place, files)) };
  const { nextSequence } = index;
  return { ...shared, index, table: undefined, sealed: true, nextSequence, segments, writer: undefined };
}

/** Reads the records of a sealed group from its segments, for an index that turned out to be damaged. */
export async function readSealedGroup(
  parts: EngineParts,
  group: GroupId,
  { folder, quarantine }: { folder: string; quarantine: Quarantine },
): Promise<ChunkTable> {
  const checkpoint = await readCheckpoint(parts.disk, `${folder}/${checkpointFile}`, parts.crc32c);
  const place = { group, folder, checkpoint, quarantine };
  const { table, writer } = await rebuild(parts, place, await segmentFiles(parts, place));
  await writer?.close();
  return table;
}

/** Counts what is neither deleted nor damaged. */
export function liveDigest(
  table: ChunkTable,
  isLive: (hash: Uint8Array, location: Location) => boolean,
): RunningDigest {
  const digest = new RunningDigest();
  for (let index = 0; index < table.count; index++) {
    const { hash, location } = table.at(index);
    if (isLive(hash, location)) digest.add(hash, location);
  }
  return digest;
}

async function rebuild(
  parts: EngineParts,
  place: GroupPlace,
  files: readonly SegmentFile[],
): Promise<Pick<RecoveredGroup, "sealed" | "nextSequence" | "segments" | "writer"> & { table: ChunkTable }> {
  const { quarantine, checkpoint } = place;
  const table = new ChunkTable();
  const segments: { number: number; bytes: number }[] = [];
  let sealed = false;
  let nextSequence = 1;
  let writer: SegmentWriter | undefined;
  let gapExpected = false;
  for (const [index, file] of files.entries()) {
    const last = index === files.length - 1;
    const scan = await readSegment(parts, place, { file, last });
    if (scan === "unborn") continue;
    for (const { header, offset } of scan.records) {
      const gap = header.sequence > nextSequence && !file.compacted && !gapExpected;
      gapExpected = false;
      if (gap && scan.damage.length === 0) {
        parts.log.error(
          { file: file.path, offset, from: nextSequence, to: header.sequence },
          "records are missing before this one; repair copies them from another disk",
        );
      }
      nextSequence = Math.max(nextSequence, header.sequence + 1);
      if (header.type === "seal") sealed = true;
      if (header.type !== "chunk") continue;
      const generation = header.generation as Generation;
      const location = { generation, segment: file.number, offset, length: header.length };
      // A record that was written again after damage replaces the damaged one, never the other way round.
      if (quarantine.holds(file.number, offset) && table.get(header.hash, generation)) continue;
      table.set(header.hash, location);
    }
    // What compaction dropped at the end of a segment is missing before the first record of the next one.
    gapExpected = file.compacted === true;
    const takesMore =
      last && !file.compacted && !checkpoint.segments.get(file.number)?.ended && scan.damage.length === 0;
    if (takesMore) {
      parts.crashPoint("engine.open.before-reopen");
      const noted = checkpoint.segments.get(file.number)?.durable ?? segmentHeaderBytes;
      writer = await SegmentWriter.reopen(parts.disk, { path: file.path, number: file.number, noted, end: scan.end });
      // The process that made this file may have ended before its name was durable.
      await parts.disk.syncFolder(place.folder);
    }
    segments.push({ number: file.number, bytes: takesMore ? scan.end : file.bytes });
  }
  if (sealed) {
    await writer?.close();
    writer = undefined;
  }
  return { table, sealed, nextSequence, segments, writer };
}

async function segmentFiles(parts: EngineParts, { folder, checkpoint }: GroupPlace): Promise<SegmentFile[]> {
  const there = (await parts.disk.list(folder)).map(segmentNumber).filter((number) => number !== undefined);
  for (const number of checkpoint.segments.keys()) {
    if (number !== tombstoneSegment && !there.includes(number)) {
      parts.log.error({ folder, segment: number }, "a segment is gone; repair copies its records from another disk");
    }
  }
  const files: SegmentFile[] = [];
  for (const number of there.sort((a, b) => a - b)) {
    const path = `${folder}/${segmentName(number)}`;
    const known = checkpoint.segments.get(number);
    const { size, wholeBytes } = await measureSegment(parts, path);
    const grownBytes = known?.ended ? known.durable : Math.max(size, known?.durable ?? 0);
    // The checkpoint may speak of the file that compaction has replaced.
    files.push({ number, path, bytes: wholeBytes ?? grownBytes, size, compacted: wholeBytes !== undefined });
  }
  return files;
}

async function recoverTombstones(
  parts: EngineParts,
  place: GroupPlace,
): Promise<{ tombstones: ChunkTable; tombstoneBytes: number }> {
  const tombstones = new ChunkTable();
  const path = `${place.folder}/${tombstoneFile}`;
  if (!(await parts.disk.exists(path))) return { tombstones, tombstoneBytes: 0 };
  const noted = place.checkpoint.segments.get(tombstoneSegment)?.durable ?? 0;
  const { size } = await measureSegment(parts, path);
  const file = { number: tombstoneSegment, path, size, bytes: Math.max(size, noted) };
  const scan = await readSegment(parts, place, { file, last: true });
  if (scan === "unborn") return { tombstones, tombstoneBytes: 0 };
  for (const { header } of scan.records) {
    if (header.type !== "tombstone") continue;
    const generation = header.generation as Generation;
    tombstones.set(header.hash, tombstoneOf(generation, header.logicalLength, header.writtenAt));
  }
  if (scan.end > noted || file.size > scan.end) {
    const from = Math.max(noted, segmentHeaderBytes);
    const writer = await SegmentWriter.reopen(parts.disk, {
      path,
      number: tombstoneSegment,
      noted: from,
      end: scan.end,
    });
    await writer.close();
    await parts.disk.syncFolder(place.folder);
  }
  return { tombstones, tombstoneBytes: scan.end };
}

/**
 * A tombstone among those of a group. Nobody looks up where it stands, so its place says when it was written: seconds, as
 * the eighth part of the offset. Wall clock ms in.
 */
export function tombstoneOf(generation: Generation, length: number, writtenAt: number): Location {
  const second = Math.min(Math.max(Math.ceil(writtenAt / 1000), 0), 2 ** 32 - 1);
  return { generation, segment: tombstoneSegment, offset: second * 8, length };
}

/** Wall clock ms at which a tombstone was written, to the second after. */
export function deletedAt(tombstone: Location): number {
  return (tombstone.offset / 8) * 1000;
}

/** Bytes that a record at this place takes, for those who only know its payload. */
export function recordEnd(location: { readonly offset: number; readonly length: number }): number {
  return location.offset + recordBytes(location.length);
}
