import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import type { DiskFolder } from "./disk-folder.ts";
import { namesIn } from "./disk-folder.ts";
import { FileWindow } from "./file-window.ts";
import { type Depth, readSegmentHeader, type SegmentHeader, segmentHeaderBytes } from "./layout.ts";
import { type Stretch, walkSegment } from "./segment-walk.ts";
import {
  type IndexSummary,
  type KnownDamage,
  readCheckpoint,
  readIndexSummary,
  readQuarantine,
  type SyncedSegment,
} from "./small-files.ts";

/** Where a record stands on its disk. */
export interface Place {
  readonly segment: number;
  readonly offset: number;
  readonly end: number;
}

/** A chunk's record that is sound as far as it was read. */
export interface FoundRecord extends Place {
  readonly hash: Uint8Array;
  readonly generation: number;
  readonly length: number;
}

/** Bytes that are not what they should be; the hash is known when the record's header is sound. */
export interface Fault extends Place {
  readonly why: string;
  readonly hash: Uint8Array | undefined;
  readonly generation: number;
  /** The whole segment is in doubt, and not one record alone. */
  readonly foreign: boolean;
  /** Its node knows already and does not serve it. */
  readonly known: boolean;
}

/** What a disk holds of a group. */
export interface GroupScan {
  readonly faults: readonly Fault[];
  /** Stretches at the end of a segment that an unfinished append left. */
  readonly unfinished: readonly Place[];
  readonly sealedIndex: IndexSummary | undefined;
  /** Bytes of each segment, of those that an index may speak of. */
  readonly segments: ReadonlyMap<number, number>;
}

/** Hears of a group's records; deleted writes come first, all of them. */
export interface ScanVisitor {
  deleted(hash: Uint8Array, generation: number): void;
  record(record: FoundRecord): void;
  read(bytes: number): void;
}

export interface ScanOptions {
  readonly depth: Depth;
  readonly signal: AbortSignal;
}

const tombstones = { name: "tombstones.seg", number: 0 };

interface SegmentFile {
  readonly name: string;
  readonly number: number;
  readonly last: boolean;
}

/** Reads all that a disk holds of a group. Throws what the file system throws, and gives nothing up for it. */
export async function scanGroup(
  disk: DiskFolder,
  group: number,
  { visitor, ...options }: ScanOptions & { readonly visitor: ScanVisitor },
): Promise<GroupScan> {
  const folder = join(disk.folder, "g", String(group));
  const scan = new Scan({ disk, group, folder }, options, visitor);
  return await scan.run();
}

class Scan {
  readonly #place: { readonly disk: DiskFolder; readonly group: number; readonly folder: string };
  readonly #options: ScanOptions;
  readonly #visitor: ScanVisitor;
  readonly #faults: Fault[] = [];
  readonly #unfinished: Place[] = [];
  readonly #segments = new Map<number, number>();
  #checkpoint: ReadonlyMap<number, SyncedSegment> = new Map();
  #quarantine: readonly KnownDamage[] = [];

  constructor(
    place: { readonly disk: DiskFolder; readonly group: number; readonly folder: string },
    options: ScanOptions,
    visitor: ScanVisitor,
  ) {
    this.#place = place;
    this.#options = options;
    this.#visitor = visitor;
  }

  async run(): Promise<GroupScan> {
    const { folder } = this.#place;
    const names = await namesIn(folder);
    this.#checkpoint = await readCheckpoint(folder);
    this.#quarantine = await readQuarantine(folder);
    const sealedIndex = await readIndexSummary(folder);
    if (names.includes(tombstones.name)) await this.#segment({ ...tombstones, last: true });
    const numbers = segmentNumbers(names);
    for (const [number, { synced }] of this.#checkpoint) {
      if (number === tombstones.number || numbers.includes(number)) continue;
      this.#fault({ segment: number, offset: 0, end: synced, why: "the segment's file is gone" });
    }
    for (const number of numbers) {
      await this.#segment({ name: segmentName(number), number, last: number === numbers.at(-1) });
    }
    return { faults: this.#faults, unfinished: this.#unfinished, sealedIndex, segments: this.#segments };
  }

  async #segment(file: SegmentFile): Promise<void> {
    const handle = await open(join(this.#place.folder, file.name), "r");
    try {
      await this.#open(handle, file);
    } finally {
      await handle.close();
    }
  }

  async #open(handle: FileHandle, file: SegmentFile): Promise<void> {
    const { size } = await handle.stat();
    const page = new Uint8Array(segmentHeaderBytes);
    const { bytesRead } = await handle.read(page, 0, page.length, 0);
    const header = readSegmentHeader(page.subarray(0, bytesRead));
    const known = this.#endOf(header, file.number);
    const takesMore = file.last && !known?.ended;
    // What stands behind the end of an ended segment was never acknowledged.
    const end = known?.ended ? Math.min(size, known.synced) : size;
    // A node that ended while it made the file has acknowledged nothing in it.
    if (!header && takesMore && !known && size <= segmentHeaderBytes) return;
    const why = header && this.#foreignBecause(header, file);
    if (why !== undefined) {
      this.#fault({ segment: file.number, offset: 0, end: size, why, foreign: true });
      return;
    }
    // The records behind it are whole by themselves.
    if (!header) this.#fault({ segment: file.number, offset: 0, end: page.length, why: "its header page is damaged" });
    if (file.number !== tombstones.number) this.#segments.set(file.number, end);
    if (known && size < known.synced) {
      this.#fault({
        segment: file.number,
        offset: size,
        end: known.synced,
        why: "the file ends before what was synced",
      });
    }
    const windowBytes = this.#options.depth === "headers" ? 64 * 1024 : 1024 * 1024;
    const window = new FileWindow(handle, { end, windowBytes, tell: (bytes) => this.#visitor.read(bytes) });
    const unsyncedFrom = takesMore ? (known?.synced ?? segmentHeaderBytes) : Number.POSITIVE_INFINITY;
    for await (const stretch of walkSegment(window, { depth: this.#options.depth, unsyncedFrom })) {
      this.#options.signal.throwIfAborted();
      this.#note(file.number, stretch);
    }
  }

  /** A segment that compaction wrote knows its own end: the checkpoint may speak of the file that it replaced. */
  #endOf(header: SegmentHeader | undefined, number: number): SyncedSegment | undefined {
    if (header?.wholeBytes !== undefined) return { synced: header.wholeBytes, ended: true };
    return this.#checkpoint.get(number);
  }

  #foreignBecause(header: SegmentHeader, file: SegmentFile): string | undefined {
    const { disk, group } = this.#place;
    if (header.version !== 1 && header.version !== 2) return `its format is version ${header.version}`;
    if (header.cluster !== disk.cluster) return "it belongs to another cluster";
    if (header.disk !== disk.uuid) return "it belongs to another disk";
    if (header.group !== group || header.number !== file.number) {
      return `it is segment ${header.number} of group ${header.group}`;
    }
    return undefined;
  }

  #note(segment: number, stretch: Stretch): void {
    const { offset } = stretch;
    if (stretch.is === "unfinished") {
      this.#unfinished.push({ segment, offset, end: stretch.end });
      return;
    }
    if (stretch.is === "gap") {
      this.#fault({ segment, offset, end: stretch.end, why: "no whole record stands here" });
      return;
    }
    const { header, fault } = stretch;
    const { hash, generation, length } = header;
    const place = { segment, offset, end: offset + header.total };
    const foreign = header.group === this.#place.group ? undefined : `it belongs to group ${header.group}`;
    const known = this.#quarantine.find((it) => it.segment === segment && it.offset === offset);
    const why = fault ?? foreign ?? (known && header.type === "chunk" ? known.why : undefined);
    if (why !== undefined) this.#fault({ ...place, why, ...(foreign ? {} : { hash, generation }) });
    else if (header.type === "tombstone") this.#visitor.deleted(hash, generation);
    else if (header.type === "chunk") this.#visitor.record({ ...place, hash, generation, length });
  }

  #fault(fault: Place & { why: string; hash?: Uint8Array; generation?: number; foreign?: boolean }): void {
    const { segment, offset } = fault;
    this.#faults.push({
      ...fault,
      hash: fault.hash,
      generation: fault.generation ?? 0,
      foreign: fault.foreign ?? false,
      known: this.#quarantine.some((it) => it.segment === segment && it.offset === offset),
    });
  }
}

function segmentNumbers(names: readonly string[]): readonly number[] {
  return names
    .flatMap((name) => /^(\d{8})\.seg$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
}

function segmentName(number: number): string {
  return `${String(number).padStart(8, "0")}.seg`;
}
