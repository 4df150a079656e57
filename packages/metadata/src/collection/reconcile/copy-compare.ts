import type { SqlDatabase } from "@cairn/env";
import { type ChunkId, chunkIdFromHash, type GroupId, hashOfChunkId, limits, recordDigest } from "@cairn/protocol";
import { type GroupRow, groupRows, type HashRange } from "./group-rows.ts";
import type { HeldRecord, InventoryWalk } from "./inventory-walk.ts";

/** A write that a copy should have and that its inventory did not name. */
export interface MissingRecord {
  readonly id: ChunkId;
  readonly generation: number;
}

/** What one walk along a copy and the table found; nothing is decided yet. */
export interface CopyDifference {
  /** On the disk, and no row named exactly this write. */
  readonly strays: readonly HeldRecord[];
  readonly missing: readonly MissingRecord[];
  /** XOR of the records that rows name. */
  readonly namedXor: bigint;
  /** More was found than is kept in memory: the rest comes with a later walk. */
  readonly cut: boolean;
}

/** Of either kind, for one copy: more than a full group has. */
const differencesMax = Math.ceil(limits.groupRecordsMax * 1.25);

/**
 * Merges the inventory of one copy with the rows of its group, both in the order of the hashes. Each run of rows is read
 * after the page it is compared with, so a stray may be a chunk whose row comes later, and a missing one may have been
 * committed after the page was written: whoever acts on it looks again.
 */
export class CopyCompare {
  readonly #database: SqlDatabase;
  readonly #group: GroupId;
  readonly #strays: HeldRecord[] = [];
  readonly #missing: MissingRecord[] = [];
  #namedXor = 0n;
  #cut = false;

  constructor(database: SqlDatabase, group: GroupId) {
    this.#database = database;
    this.#group = group;
  }

  async run(walk: InventoryWalk, signal: AbortSignal): Promise<CopyDifference> {
    let from: Uint8Array = new Uint8Array(0);
    let held: HeldRecord[] = [];
    for await (const { records, last } of walk.pages(signal)) {
      held = held.concat(records);
      // More generations of the last chunk may be on the next page.
      const lastId = held.at(-1)?.id;
      const ready = last ? held : held.filter((record) => record.id !== lastId);
      held = last ? [] : held.filter((record) => record.id === lastId);
      const before = last || lastId === undefined ? undefined : hashOfChunkId(lastId);
      await this.#merge(ready, { from, before });
      from = before ?? from;
    }
    return { strays: this.#strays, missing: this.#missing, namedXor: this.#namedXor, cut: this.#cut };
  }

  async #merge(records: readonly HeldRecord[], range: HashRange): Promise<void> {
    let next = 0;
    for await (const rows of groupRows(this.#database, this.#group, range)) {
      for (const row of rows) next = this.#row(row, records, next);
    }
    for (; next < records.length; next++) this.#stray(records[next] as HeldRecord);
  }

  /** Takes the records up to this row's chunk; tells the first one behind. */
  #row(row: GroupRow, records: readonly HeldRecord[], from: number): number {
    const id = chunkIdFromHash(row.hash);
    let next = from;
    let found = false;
    for (let record = records[next]; record && record.id <= id; record = records[++next]) {
      if (record.id === id && record.generation === row.generation) found = true;
      else this.#stray(record);
    }
    if (found) this.#namedXor ^= recordDigest(row.hash, row.generation);
    else if (row.state === 0) this.#miss({ id, generation: row.generation });
    return next;
  }

  #stray(record: HeldRecord): void {
    if (this.#strays.length < differencesMax) this.#strays.push(record);
    else this.#cut = true;
  }

  #miss(record: MissingRecord): void {
    if (this.#missing.length < differencesMax) this.#missing.push(record);
    else this.#cut = true;
  }
}
