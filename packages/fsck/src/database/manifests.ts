import type { Snapshot } from "./database.ts";

/** An entry of a manifest (docs/formats/manifest.md): hash 32, length 4, group 4. */
export const manifestEntryBytes = 40;
/** Entries of every page of a manifest but its last. */
export const pageEntries = 1024;

/** Some entries of one manifest that hold references, and whose they are. */
export interface ManifestRun {
  readonly owner: ManifestOwner;
  /** Encoded entries from the first on that still has its reference. */
  readonly entries: Uint8Array;
}

/** A version or a part of an upload. */
export type ManifestOwner =
  | { readonly version: Uint8Array; readonly entry: Uint8Array; readonly doomed: boolean }
  | { readonly upload: Uint8Array; readonly part: number };

interface VersionRow {
  readonly id: Uint8Array;
  readonly entry: Uint8Array;
  readonly state: number;
  readonly manifest: Uint8Array | null;
  readonly cursor: number | null;
}

/** Everything that counts in `chunk.refs`: versions, what is left of doomed ones, and parts of uploads. */
export function* referencesOf(snapshot: Snapshot): Generator<ManifestRun> {
  const versions = snapshot.rows<VersionRow>(
    `SELECT v.id, v.entry, v.state, v.manifest, d.cursor FROM version v LEFT JOIN doomed d ON d.version = v.id`,
  );
  for (const { id, entry, state, manifest, cursor } of versions) {
    const owner = { version: id, entry, doomed: state !== 0 };
    const start = owner.doomed ? (cursor ?? 0) : 0;
    if (manifest) {
      yield { owner, entries: manifest.subarray(start * manifestEntryBytes) };
      continue;
    }
    for (const { page, data } of pagesOf(snapshot, id)) {
      const before = Math.max(0, start - page * pageEntries);
      if (before * manifestEntryBytes < data.length)
        yield { owner, entries: data.subarray(before * manifestEntryBytes) };
    }
  }
  const parts = snapshot.rows<{ upload: Uint8Array; part: number; manifest: Uint8Array }>(
    "SELECT upload, part, manifest FROM upload_part",
  );
  for (const { upload, part, manifest } of parts) yield { owner: { upload, part }, entries: manifest };
}

export interface ManifestPage {
  readonly page: number;
  readonly first_chunk: number;
  readonly first_byte: number;
  readonly data: Uint8Array;
}

/** The pages of a long manifest in order. */
export function pagesOf(snapshot: Snapshot, version: Uint8Array): Iterable<ManifestPage> {
  return snapshot.rows<ManifestPage>(
    "SELECT page, first_chunk, first_byte, data FROM manifest_page WHERE version = ? ORDER BY page",
    version,
  );
}

/** Length of the chunk that an entry at this offset names. */
export function lengthAt(entries: Uint8Array, offset: number): number {
  return new DataView(entries.buffer, entries.byteOffset + offset + 32, 4).getUint32(0, true);
}
