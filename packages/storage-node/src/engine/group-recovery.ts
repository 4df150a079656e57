import { type Generation, type GroupId, StorageError } from "@cairn/protocol";
import { ChunkTable } from "./chunk-table.ts";
import type { EngineParts } from "./engine-parts.ts";
import { type GroupCheckpoint, readCheckpoint } from "./group-checkpoint.ts";
import { RunningDigest } from "./group-digest.ts";
import { Quarantine } from "./quarantine.ts";
import { recordBytes } from "./record-format.ts";
import { type IndexSummary, readIndexSummary } from "./sealed-index.ts";
import { decodeSegmentHeader, segmentHeaderBytes, segmentName, segmentNumber } from "./segment-format.ts";
import { type SegmentScan, scanSegment } from "./segment-scan.ts";
import { SegmentWriter } from "./segment-writer.ts";

export const indexFile = "sealed.idx";
export const checkpointFile = "checkpoint";
export const tombstoneFile = "tombstones.seg";

/** What the segments of a group say after a start: the log is the truth, everything else only helps to read it. */
export interface RecoveredGroup {
  readonly checkpoint: GroupCheckpoint;
  readonly quarantine: Quarantine;
  /** Records of a group that is still open, or whose index has to be built again. */
  readonly table: ChunkTable | undefined;
  readonly summary: IndexSummary | undefined;
  readonly digest: RunningDigest;
  readonly sealed: boolean;
  readonly tombstones: ChunkTable;
  readonly nextSequence: number;
  /** Number and bytes of each segment in order. */
  readonly segments: readonly { number: number; bytes: number }[];
  /** The segment to go on with, synced and cut; undefined: begin a new one. */
  readonly writer: SegmentWriter | undefined;
  readonly tombstoneWriter: SegmentWriter | undefined;
}

interface SegmentFile {
  readonly number: number;
  readonly path: string;
  readonly bytes: number;
}

export async function recoverGroup(parts: EngineParts, group: GroupId, folder: string): Promise<RecoveredGroup> {
  const checkpoint = await readCheckpoint(parts.disk, `${folder}/${checkpointFile}`, parts.crc32c);
  const quarantine = new Quarantine(parts, folder);
  await quarantine.load();
  const files = await segmentFiles(parts, folder, checkpoint);
  const segments = files.map(({ number, bytes }) => ({ number, bytes }));
  const { tombstones, tombstoneWriter } = await recoverTombstones(parts, { group, folder, checkpoint });

  const summary = await readIndexSummary(parts.disk, `${folder}/${indexFile}`, { segments, crc32c: parts.crc32c });
  const shared = { checkpoint, quarantine, tombstones, tombstoneWriter };
  if (summary) {
    const digest = RunningDigest.of(summary.records, summary.bytes, summary.digest);
    return {
      ...shared,
      table: undefined,
      summary,
      digest,
      sealed: true,
      nextSequence: summary.nextSequence,
      segments,
      writer: undefined,
    };
  }
  return { ...shared, summary: undefined, ...(await rebuild(parts, { group, checkpoint, quarantine, files })) };
}

type Rebuilt = Pick<RecoveredGroup, "table" | "digest" | "sealed" | "nextSequence" | "segments" | "writer">;

async function rebuild(
  parts: EngineParts,
  {
    group,
    checkpoint,
    quarantine,
    files,
  }: { group: GroupId; checkpoint: GroupCheckpoint; quarantine: Quarantine; files: SegmentFile[] },
): Promise<Rebuilt> {
  const table = new ChunkTable();
  const digest = new RunningDigest();
  const segments: { number: number; bytes: number }[] = [];
  let sealed = false;
  let nextSequence = 1;
  let writer: SegmentWriter | undefined;
  for (const [index, file] of files.entries()) {
    const last = index === files.length - 1;
    const scan = await scanFile(parts, { file, group, checkpoint, last });
    if (scan === "unborn") continue;
    for (const stretch of scan.damage) {
      await quarantine.add({ segment: file.number, ...stretch, why: "no whole record stands here" });
    }
    for (const { header, offset } of scan.records) {
      nextSequence = Math.max(nextSequence, header.sequence + 1);
      if (header.type === "seal") sealed = true;
      if (header.type !== "chunk") continue;
      if (header.group !== group) {
        await quarantine.add({
          segment: file.number,
          offset,
          end: offset + recordBytes(header.length),
          why: `it belongs to group ${header.group}`,
        });
        continue;
      }
      const location = {
        generation: header.generation as Generation,
        segment: file.number,
        offset,
        length: header.length,
      };
      if (table.set(header.hash, location) && !quarantine.holds(file.number, offset)) digest.add(header.hash, location);
    }
    const takesMore = last && !checkpoint.segments.get(file.number)?.ended && scan.damage.length === 0;
    if (takesMore)
      writer = await SegmentWriter.reopen(parts.disk, { path: file.path, number: file.number, end: scan.end });
    segments.push({ number: file.number, bytes: takesMore ? scan.end : file.bytes });
  }
  if (sealed) {
    await writer?.close();
    writer = undefined;
  }
  return { table, digest, sealed, nextSequence, segments, writer };
}

/** `unborn`: the process ended while it made this segment; nothing was ever acknowledged in it, and it is removed. */
async function scanFile(
  parts: EngineParts,
  { file, group, checkpoint, last }: { file: SegmentFile; group: GroupId; checkpoint: GroupCheckpoint; last: boolean },
): Promise<SegmentScan | "unborn"> {
  const known = checkpoint.segments.get(file.number);
  const opened = await parts.disk.open(file.path, "read");
  try {
    const page = new Uint8Array(segmentHeaderBytes);
    const read = await opened.read(page, 0);
    const header = decodeSegmentHeader(page.subarray(0, read), parts.crc32c);
    const ours = header?.group === group && header.disk === parts.identity.uuid && header.number === file.number;
    if (!ours && last && !known && file.bytes <= segmentHeaderBytes) {
      await parts.disk.remove(file.path);
      return "unborn";
    }
    if (header && !ours) {
      throw new StorageError("corrupt", "open segment", file.path, {
        hint: `Its header names disk ${header.disk} and group ${header.group}: the file was copied here from elsewhere. Move it away.`,
      });
    }
    // A torn append is possible only at the end of the last segment, and only beyond what was noted as synced.
    const durable = last && !known?.ended ? (known?.durable ?? segmentHeaderBytes) : file.bytes;
    const scan = await scanSegment(opened, { end: file.bytes, durable }, parts.crc32c);
    return header ? scan : { ...scan, damage: [{ offset: 0, end: segmentHeaderBytes }, ...scan.damage] };
  } finally {
    await opened.close();
  }
}

async function segmentFiles(parts: EngineParts, folder: string, checkpoint: GroupCheckpoint): Promise<SegmentFile[]> {
  const numbers = (await parts.disk.list(folder)).map(segmentNumber).filter((number) => number !== undefined);
  const files: SegmentFile[] = [];
  for (const number of numbers.sort((a, b) => a - b)) {
    const path = `${folder}/${segmentName(number)}`;
    const known = checkpoint.segments.get(number);
    files.push({ number, path, bytes: known?.ended ? known.durable : await sizeOf(parts, path) });
  }
  return files;
}

async function recoverTombstones(
  parts: EngineParts,
  { group, folder, checkpoint }: { group: GroupId; folder: string; checkpoint: GroupCheckpoint },
): Promise<{ tombstones: ChunkTable; tombstoneWriter: SegmentWriter | undefined }> {
  const tombstones = new ChunkTable();
  const path = `${folder}/${tombstoneFile}`;
  if (!(await parts.disk.exists(path))) return { tombstones, tombstoneWriter: undefined };
  const file = { number: 0, path, bytes: await sizeOf(parts, path) };
  const scan = await scanFile(parts, { file, group, checkpoint, last: true });
  if (scan === "unborn") return { tombstones, tombstoneWriter: undefined };
  for (const { header, offset } of scan.records) {
    if (header.type !== "tombstone" || header.group !== group) continue;
    tombstones.set(header.hash, { generation: header.generation as Generation, segment: 0, offset, length: 0 });
  }
  return { tombstones, tombstoneWriter: await SegmentWriter.reopen(parts.disk, { path, number: 0, end: scan.end }) };
}

async function sizeOf(parts: EngineParts, path: string): Promise<number> {
  const file = await parts.disk.open(path, "read");
  try {
    return await file.size();
  } finally {
    await file.close();
  }
}
