import type { Sql } from "@cairn/env";
import {
  chunkIdFromHash,
  type ExactChunk,
  type Generation,
  type GroupId,
  leaseOfGeneration,
  limits,
} from "@cairn/protocol";
import { closedLeases } from "../lease/closed-leases.ts";
import type { Transaction } from "../sql/transaction.ts";
import type { CollectionGate } from "./collection-gate.ts";
import type { CollectionWorld } from "./collection-world.ts";
import { deleteOn, isSameMembership, type Membership, membershipIn, reachableNodes } from "./group-members.ts";
import { addToTally } from "./tally.ts";

/** What a run has freed: chunks once each, however many copies they had. */
export interface Freed {
  readonly chunks: number;
  readonly bytes: number;
}

interface Condemned {
  readonly hash: Uint8Array;
  readonly generation: number;
  readonly acked_epoch: number | null;
}

interface CondemnedPage {
  readonly membership: Membership | undefined;
  readonly rows: readonly Condemned[];
}

/** Wait between two batches, so that users' changes come between. */
const pauseMs = 5;

/**
 * Has condemned writes deleted by all members of their groups, and forgets them. A row goes when every member has
 * acknowledged the delete and the lease of the generation is closed: until then it is what keeps that very write from
 * being committed again (storage-design §2, I2 and I3).
 */
export class CondemnedDeletion {
  readonly #world: CollectionWorld;
  readonly #gate: CollectionGate;

  constructor(world: CollectionWorld, gate: CollectionGate) {
    this.#world = world;
    this.#gate = gate;
  }

  /** One pass over all groups. Throws stale (overtaken) and unavailable (nothing may be deleted now). */
  async run(signal: AbortSignal): Promise<Freed> {
    let chunks = 0;
    let bytes = 0;
    for (let group = await this.#groupAfter(0); group !== undefined; group = await this.#groupAfter(group)) {
      const freed = await this.#group(group, signal);
      chunks += freed.chunks;
      bytes += freed.bytes;
      if (signal.aborted) break;
    }
    return { chunks, bytes };
  }

  async #groupAfter(group: number): Promise<GroupId | undefined> {
    const row = await this.#world.store.database.read((sql) =>
      sql.get<{ grp: number }>("SELECT grp FROM condemned WHERE grp > ? ORDER BY grp LIMIT 1", group),
    );
    return row?.grp as GroupId | undefined;
  }

  async #group(group: GroupId, signal: AbortSignal): Promise<Freed> {
    const { store } = this.#world;
    let [chunks, bytes] = [0, 0];
    let after: Condemned | undefined;
    while (!signal.aborted) {
      const page = await store.database.read((sql) => this.#page(sql, group, after));
      after = page.rows.at(-1);
      if (!after) break;
      const freed = await this.#deleteAndForget(group, page, signal);
      if (!freed) break;
      chunks += freed.chunks;
      bytes += freed.bytes;
      if (page.rows.length < limits.commitEntriesMax) break;
      await store.clock.sleep(pauseMs, signal);
    }
    return { chunks, bytes };
  }

  async #page(sql: Sql, group: GroupId, after: Condemned | undefined): Promise<CondemnedPage> {
    await this.#gate.guard(sql);
    const hash = after?.hash ?? new Uint8Array(0);
    const rows = await sql.all<Condemned>(
      `SELECT hash, generation, acked_epoch FROM condemned
       WHERE grp = ? AND (hash > ? OR (hash = ? AND generation > ?)) ORDER BY hash, generation LIMIT ?`,
      group,
      hash,
      hash,
      after?.generation ?? 0,
      limits.commitEntriesMax,
    );
    return { membership: await membershipIn(sql, group), rows };
  }

  /** Undefined when not all members can be reached: the group waits for another run. */
  async #deleteAndForget(group: GroupId, page: CondemnedPage, signal: AbortSignal): Promise<Freed | undefined> {
    const { membership, rows } = page;
    const targets = membership && reachableNodes(this.#world, membership.disks);
    if (!targets || targets.length === 0) return undefined;
    const told = new Map<Condemned, ExactChunk>();
    for (const row of rows) {
      if (row.acked_epoch !== membership.epoch) told.set(row, exactOf(row, group));
    }
    const acknowledged = await deleteOn(this.#world, { targets, chunks: [...told.values()] }, signal);
    const gone = rows.filter((row) => {
      const chunk = told.get(row);
      return chunk === undefined || acknowledged.has(chunk);
    });
    if (gone.length === 0) return { chunks: 0, bytes: 0 };
    return await this.#world.store.queue.submit((tx) => this.#settle(tx, { group, membership, gone }), 3 * gone.length);
  }

  /** Notes what all members have acknowledged, and forgets what no commit can bring back. */
  async #settle(
    tx: Transaction,
    done: { readonly group: GroupId; readonly membership: Membership; readonly gone: readonly Condemned[] },
  ): Promise<Freed> {
    const { group, membership, gone } = done;
    await this.#gate.guard(tx.sql);
    // A disk that joined meanwhile may have been given the chunk: it has acknowledged nothing.
    if (!isSameMembership(await membershipIn(tx.sql, group), membership)) return { chunks: 0, bytes: 0 };
    const leases = gone.map((row) => leaseOfGeneration(row.generation as Generation));
    const closed = await closedLeases(tx.sql, leases);
    let [chunks, bytes] = [0, 0];
    for (const [index, row] of gone.entries()) {
      const lease = leases[index];
      if (lease === undefined || !closed.has(lease)) {
        await acknowledge(tx, row, membership.epoch);
        continue;
      }
      bytes += await forget(tx, row, group);
      chunks++;
    }
    if (chunks > 0) await addToTally(tx.sql, { deletedChunks: chunks, deletedBytes: bytes });
    return { chunks, bytes };
  }
}

function exactOf(row: Condemned, group: GroupId): ExactChunk {
  return { group, id: chunkIdFromHash(row.hash), generation: row.generation as Generation };
}

async function acknowledge(tx: Transaction, row: Condemned, epoch: number): Promise<void> {
  if (row.acked_epoch === epoch) return;
  await tx.run(
    "UPDATE condemned SET acked_epoch = ? WHERE hash = ? AND generation = ?",
    epoch,
    row.hash,
    row.generation,
  );
}

/** Tells the chunk's bytes. Its row goes too unless another write of it has taken the row over. */
async function forget(tx: Transaction, row: Condemned, group: GroupId): Promise<number> {
  const chunk = await tx.get<{ length: number }>("SELECT length FROM chunk WHERE hash = ?", row.hash);
  await tx.run("DELETE FROM condemned WHERE hash = ? AND generation = ?", row.hash, row.generation);
  await tx.run("DELETE FROM chunk WHERE hash = ? AND generation = ? AND state = 1", row.hash, row.generation);
  await tx.run("DELETE FROM repair WHERE grp = ? AND hash = ? AND generation = ?", group, row.hash, row.generation);
  return chunk?.length ?? 0;
}
