import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { crc32c } from "@node-rs/crc32";
import { magicOf, viewOf } from "./layout.ts";

/** What `checkpoint` says of a segment: bytes that are synced, and whether it ends there. */
export interface SyncedSegment {
  readonly synced: number;
  readonly ended: boolean;
}

/** A place that was found damaged before, from `quarantine.json`. */
export interface KnownDamage {
  readonly segment: number;
  readonly offset: number;
  readonly end: number;
  readonly why: string;
  readonly hash?: string;
  readonly generation?: number;
}

/** What the header of `sealed.idx` says of all records of the group. */
export interface IndexSummary {
  readonly entries: number;
  readonly bytes: number;
  readonly digest: bigint;
  readonly group: number;
  /** 32 hex digits. */
  readonly disk: string;
  readonly segments: ReadonlyMap<number, number>;
}

/** By number of the segment. One that is lost or damaged says nothing. */
export async function readCheckpoint(folder: string): Promise<ReadonlyMap<number, SyncedSegment>> {
  const segments = new Map<number, SyncedSegment>();
  const bytes = await contentOf(join(folder, "checkpoint"));
  if (!bytes || bytes.length < 16 || magicOf(bytes) !== "CRNK") return segments;
  const view = viewOf(bytes);
  const count = view.getUint32(12, true);
  if (view.getUint32(4, true) !== crc32c(bytes.subarray(8)) || bytes.length < 16 + 16 * count) return segments;
  for (let at = 16; at < 16 + 16 * count; at += 16) {
    segments.set(view.getUint32(at, true), {
      ended: view.getUint32(at + 4, true) === 1,
      synced: Number(view.getBigUint64(at + 8, true)),
    });
  }
  return segments;
}

/** A list that cannot be read says nothing: the damage is found anyway. */
export async function readQuarantine(folder: string): Promise<readonly KnownDamage[]> {
  const bytes = await contentOf(join(folder, "quarantine.json"));
  if (!bytes) return [];
  try {
    return JSON.parse(bytes.toString("utf8")) as KnownDamage[];
  } catch {
    return [];
  }
}

/** Undefined when there is none, or one that its node does not believe either. */
export async function readIndexSummary(folder: string): Promise<IndexSummary | undefined> {
  const bytes = await contentOf(join(folder, "sealed.idx"));
  if (!bytes || bytes.length < 4096 || magicOf(bytes) !== "CRNI") return undefined;
  const view = viewOf(bytes);
  if (view.getUint32(4, true) !== crc32c(bytes.subarray(8, 4096)) || view.getUint32(8, true) !== 1) return undefined;
  const segments = new Map<number, number>();
  for (let at = 72, left = view.getUint32(44, true); left > 0 && at + 12 <= 4096; at += 12, left--) {
    segments.set(view.getUint32(at, true), Number(view.getBigUint64(at + 4, true)));
  }
  return {
    entries: view.getUint32(12, true),
    bytes: Number(view.getBigUint64(16, true)),
    digest: view.getBigUint64(24, true),
    group: Number(view.getBigUint64(48, true)),
    disk: bytes.toString("hex", 56, 72),
    segments,
  };
}

/** What one live record adds to the digest of its group. */
export function digestOf(hash: Uint8Array, generation: number): bigint {
  const mixed = BigInt.asUintN(64, BigInt(generation) * 0x9e37_79b9_7f4a_7c15n);
  return viewOf(hash).getBigUint64(0, true) ^ mixed;
}

async function contentOf(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
