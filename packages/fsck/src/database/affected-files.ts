import type { Pulse } from "../pulse.ts";
import type { Snapshot } from "./database.ts";
import { EntryPaths } from "./entry-paths.ts";
import { HashColumn, hashBytes, hexOf } from "./hash-column.ts";
import { manifestEntryBytes, referencesOf } from "./manifests.ts";

/** A file, or an upload that goes on, with chunks that lack copies. */
export interface AffectedFile {
  /** Such as `main:/reports/2024.pdf`. */
  readonly path: string;
  readonly version: string | null;
  /** Entries of its manifest that are short of copies, and of which none is left. */
  readonly shortChunks: number;
  readonly lostChunks: number;
}

export interface AffectedFiles {
  readonly files: readonly AffectedFile[];
  /** All of them, also those beyond the limit. */
  readonly count: number;
}

/** A chunk that lacks copies. */
export interface AffectedChunk {
  readonly hash: Uint8Array;
  readonly lost: boolean;
}

/** Chunks whose files are named; what lacks copies beyond this many is counted and not named. */
const chunksMax = 100_000;

/** Gathers chunks that lack copies, and finds out whose they are: one pass over all manifests. */
export class AffectedChunks {
  readonly #chunks: AffectedChunk[] = [];

  add(chunks: readonly AffectedChunk[]): void {
    const room = chunksMax - this.#chunks.length;
    for (const chunk of chunks.slice(0, room)) this.#chunks.push(chunk);
  }

  get count(): number {
    return this.#chunks.length;
  }

  async files(snapshot: Snapshot, limit: number, pulse: Pulse): Promise<AffectedFiles> {
    const sorted = this.#chunks.toSorted((a, b) => Buffer.compare(a.hash, b.hash));
    const bytes = new Uint8Array(sorted.length * hashBytes);
    for (const [index, { hash }] of sorted.entries()) bytes.set(hash, index * hashBytes);
    const hashes = new HashColumn(bytes);
    const paths = new EntryPaths(snapshot);
    const files: AffectedFile[] = [];
    let count = 0;
    let last: { key: string; path: () => string; version: string | null; short: number; lost: number } | undefined;
    const finish = (): void => {
      if (!last || last.short + last.lost === 0) return;
      count++;
      if (files.length >= limit) return;
      files.push({ path: last.path(), version: last.version, shortChunks: last.short, lostChunks: last.lost });
    };
    for (const { owner, entries } of referencesOf(snapshot)) {
      const isVersion = "version" in owner;
      const key = hexOf(isVersion ? owner.version : owner.upload);
      if (last?.key !== key) {
        finish();
        const path = (): string => (isVersion ? paths.pathOf(owner.entry) : `upload ${key}`);
        last = { key, path, version: isVersion ? key : null, short: 0, lost: 0 };
      }
      for (let at = 0; at + manifestEntryBytes <= entries.length; at += manifestEntryBytes) {
        const chunk = sorted[hashes.find(entries, at)];
        if (chunk?.lost) last.lost++;
        else if (chunk) last.short++;
      }
      await pulse.beat();
    }
    finish();
    return { files, count };
  }
}
