import type { Disk, DiskFile } from "@cairn/env";
import { assert, type GroupId } from "@cairn/protocol";
import type { EngineParts } from "./engine-parts.ts";
import { encodeSegmentHeader, segmentHeaderBytes } from "./segment-format.ts";

/** The one file of a group that grows. All writes name their position, and only synced bytes count. */
export class SegmentWriter {
  readonly path: string;
  readonly number: number;
  readonly #file: DiskFile;
  #durable: number;

  constructor(file: DiskFile, { path, number, durable }: { path: string; number: number; durable: number }) {
    this.#file = file;
    this.path = path;
    this.number = number;
    this.#durable = durable;
  }

  /** Makes a segment with its header page; the file and its name are durable when it returns. */
  static async create(
    parts: EngineParts,
    place: { group: GroupId; folder: string; name: string; number: number },
  ): Promise<SegmentWriter> {
    const path = `${place.folder}/${place.name}`;
    const { disk, identity } = parts;
    const file = await disk.open(path, "create");
    const header = {
      cluster: identity.cluster,
      disk: identity.uuid,
      group: place.group,
      number: place.number,
      createdAt: parts.clock.now(),
    };
    await file.write([encodeSegmentHeader(header, parts.crc32c)], 0);
    parts.crashPoint("engine.segment.after-header");
    await file.syncData();
    await disk.syncFolder(place.folder);
    parts.crashPoint("engine.segment.after-sync");
    return new SegmentWriter(file, { path, number: place.number, durable: segmentHeaderBytes });
  }

  /** Opens a segment that is known to be sound up to `end`; what lies beyond is cut off, what lies before is synced. */
  static async reopen(disk: Disk, place: { path: string; number: number; end: number }): Promise<SegmentWriter> {
    const file = await disk.open(place.path, "write");
    if ((await file.size()) > place.end) await file.truncate(place.end);
    // A killed process may have left records that were written and never synced: they count from now on.
    await file.syncData();
    return new SegmentWriter(file, { path: place.path, number: place.number, durable: place.end });
  }

  /** Bytes that are synced; the next record stands here. */
  get durable(): number {
    return this.#durable;
  }

  /** Appends and syncs. After any failure this writer must not be used again. */
  async append(buffers: readonly Uint8Array[], crashPoint: (name: string) => void): Promise<void> {
    const length = buffers.reduce((sum, buffer) => sum + buffer.length, 0);
    assert(length % 8 === 0, "records keep the 8-byte grid");
    crashPoint("engine.append.before-write");
    await this.#file.write(buffers, this.#durable);
    crashPoint("engine.append.before-sync");
    await this.#file.syncData();
    crashPoint("engine.append.after-sync");
    this.#durable += length;
  }

  /** Cuts off what a failed append left behind. Throws when the disk cannot even do that. */
  async cutBack(): Promise<void> {
    await this.#file.truncate(this.#durable);
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}
