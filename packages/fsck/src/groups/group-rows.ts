import { type ChunkRows, chunksOfGroup } from "../database/chunk-rows.ts";
import { hasTable, type Snapshot } from "../database/database.ts";
import { hexOf } from "../database/hash-column.ts";
import { generationsPerLease, nextNumber } from "../database/states-check.ts";

/** A disk that shall hold a copy of a group. */
export interface Member {
  readonly disk: number;
  readonly node: string;
  /** True while its copy is still being made. */
  readonly joining: boolean;
}

/** What the database says of one group, at one moment. */
export interface GroupRows {
  readonly id: number;
  /** Undefined when there is no row of the group. */
  readonly row:
    | { readonly copies: number; readonly epoch: number; readonly bytes: number; readonly records: number }
    | undefined;
  readonly members: readonly Member[];
  readonly chunks: ChunkRows;
  /** Epoch at which all members had told that they deleted the write, by `writeKey`; null: not all yet. */
  readonly condemned: ReadonlyMap<string, number | null>;
  /** True when a write of this generation may still be committed. */
  readonly mayBeCommitted: (generation: number) => boolean;
  /** Disks that a decision says are to drop their copy. */
  readonly dropping: ReadonlySet<number>;
}

interface SlotRow {
  readonly disk: number;
  readonly node: string | null;
  readonly state: number;
}

export function readGroup(snapshot: Snapshot, id: number): GroupRows {
  const row = snapshot.get<{ copies: number; epoch: number; bytes: number; records: number }>(
    "SELECT copies, epoch, bytes, records FROM grp WHERE id = ?",
    id,
  );
  const slots = snapshot.all<SlotRow>(
    "SELECT s.disk, d.node, s.state FROM grp_slot s LEFT JOIN disk d ON d.id = s.disk WHERE s.grp = ? ORDER BY s.slot",
    id,
  );
  const hasEpochs = hasColumn(snapshot, "condemned", "acked_epoch");
  const condemned = snapshot.all<{ hash: Uint8Array; generation: number; acked: number | null }>(
    `SELECT hash, generation, ${hasEpochs ? "acked_epoch" : "NULL"} AS acked FROM condemned WHERE grp = ?`,
    id,
  );
  const nextLease = nextNumber(snapshot, "next_lease");
  const open = new Set(snapshot.all<{ id: number }>("SELECT id FROM lease WHERE state = 0").map((lease) => lease.id));
  return {
    id,
    row,
    members: slots.map(({ disk, node, state }) => ({ disk, node: node ?? "?", joining: state === 1 })),
    chunks: chunksOfGroup(snapshot, id),
    condemned: new Map(condemned.map((it) => [writeKey(it.hash, it.generation), it.acked])),
    mayBeCommitted: (generation) => {
      const lease = Math.floor(generation / generationsPerLease);
      return lease >= nextLease || open.has(lease);
    },
    dropping: droppingDisks(snapshot, id),
  };
}

/** One write of a chunk as a text. */
export function writeKey(hash: Uint8Array, generation: number): string {
  return `${hexOf(hash)}:${generation}`;
}

function hasColumn(snapshot: Snapshot, table: string, column: string): boolean {
  return snapshot.get("SELECT 1 AS one FROM pragma_table_info(?) WHERE name = ?", table, column) !== undefined;
}

function droppingDisks(snapshot: Snapshot, group: number): ReadonlySet<number> {
  if (!hasTable(snapshot, "extra_copy")) return new Set();
  const rows = snapshot.all<{ disk: number }>("SELECT disk FROM extra_copy WHERE grp = ?", group);
  return new Set(rows.map(({ disk }) => disk));
}
