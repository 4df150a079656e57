import { assert, type ChunkId, chunkIdFromHash, type GroupId, StorageError } from "@cairn/protocol";
import type { WrittenChunk } from "../contracts.ts";
import { type ByteKey, keyOf } from "../sql/byte-key.ts";
import { inLists } from "../sql/in-list.ts";
import type { Transaction } from "../sql/transaction.ts";

/** A chunk as one commit or part uses it: how often, and whether it was written for it. */
export interface ChunkUse {
  readonly id: ChunkId;
  readonly hash: Uint8Array;
  readonly length: number;
  /** Entries of the manifest that name it. */
  readonly count: number;
  /** Undefined: the drive has it already, as lookup told. */
  readonly written: WrittenChunk | undefined;
}

/** Where a chunk that was taken lives now. */
export interface TakenChunk {
  readonly group: GroupId;
  /** True when the write that came with the commit is the one that counts; else it is an orphan of its lease. */
  readonly ours: boolean;
}

/** A chunk with so many references keeps them for ever: nobody counts it any more. */
export const stickyReferences = 1_000_000;

const live = 0;
const lost = 2;

interface ChunkRow {
  readonly hash: Uint8Array;
  readonly generation: number;
  readonly grp: number;
  readonly length: number;
  readonly refs: number;
  readonly state: number;
}

/**
 * New, or replacing a condemned one; a live one wins over ours. Never with a generation that was condemned before
 * (storage-design §2, I1 and I2). A lost one is left to reviveText, which knows its references.
 */
const takeWrittenText = `INSERT INTO chunk (hash, generation, grp, length, refs, state, zero_at)
  SELECT ?, ?, ?, ?, ?, 0, NULL WHERE NOT EXISTS (SELECT 1 FROM condemned WHERE hash = ? AND generation = ?)
  ON CONFLICT (hash) DO UPDATE SET
    refs = CASE WHEN chunk.refs + excluded.refs >= ${stickyReferences} THEN ${stickyReferences}
                ELSE chunk.refs + excluded.refs END,
    generation = CASE WHEN chunk.state = ${live} THEN chunk.generation ELSE excluded.generation END,
    grp = CASE WHEN chunk.state = ${live} THEN chunk.grp ELSE excluded.grp END,
    state = ${live}, zero_at = NULL
  WHERE chunk.state <> ${lost}
  RETURNING generation, grp, length, refs`;

const reviveText = `UPDATE chunk SET state = ${live}, generation = ?, grp = ? WHERE hash = ? AND state = ${lost}
  AND NOT EXISTS (SELECT 1 FROM condemned WHERE hash = ? AND generation = ?)`;

const takeKnownText = `UPDATE chunk SET
    refs = CASE WHEN refs + ? >= ${stickyReferences} THEN ${stickyReferences} ELSE refs + ? END, zero_at = NULL
  WHERE hash = ? AND state = ${live} RETURNING generation, grp, length, refs`;

const giveBackText = `UPDATE chunk SET
    zero_at = CASE WHEN refs = ? THEN ? ELSE zero_at END,
    refs = CASE WHEN refs >= ${stickyReferences} THEN refs ELSE refs - ? END
  WHERE hash = ? AND refs >= ? RETURNING grp, length, refs`;

/**
 * Throws chunk-gone, with all chunks that must be sent again, if `takeChunks` could not take one of these. Writes nothing.
 * A single chunk needs no look ahead: taking it is the first write and fails without one.
 */
export async function checkChunks(tx: Transaction, uses: readonly ChunkUse[]): Promise<void> {
  if (uses.length < 2) return;
  const rows = new Map<ByteKey, ChunkRow>();
  const condemnedWrites = new Set<string>();
  for (const { values, placeholders } of inLists(uses.map((use) => use.hash))) {
    const found = await tx.all<ChunkRow>(
      `SELECT hash, generation, grp, length, state FROM chunk WHERE hash IN ${placeholders}`,
      ...values,
    );
    for (const row of found) rows.set(keyOf(row.hash), row);
    const doomed = await tx.all<{ hash: Uint8Array; generation: number }>(
      `SELECT hash, generation FROM condemned WHERE hash IN ${placeholders}`,
      ...values,
    );
    for (const row of doomed) condemnedWrites.add(writeKey(row.hash, row.generation));
  }
  const gone = uses.filter((use) =>
    use.written
      ? condemnedWrites.has(writeKey(use.hash, use.written.written.generation))
      : rows.get(keyOf(use.hash))?.state !== live,
  );
  if (gone.length > 0) throw chunkGone(gone.map((use) => use.id));
  for (const use of uses) {
    const row = rows.get(keyOf(use.hash));
    if (row && row.length !== use.length) throw wrongLength(use, row.length);
  }
}

/**
 * Adds the references of a manifest, in the order of `uses` (by hash, so that concurrent commits cannot block one
 * another for good). Throws chunk-gone, invalid (length).
 */
export async function takeChunks(
  tx: Transaction,
  uses: readonly ChunkUse[],
): Promise<ReadonlyMap<ChunkId, TakenChunk>> {
  const taken = new Map<ChunkId, TakenChunk>();
  for (const use of uses) {
    const [row] = use.written ? await takeWritten(tx, use, use.written) : await takeKnown(tx, use);
    if (!row) throw chunkGone([use.id]);
    if (row.length !== use.length) throw wrongLength(use, row.length);
    // It had no reference before: a needed chunk more in its group.
    if (row.refs === use.count) tx.addGroupUsage(row.grp as GroupId, { chunks: 1, bytes: row.length });
    const ours = use.written?.written.generation === row.generation;
    taken.set(use.id, { group: row.grp as GroupId, ours });
  }
  return taken;
}

async function takeWritten(tx: Transaction, use: ChunkUse, chunk: WrittenChunk): Promise<ChunkRow[]> {
  const generation = chunk.written.generation;
  const take = (): Promise<ChunkRow[]> =>
    tx.returning<ChunkRow>(
      takeWrittenText,
      use.hash,
      generation,
      chunk.group,
      use.length,
      use.count,
      use.hash,
      generation,
    );
  const taken = await take();
  return taken.length > 0 || !(await revive(tx, use.hash, chunk)) ? taken : await take();
}

/** Replaces a write that was lost by this one and keeps its references; false when it is not lost. */
async function revive(tx: Transaction, hash: Uint8Array, chunk: WrittenChunk): Promise<boolean> {
  const { generation } = chunk.written;
  const before = await tx.get<ChunkRow>(`SELECT grp, length, refs FROM chunk WHERE hash = ? AND state = ${lost}`, hash);
  if (!before || before.length !== chunk.length) return false;
  const changed = await tx.run(reviveText, generation, chunk.group, hash, hash, generation);
  if (changed === 0) return false;
  if (before.refs > 0) {
    tx.addGroupUsage(before.grp as GroupId, { chunks: -1, bytes: -before.length });
    tx.addGroupUsage(chunk.group, { chunks: 1, bytes: before.length });
  }
  return true;
}

function takeKnown(tx: Transaction, use: ChunkUse): Promise<ChunkRow[]> {
  return tx.returning<ChunkRow>(takeKnownText, use.count, use.count, use.hash);
}

/** Takes away references, in the order of the hashes; what reaches zero may be condemned after the grace period. */
export async function giveBack(tx: Transaction, counts: ReadonlyMap<ChunkId, ChunkCount>): Promise<void> {
  const ids = [...counts.keys()].sort();
  for (const id of ids) {
    const { hash, count } = counts.get(id) as ChunkCount;
    const [row] = await tx.returning<ChunkRow>(giveBackText, count, tx.now, count, hash, count);
    assert(row, "a chunk has at least as many references as manifest entries");
    if (row.refs === 0) tx.addGroupUsage(row.grp as GroupId, { chunks: -1, bytes: -row.length });
  }
}

/** How often a chunk is named. */
export interface ChunkCount {
  readonly hash: Uint8Array;
  readonly count: number;
}

/** Counts the chunks of encoded manifest entries [from, to). */
export function countChunks(manifest: Uint8Array, from: number, to: number): Map<ChunkId, ChunkCount> {
  const counts = new Map<ChunkId, ChunkCount>();
  for (let index = from; index < to; index++) {
    const hash = manifest.subarray(index * 40, index * 40 + 32);
    const id = chunkIdFromHash(hash);
    counts.set(id, { hash, count: (counts.get(id)?.count ?? 0) + 1 });
  }
  return counts;
}

/**
 * Revives what was lost and came again with a commit that changes nothing else: the same content was sent once more.
 * Tells which chunks live on with the write that came now.
 */
export async function healLost(tx: Transaction, uses: readonly ChunkUse[]): Promise<ReadonlySet<ChunkId>> {
  const revived = new Set<ChunkId>();
  for (const use of uses) {
    if (use.written && (await revive(tx, use.hash, use.written))) revived.add(use.id);
  }
  return revived;
}

function writeKey(hash: Uint8Array, generation: number): string {
  return `${generation} ${keyOf(hash)}`;
}

function chunkGone(ids: readonly ChunkId[]): StorageError {
  return new StorageError("chunk-gone", "commit", `${ids.length} chunks were collected meanwhile`, {
    hint: "Send these chunks again and repeat the commit with their receipts.",
    details: { chunks: ids },
  });
}

function wrongLength(use: ChunkUse, length: number): StorageError {
  return new StorageError("invalid", "commit", `chunk ${use.id} has ${length} bytes, not ${use.length}`);
}
