import type { Disk, DiskFile, Hasher } from "@cairn/env";
import {
  type ChunkBlocks,
  type ChunkLocator,
  type ChunkPlace,
  type ChunkRead,
  type ChunkService,
  type ChunkServiceAt,
  type ChunkStat,
  type ChunkWrite,
  hashOfChunkId,
  type Outcome,
  type Receipt,
} from "@cairn/protocol";
import { groupFolder, readRecord, segmentName } from "../engine/index.ts";
import type { LocalDisks } from "./local-disks.ts";

interface ShortCircuitParts {
  readonly hasher: Pick<Hasher, "crc32c">;
  readonly disks: LocalDisks;
}

/** Chunk services that read what lies on disks of this machine without the way through the node. */
export function shortCircuitAt(
  chunksAt: (url: string) => ChunkService & ChunkLocator,
  parts: ShortCircuitParts,
): ChunkServiceAt {
  return (base) => new ShortCircuitChunks(chunksAt(base), parts);
}

/**
 * A node's chunk service for who shares a machine with it: the node checks the token and says where the record stands, the
 * bytes come from its file and are checked as the node would (docs/adr/0012-short-circuit-reads.md). At any doubt the node
 * is asked for the bytes, and sees for itself. Small chunks stay with the node: many of them share one request.
 */
class ShortCircuitChunks implements ChunkService {
  readonly #node: ChunkService & ChunkLocator;
  readonly #parts: ShortCircuitParts;

  constructor(node: ChunkService & ChunkLocator, parts: ShortCircuitParts) {
    this.#node = node;
    this.#parts = parts;
  }

  async get(read: ChunkRead, signal?: AbortSignal): Promise<Uint8Array> {
    if (read.range?.length === 0) return new Uint8Array(0);
    const place = await this.#node.locate(read, signal);
    const disk = await this.#parts.disks.find(place.disk);
    const blocks = disk && (await this.#blocksOf(disk, read, place));
    if (!blocks) return await this.#node.get(read, signal);
    const start = (read.range?.offset ?? 0) - blocks.offset;
    return blocks.bytes.subarray(start, start + (read.range?.length ?? blocks.chunkLength));
  }

  put(write: ChunkWrite, signal?: AbortSignal): Promise<Receipt> {
    return this.#node.put(write, signal);
  }

  putMany(writes: readonly ChunkWrite[], signal?: AbortSignal): Promise<readonly Outcome<Receipt>[]> {
    return this.#node.putMany(writes, signal);
  }

  getMany(reads: readonly ChunkRead[], signal?: AbortSignal): Promise<readonly Outcome<Uint8Array>[]> {
    return this.#node.getMany(reads, signal);
  }

  stat(read: ChunkRead, signal?: AbortSignal): Promise<ChunkStat> {
    return this.#node.stat(read, signal);
  }

  /** Undefined when the record is not there as it should be. */
  async #blocksOf(disk: Disk, { id, group, range }: ChunkRead, location: ChunkPlace): Promise<ChunkBlocks | undefined> {
    let file: DiskFile | undefined;
    try {
      file = await disk.open(`${groupFolder(group)}/${segmentName(location.segment)}`, "read");
      const crc32c = (bytes: Uint8Array): number => this.#parts.hasher.crc32c(bytes);
      const outcome = await readRecord(file, { group, hash: hashOfChunkId(id), location, range, crc32c });
      return outcome.ok ? outcome.value : undefined;
    } catch {
      // Whether the disk fails or the record has moved is not ours to judge: the node knows what to do about it.
      return undefined;
    } finally {
      await file?.close();
    }
  }
}
