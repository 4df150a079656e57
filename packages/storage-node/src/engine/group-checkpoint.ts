import type { Disk } from "@cairn/env";
import { readWholeFile, writeWholeFile } from "./atomic-file.ts";
import type { Crc32c } from "./record-format.ts";

const checkpointMagic = 0x4b_4e_52_43; // "CRNK"

/**
 * What a group remembers beside its segments (docs/formats/segment.md): up to where each was synced, where those that
 * take no more end, and the highest epoch it was written under. The segments are the truth; this only says which
 * damage cannot be a torn append.
 */
export interface GroupCheckpoint {
  readonly epoch: number;
  /** By segment number: bytes that were synced, and whether the segment has ended there. */
  readonly segments: ReadonlyMap<number, { readonly durable: number; readonly ended: boolean }>;
}

/** The number under which the file of tombstones is noted; segments of chunks begin with 1. */
export const tombstoneSegment = 0;

export const emptyCheckpoint: GroupCheckpoint = { epoch: 0, segments: new Map() };

export async function writeCheckpoint(
  disk: Disk,
  path: string,
  checkpoint: GroupCheckpoint,
  crc32c: Crc32c,
): Promise<void> {
  const bytes = new Uint8Array(16 + checkpoint.segments.size * 16);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, checkpointMagic, true);
  view.setUint32(8, checkpoint.epoch, true);
  view.setUint32(12, checkpoint.segments.size, true);
  let offset = 16;
  for (const [number, { durable, ended }] of checkpoint.segments) {
    view.setUint32(offset, number, true);
    view.setUint32(offset + 4, ended ? 1 : 0, true);
    view.setBigUint64(offset + 8, BigInt(durable), true);
    offset += 16;
  }
  view.setUint32(4, crc32c(bytes.subarray(8)), true);
  await writeWholeFile(disk, path, [bytes]);
}

/** An absent or damaged checkpoint is an empty one: nothing is then known to have been synced. */
export async function readCheckpoint(disk: Disk, path: string, crc32c: Crc32c): Promise<GroupCheckpoint> {
  const bytes = await readWholeFile(disk, path);
  if (!bytes || bytes.length < 16) return emptyCheckpoint;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const sound = view.getUint32(0, true) === checkpointMagic && view.getUint32(4, true) === crc32c(bytes.subarray(8));
  const count = view.getUint32(12, true);
  if (!sound || bytes.length !== 16 + count * 16) return emptyCheckpoint;
  const segments = new Map<number, { durable: number; ended: boolean }>();
  for (let offset = 16; offset < bytes.length; offset += 16) {
    segments.set(view.getUint32(offset, true), {
      ended: view.getUint32(offset + 4, true) === 1,
      durable: Number(view.getBigUint64(offset + 8, true)),
    });
  }
  return { epoch: view.getUint32(8, true), segments };
}
