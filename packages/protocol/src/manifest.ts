import { assert } from "./assert.ts";
import { StorageError } from "./errors.ts";
import { type ChunkId, chunkIdFromHash, type GroupId, hashOfChunkId, parseGroupId } from "./ids.ts";
import { limits } from "./limits.ts";

/** One chunk of a version, in the order of the file. */
export interface ManifestEntry {
  readonly id: ChunkId;
  /** Bytes of the chunk, 1 … chunkBytesMax. */
  readonly length: number;
  /** Where the chunk was put; a hint that stays true when the group's members change. */
  readonly group: GroupId;
}

/** A run of a manifest. */
export interface ManifestPage {
  /** Number of the page's first chunk in the file. */
  readonly firstChunk: number;
  /** Byte of the file at which the first chunk starts. */
  readonly firstByte: number;
  readonly entries: readonly ManifestEntry[];
}

/** Bytes of an encoded entry: hash 32, length 4, group 4, little-endian (docs/formats/manifest.md). */
export const manifestEntryBytes = 40;

export function encodeManifest(entries: readonly ManifestEntry[]): Uint8Array {
  const bytes = new Uint8Array(entries.length * manifestEntryBytes);
  const view = new DataView(bytes.buffer);
  entries.forEach((entry, index) => {
    const offset = index * manifestEntryBytes;
    assert(entry.group < 2 ** 32, "a manifest keeps group ids in 4 bytes");
    assert(entry.length > 0 && entry.length < 2 ** 32, "a chunk has at least one byte, and its length fits 4 bytes");
    bytes.set(hashOfChunkId(entry.id), offset);
    view.setUint32(offset + 32, entry.length, true);
    view.setUint32(offset + 36, entry.group, true);
  });
  return bytes;
}

/** Throws corrupt unless the bytes are whole entries that can be. */
export function decodeManifest(bytes: Uint8Array): ManifestEntry[] {
  if (bytes.length % manifestEntryBytes !== 0) {
    throw new StorageError("corrupt", "decode manifest", `${bytes.length} bytes are not whole entries`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.length / manifestEntryBytes }, (_, index) => {
    const offset = index * manifestEntryBytes;
    const length = view.getUint32(offset + 32, true);
    const group = view.getUint32(offset + 36, true);
    if (length === 0 || length > limits.chunkBytesMax || group === 0) {
      throw new StorageError("corrupt", "decode manifest", `entry ${index}: ${length} bytes in group ${group}`);
    }
    return { id: chunkIdFromHash(bytes.subarray(offset, offset + 32)), length, group: parseGroupId(group) };
  });
}
