import type { Hasher } from "@cairn/env";
import { concatBytes, hashOfChunkId, limits, type ManifestEntry } from "@cairn/protocol";

/** Bytes of a manifest entry as it is hashed: SHA-256 and length. The group is left out: it says where, not what. */
const hashedEntryBytes = 36;

/**
 * The validator of a content: SHA-256 over the SHA-256 of each run of 1,024 chunks, and the size (docs/formats/metadata.md).
 * Depends on nothing but the chunks, so that equal content has the equal etag however it arrived.
 */
export class EtagBuilder {
  readonly #hasher: Hasher;
  readonly #runs: Uint8Array[] = [];
  #size = 0;

  constructor(hasher: Hasher) {
    this.#hasher = hasher;
  }

  /** Takes the next run of chunks; every run but the last has manifestPageEntriesMax of them. */
  async add(run: readonly Pick<ManifestEntry, "id" | "length">[]): Promise<void> {
    const bytes = new Uint8Array(run.length * hashedEntryBytes);
    const view = new DataView(bytes.buffer);
    for (const [index, chunk] of run.entries()) {
      bytes.set(hashOfChunkId(chunk.id), index * hashedEntryBytes);
      view.setUint32(index * hashedEntryBytes + 32, chunk.length, true);
      this.#size += chunk.length;
    }
    this.#runs.push(await this.#hasher.sha256(bytes));
  }

  /** 32 bytes. */
  finish(): Promise<Uint8Array> {
    const size = new Uint8Array(8);
    new DataView(size.buffer).setBigUint64(0, BigInt(this.#size), true);
    return this.#hasher.sha256(concatBytes([...this.#runs, size]));
  }
}

/** The etag of chunks that are all at hand. */
export async function etagOf(
  hasher: Hasher,
  chunks: readonly Pick<ManifestEntry, "id" | "length">[],
): Promise<Uint8Array> {
  const builder = new EtagBuilder(hasher);
  for (let start = 0; start < chunks.length; start += limits.manifestPageEntriesMax) {
    await builder.add(chunks.slice(start, start + limits.manifestPageEntriesMax));
  }
  return await builder.finish();
}
