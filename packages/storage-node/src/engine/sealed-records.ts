import { compareBytes, isKind } from "@cairn/protocol";
import type { Location } from "./chunk-table.ts";
import type { EngineParts } from "./engine-parts.ts";
import { findInIndex, readIndexEntries, type SealedIndex } from "./sealed-index.ts";

export interface TableEntry {
  readonly hash: Uint8Array;
  readonly location: Location;
}

/** Where a listing goes on: behind this record. */
export interface EntryKey {
  readonly hash: Uint8Array;
  readonly generation: number;
}

/** The records of a sealed group, read from its index. An index that turns out to be damaged is made anew, once. */
export class SealedRecords {
  readonly #parts: EngineParts;
  readonly #path: string;
  readonly #rebuild: () => Promise<SealedIndex>;
  #rebuilding: Promise<void> | undefined;
  #index: SealedIndex;

  /** `rebuild` writes the index anew. */
  constructor(
    parts: EngineParts,
    { path, index, rebuild }: { path: string; index: SealedIndex; rebuild: () => Promise<SealedIndex> },
  ) {
    this.#parts = parts;
    this.#path = path;
    this.#index = index;
    this.#rebuild = rebuild;
  }

  /** All records with this hash, whatever their generation. */
  find(hash: Uint8Array): Promise<Location[]> {
    const { files, crc32c } = this.#parts;
    return this.#healing(() =>
      files.use(this.#path, (file) => findInIndex(file, { index: this.#index, hash, crc32c })),
    );
  }

  /** At most `limit` entries in order, behind `after`, or from the first on. */
  page(after: EntryKey | undefined, limit: number): Promise<TableEntry[]> {
    const { files, crc32c } = this.#parts;
    return this.#healing(() =>
      files.use(this.#path, async (file) => {
        const entries: TableEntry[] = [];
        for await (const entry of readIndexEntries(file, { index: this.#index, from: after?.hash, crc32c })) {
          if (after && !isBehind(entry, after)) continue;
          entries.push({ hash: entry.hash.slice(), location: entry.location });
          if (entries.length === limit) break;
        }
        return entries;
      }),
    );
  }

  async #healing<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } catch (error) {
      if (!isKind(error, "corrupt", "not-found")) throw error;
      this.#parts.log.error({ err: error, file: this.#path }, "an index is damaged and made anew from the segments");
      this.#rebuilding ??= this.#rebuildOnce();
      await this.#rebuilding;
      return work();
    }
  }

  async #rebuildOnce(): Promise<void> {
    try {
      this.#index = await this.#rebuild();
    } finally {
      this.#rebuilding = undefined;
    }
  }
}

/** True when an entry comes after a key in order of (hash, generation). */
export function isBehind(entry: TableEntry, after: EntryKey): boolean {
  return (compareBytes(entry.hash, after.hash) || entry.location.generation - after.generation) > 0;
}
