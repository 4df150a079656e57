import { assert, type ChunkId, type Generation, hashOfChunkId, parseChunkId, StorageError } from "@cairn/protocol";
import type { ChunkTable } from "./chunk-table.ts";
import { type EntryKey, isBehind, type TableEntry } from "./sealed-records.ts";

/** Entries of an open group in order of (hash, generation), behind a key or from the first on. */
export function* tableEntries(table: ChunkTable, after: EntryKey | undefined): Generator<TableEntry> {
  const order = table.sorted();
  let rank = 0;
  for (let end = after ? order.length : 0; after && rank < end; ) {
    const middle = (rank + end) >> 1;
    if (isBehind(table.at(order[middle] as number), after)) end = middle;
    else rank = middle + 1;
  }
  for (; rank < order.length; rank++) yield table.at(order[rank] as number);
}

/** The cursor of a page that ends with these chunks. */
export function cursorOf(chunks: readonly { id: ChunkId; generation: Generation }[]): string {
  const last = chunks.at(-1);
  assert(last, "a page with a cursor is not empty");
  return `${last.id}.${last.generation}`;
}

/** Throws invalid for a text that is not a cursor. */
export function parseCursor(cursor: string): EntryKey {
  const [id = "", generation = ""] = cursor.split(".");
  if (!/^\d+$/.test(generation)) throw new StorageError("invalid", "list chunks", "the cursor is not one of ours");
  return { hash: hashOfChunkId(parseChunkId(id)), generation: Number(generation) };
}
