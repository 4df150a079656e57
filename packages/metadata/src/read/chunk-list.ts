import {
  type ChunkId,
  chunkIdFromHash,
  type Entry,
  type EntryAddress,
  type Generation,
  type GroupId,
  hashOfChunkId,
  type ManifestEntry,
  StorageError,
} from "@cairn/protocol";
import { inLists } from "../sql/in-list.ts";
import type { Store } from "../sql/store.ts";
import { readManifest } from "./read-plan.ts";

/** One chunk of a file: which write of it counts, and in which group it is now. */
export interface ListedChunk extends ManifestEntry {
  readonly index: number;
  /** Byte of the file at which it starts. */
  readonly offset: number;
  readonly generation: Generation;
}

/**
 * The chunks of a file's current version from the one that holds byte `offset`, up to the end of a manifest page; the
 * next call begins behind the last one's bytes. Throws as ReadPlanner.plan.
 */
export async function listChunks(
  store: Store,
  address: EntryAddress,
  offset: number,
): Promise<{ readonly entry: Entry; readonly chunks: readonly ListedChunk[] }> {
  const { entry, page } = await readManifest(store, { address, offset });
  const homes = await homesOf(
    store,
    page.entries.map((chunk) => chunk.id),
  );
  const chunks: ListedChunk[] = [];
  let start = page.firstByte;
  for (const [position, chunk] of page.entries.entries()) {
    const end = start + chunk.length;
    if (end > offset) {
      const home = homes.get(chunk.id);
      if (!home) throw new StorageError("corrupt", "list chunks", `chunk ${chunk.id} of ${entry.path} has no row`);
      chunks.push({ ...chunk, ...home, index: page.firstChunk + position, offset: start });
    }
    start = end;
  }
  return { entry, chunks };
}

interface Home {
  readonly group: GroupId;
  readonly generation: Generation;
}

function homesOf(store: Store, ids: readonly ChunkId[]): Promise<ReadonlyMap<ChunkId, Home>> {
  return store.database.read(async (sql) => {
    const homes = new Map<ChunkId, Home>();
    for (const { values, placeholders } of inLists(ids.map(hashOfChunkId))) {
      const rows = await sql.all<{ hash: Uint8Array; grp: number; generation: number }>(
        `SELECT hash, grp, generation FROM chunk WHERE hash IN ${placeholders}`,
        ...values,
      );
      for (const row of rows) {
        homes.set(chunkIdFromHash(row.hash), {
          group: row.grp as GroupId,
          generation: row.generation as Generation,
        });
      }
    }
    return homes;
  });
}
