import type { Snapshot } from "./database.ts";
import { HashColumn, hashBytes } from "./hash-column.ts";

/** States of a row of table `chunk`. */
export const chunkState = { live: 0, condemned: 1, lost: 2 } as const;

/** From so many references on nobody counts them any more. */
export const stickyReferences = 1_000_000;

/** Rows of table `chunk` in the order of their hashes, a column each. */
export interface ChunkRows {
  readonly hashes: HashColumn;
  readonly generations: Float64Array;
  readonly groups: Float64Array;
  readonly lengths: Uint32Array;
  readonly references: Float64Array;
  readonly states: Uint8Array;
}

interface Row {
  readonly hash: Uint8Array;
  readonly generation: number;
  readonly grp: number;
  readonly length: number;
  readonly refs: number;
  readonly state: number;
}

/** The rows of one group. */
export function chunksOfGroup(snapshot: Snapshot, group: number): ChunkRows {
  return load(snapshot, "grp = ?", group);
}

/** The rows whose hash is at least `from` and below `to`; `to` undefined: to the end. */
export function chunksBetween(snapshot: Snapshot, from: Uint8Array, to: Uint8Array | undefined): ChunkRows {
  return to ? load(snapshot, "hash >= ? AND hash < ?", from, to) : load(snapshot, "hash >= ?", from);
}

function load(snapshot: Snapshot, where: string, ...values: readonly (number | Uint8Array)[]): ChunkRows {
  const count = Number(
    snapshot.get<{ n: number }>(`SELECT COUNT(*) AS n FROM chunk WHERE ${where}`, ...values)?.n ?? 0,
  );
  const bytes = new Uint8Array(count * hashBytes);
  const rows = {
    generations: new Float64Array(count),
    groups: new Float64Array(count),
    lengths: new Uint32Array(count),
    references: new Float64Array(count),
    states: new Uint8Array(count),
  };
  let index = 0;
  const text = `SELECT hash, generation, grp, length, refs, state FROM chunk WHERE ${where} ORDER BY hash`;
  for (const row of snapshot.rows<Row>(text, ...values)) {
    bytes.set(row.hash.subarray(0, hashBytes), index * hashBytes);
    rows.generations[index] = row.generation;
    rows.groups[index] = row.grp;
    rows.lengths[index] = row.length;
    rows.references[index] = row.refs;
    rows.states[index] = row.state;
    index++;
  }
  return { hashes: new HashColumn(bytes), ...rows };
}
