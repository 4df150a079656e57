import type { Disk, DiskFile } from "@cairn/env";
import { assert, type GroupId, isKind, StorageError } from "@cairn/protocol";
import type { EngineParts } from "./engine-parts.ts";
import { encodeSegmentHeader, segmentHeaderBytes } from "./segment-format.ts";

const rewriteBytes = 4 * 1024 * 1024;

/** The one file of a group that grows. All writes name their position, and only synced bytes count. */
export class SegmentWriter {
  readonly path: string;
  readonly number: number;
  readonly #file: DiskFile;
  #durable: number;
  #usable = true;

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
    try {
      await file.write([encodeSegmentHeader(header, parts.crc32c)], 0);
      parts.crashPoint("engine.segment.after-header");
      await file.syncData();
      await disk.syncFolder(place.folder);
      parts.crashPoint("engine.segment.after-sync");
    } catch (error) {
      await file.close();
      throw error;
    }
    return new SegmentWriter(file, { path, number: place.number, durable: segmentHeaderBytes });
  }

  /**
   * Opens a segment that is known to be sound up to `end`; what lies beyond is cut off. What lies between `noted` and
   * `end` may never have reached the medium, even if a sync would now say so: a failed sync leaves pages that only look
   * clean. It is written again, and then synced.
   */
  static async reopen(
    disk: Disk,
    place: { path: string; number: number; noted: number; end: number },
  ): Promise<SegmentWriter> {
    const file = await disk.open(place.path, "write");
    try {
      if ((await file.size()) > place.end) await file.truncate(place.end);
      for (let offset = place.noted; offset < place.end; offset += rewriteBytes) {
        const bytes = new Uint8Array(Math.min(rewriteBytes, place.end - offset));
        if ((await file.read(bytes, offset)) !== bytes.length) {
          throw new StorageError("unavailable", "open segment", `${place.path}: the read at ${offset} stopped early`);
        }
        await file.write([bytes], offset);
      }
      await file.syncData();
    } catch (error) {
      await file.close();
      throw error;
    }
    return new SegmentWriter(file, { path: place.path, number: place.number, durable: place.end });
  }

  /** Bytes that are synced; the next record stands here. */
  get durable(): number {
    return this.#durable;
  }

  /** False after a failure that leaves in doubt what stands behind `durable`: the segment ends there. */
  get usable(): boolean {
    return this.#usable;
  }

  /** Appends and syncs. A full disk leaves the segment as it was; after another failure it is not usable any more. */
  async append(buffers: readonly Uint8Array[], crashPoint: (name: string) => void): Promise<void> {
    assert(this.#usable, "nothing is appended to a segment that has failed");
    const length = buffers.reduce((sum, buffer) => sum + buffer.length, 0);
    assert(length % 8 === 0, "records keep the 8-byte grid");
    this.#usable = false;
    crashPoint("engine.append.before-write");
    try {
      await this.#file.write(buffers, this.#durable);
    } catch (error) {
      if (isKind(error, "no-space")) await this.#cutBack();
      throw error;
    }
    crashPoint("engine.append.before-sync");
    await this.#file.syncData();
    crashPoint("engine.append.after-sync");
    this.#durable += length;
    this.#usable = true;
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  /** No sync was tried yet, so that cutting off what was written makes the file as good as before. */
  async #cutBack(): Promise<void> {
    await this.#file.truncate(this.#durable);
    this.#usable = true;
  }
}
