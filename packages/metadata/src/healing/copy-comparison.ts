import type { SqlDatabase } from "@cairn/env";
import { compareBytes, type DiskId, type GroupId, hashOfChunkId, type InventoryPage } from "@cairn/protocol";
import { beforeAll, type NeededChunk, neededChunks } from "./group-chunks.ts";
import type { NodeOrders } from "./node-orders.ts";

/** What a comparison of a disk with the chunks that are needed found. */
export interface Comparison {
  /** Needed and not there, the first `missingMax` of them. Known bad copies that wait for repair are not among them. */
  readonly missing: readonly NeededChunk[];
  /** Of the needed chunks that are there. */
  readonly chunks: number;
  readonly bytes: number;
}

const rowsPerLook = 1000;
/** Found at most at once: the rest is found by the next comparison. */
const missingMax = 1024;

/**
 * Looks whether a disk holds every chunk that its group needs, each in its exact generation, by walking the disk's inventory
 * and the rows side by side. What is committed behind its back meanwhile leaves a repair row.
 */
export async function compareCopy(
  world: { readonly database: SqlDatabase; readonly orders: NodeOrders },
  copy: { readonly group: GroupId; readonly disk: DiskId },
  signal: AbortSignal,
): Promise<Comparison> {
  const walk = new Walk(world.database, copy);
  let held: InventoryPage["chunks"] = [];
  for await (const page of world.orders.inventory(copy.group, copy.disk, signal)) {
    held = [...held, ...page];
    const last = held.at(-1);
    // The last id may go on on the next page, with another generation.
    const whole = held.filter((chunk) => chunk.id !== last?.id);
    const end = whole.at(-1);
    if (end) await walk.look(whole, hashOfChunkId(end.id));
    if (walk.isFull) return walk.result();
    held = held.slice(whole.length);
  }
  await walk.look(held, undefined);
  return walk.result();
}

class Walk {
  readonly #database: SqlDatabase;
  readonly #copy: { readonly group: GroupId; readonly disk: DiskId };
  readonly #missing: NeededChunk[] = [];
  #after: Uint8Array = beforeAll;
  #chunks = 0;
  #bytes = 0;

  constructor(database: SqlDatabase, copy: { readonly group: GroupId; readonly disk: DiskId }) {
    this.#database = database;
    this.#copy = copy;
  }

  get isFull(): boolean {
    return this.#missing.length >= missingMax;
  }

  result(): Comparison {
    return { missing: this.#missing, chunks: this.#chunks, bytes: this.#bytes };
  }

  /** Compares the rows after the last look and up to a hash, or to the end, with what the disk has of them. */
  async look(held: InventoryPage["chunks"], upTo: Uint8Array | undefined): Promise<void> {
    const there = new Set(held.map((chunk) => `${chunk.generation} ${chunk.length} ${chunk.id}`));
    while (!this.isFull) {
      const rows = await this.#database.read((sql) =>
        neededChunks(sql, this.#copy.group, {
          after: this.#after,
          upTo,
          limit: rowsPerLook,
          exceptKnownOn: this.#copy.disk,
        }),
      );
      for (const row of rows) this.#judge(row, there.has(`${row.generation} ${row.length} ${row.id}`));
      const last = rows.at(-1);
      if (rows.length === rowsPerLook && last) {
        this.#after = last.hash;
        continue;
      }
      if (upTo && compareBytes(upTo, this.#after) > 0) this.#after = upTo;
      return;
    }
  }

  #judge(row: NeededChunk, isThere: boolean): void {
    if (!isThere) {
      if (!this.isFull) this.#missing.push(row);
      return;
    }
    this.#chunks++;
    this.#bytes += row.length;
  }
}
