import { decodeManifest, limits, manifestEntryBytes } from "@cairn/protocol";
import type { Transaction } from "../sql/transaction.ts";

const pageBytes = limits.manifestPageEntriesMax * manifestEntryBytes;

/**
 * Writes the pages of a manifest that comes piece by piece, 1,024 entries a page. A manifest of up to 128 entries is not
 * written but given back, to stand beside its version.
 */
export class ManifestWriter {
  readonly #tx: Transaction;
  readonly #version: Uint8Array;
  #pending: Uint8Array = new Uint8Array(0);
  #page = 0;
  #firstByte = 0;

  constructor(tx: Transaction, version: Uint8Array) {
    this.#tx = tx;
    this.#version = version;
  }

  /** Takes encoded entries. */
  async add(entries: Uint8Array): Promise<void> {
    let rest = entries;
    if (this.#pending.length > 0) {
      const joined = new Uint8Array(this.#pending.length + entries.length);
      joined.set(this.#pending);
      joined.set(entries, this.#pending.length);
      rest = joined;
    }
    // The last page is kept back: only finish knows whether anything follows.
    while (rest.length > pageBytes) {
      await this.#write(rest.subarray(0, pageBytes));
      rest = rest.subarray(pageBytes);
    }
    this.#pending = rest;
  }

  /** The manifest if it is short enough to stand inline, else null: it stands in pages. */
  async finish(): Promise<Uint8Array | null> {
    const inlineMax = limits.inlineManifestEntriesMax * manifestEntryBytes;
    if (this.#page === 0 && this.#pending.length <= inlineMax) return this.#pending;
    await this.#write(this.#pending);
    return null;
  }

  async #write(data: Uint8Array): Promise<void> {
    await this.#tx.run(
      "INSERT INTO manifest_page (version, page, first_chunk, first_byte, data) VALUES (?, ?, ?, ?, ?)",
      this.#version,
      this.#page,
      this.#page * limits.manifestPageEntriesMax,
      this.#firstByte,
      data,
    );
    this.#page++;
    for (const entry of decodeManifest(data)) this.#firstByte += entry.length;
  }
}

/** Writes a whole manifest; see ManifestWriter.finish for the answer. */
export async function writeManifest(
  tx: Transaction,
  version: Uint8Array,
  manifest: Uint8Array,
): Promise<Uint8Array | null> {
  const writer = new ManifestWriter(tx, version);
  await writer.add(manifest);
  return await writer.finish();
}
