import type { Sql } from "@cairn/env";
import { manifestEntryBytes, StorageError } from "@cairn/protocol";
import { stickyReferences } from "../../commit/chunk-ledger.ts";
import { type ByteKey, keyOf } from "../../sql/byte-key.ts";
import { manifestRuns } from "./manifest-scan.ts";

/** A chunk whose references are not as many as manifests name. */
export interface Miscount {
  readonly hash: Uint8Array;
  /** 0 when no row names the chunk. */
  readonly generation: number;
  /** Named by manifests, less what the row says. Below 0: the chunk would never be collected. Above: too early. */
  readonly difference: number;
  /** False: manifests name a chunk that has no row. */
  readonly known: boolean;
}

/** Chunks with the first two bytes of their hash in [from, to). */
export interface PrefixRange {
  readonly from: number;
  readonly to: number;
}

/** Chunks counted together: about 50 MB of memory. */
export const chunksAtOnce = 250_000;
const prefixes = 65_536;
const rowsAtOnce = 2048;

/** As many ranges as keep each within chunksAtOnce; hashes are spread evenly. */
export function rangesFor(chunks: number, atOnce: number = chunksAtOnce): PrefixRange[] {
  const count = Math.min(prefixes, Math.max(1, Math.ceil(chunks / atOnce)));
  return Array.from({ length: count }, (_, index) => ({
    from: Math.floor((index * prefixes) / count),
    to: Math.floor(((index + 1) * prefixes) / count),
  }));
}

/**
 * Counts the references of the chunks of a range anew on the caller's snapshot and tells where rows differ. The difference is
 * worth more than the count: commits and removals change manifests and references together, so it stays what it is for as
 * long as nobody mends it, whatever is committed meanwhile.
 */
export async function countRange(sql: Sql, range: PrefixRange, signal: AbortSignal): Promise<Miscount[]> {
  const counts = await countManifests(sql, range, signal);
  const miscounts: Miscount[] = [];
  let from: Uint8Array = prefixBytes(range.from);
  while (true) {
    if (signal.aborted) throw new StorageError("cancelled", "count references", "the caller asked to stop");
    const rows = await sql.all<{ hash: Uint8Array; generation: number; refs: number }>(
      `SELECT hash, generation, refs FROM chunk WHERE hash >= ? ORDER BY hash LIMIT ${rowsAtOnce}`,
      from,
    );
    const inRange = rows.filter((row) => prefixOf(row.hash, 0) < range.to);
    for (const { hash, generation, refs } of inRange) {
      const key = keyOf(hash);
      const difference = (counts.get(key) ?? 0) - refs;
      counts.delete(key);
      // One that was referred to so often is not counted any more.
      if (difference !== 0 && refs < stickyReferences) miscounts.push({ hash, generation, difference, known: true });
    }
    const last = rows.at(-1);
    if (!last || inRange.length < rows.length || rows.length < rowsAtOnce) break;
    from = new Uint8Array([...last.hash, 0]);
  }
  for (const [key, difference] of counts) {
    const hash = Uint8Array.from(key, (character) => character.charCodeAt(0));
    miscounts.push({ hash, generation: 0, difference, known: false });
  }
  return miscounts;
}

async function countManifests(sql: Sql, range: PrefixRange, signal: AbortSignal): Promise<Map<ByteKey, number>> {
  const counts = new Map<ByteKey, number>();
  for await (const run of manifestRuns(sql)) {
    if (signal.aborted) throw new StorageError("cancelled", "count references", "the caller asked to stop");
    for (let at = 0; at < run.length; at += manifestEntryBytes) {
      const prefix = prefixOf(run, at);
      if (prefix < range.from || prefix >= range.to) continue;
      const key = keyOf(run.subarray(at, at + 32));
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    if (counts.size > 4 * chunksAtOnce) {
      throw new StorageError("internal", "count references", "many more chunks are named than there are rows", {
        hint: "Nothing was changed. Compare database and nodes with cairn fsck.",
      });
    }
  }
  return counts;
}

function prefixOf(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

function prefixBytes(prefix: number): Uint8Array {
  return Uint8Array.of(prefix >> 8, prefix & 255);
}
