import { StorageError } from "@cairn/protocol";
import type { StoredPiece, WriteSource } from "../transfer.ts";
import { cutBytes, cutChunks } from "./chunker.ts";

/** What becomes one chunk. */
export type InputChunk = Uint8Array | StoredPiece;

/** A source, chunk by chunk, and what of it can be had again. */
export class ChunkInput {
  readonly #source: WriteSource;
  readonly chunkBytes: number;
  readonly #chunks: Iterator<InputChunk> | AsyncIterator<InputChunk>;
  /** Kept while it is the only one, so that small streams can mend their commit too. */
  #only: Uint8Array | undefined;
  #read = 0;
  #bytesRead = 0;

  constructor(source: WriteSource, chunkBytes: number) {
    this.#source = source;
    this.chunkBytes = chunkBytes;
    if ("bytes" in source) this.#chunks = cutBytes(source.bytes, chunkBytes);
    else if ("pieces" in source) this.#chunks = source.pieces[Symbol.asyncIterator]();
    else this.#chunks = cutChunks("open" in source ? source.open(0) : source.stream, chunkBytes);
  }

  /** Bytes of the whole source; undefined when it does not say. */
  get size(): number | undefined {
    return sizeOf(this.#source);
  }

  /** Bytes handed out until now. */
  get bytesRead(): number {
    return this.#bytesRead;
  }

  /** The next chunk; undefined at the end. Throws invalid when the source turns out longer or shorter than it said. */
  async next(): Promise<InputChunk | undefined> {
    const { done, value } = await this.#chunks.next();
    if (!done) {
      this.#only = this.#read === 0 && value instanceof Uint8Array ? value : undefined;
      this.#read++;
      this.#bytesRead += value.length;
    }
    const { size } = this;
    if (size !== undefined && (done ? this.#bytesRead !== size : this.#bytesRead > size)) {
      throw new StorageError("invalid", "read source", `${this.#bytesRead} bytes came where ${size} were announced`, {
        hint: "The file changed while it was being read; try again.",
        details: { announced: size, read: this.#bytesRead },
      });
    }
    return done ? undefined : value;
  }

  /** A chunk that was handed out before; undefined when the source cannot be read twice. */
  async again(index: number): Promise<Uint8Array | undefined> {
    const start = index * this.chunkBytes;
    if ("bytes" in this.#source) return this.#source.bytes.subarray(start, start + this.chunkBytes);
    if ("open" in this.#source) {
      for await (const chunk of cutChunks(this.#source.open(start), this.chunkBytes)) return chunk;
      return undefined;
    }
    return index === 0 ? this.#only : undefined;
  }

  /** Lets go of a source that was not read to its end. */
  async close(): Promise<void> {
    await this.#chunks.return?.();
  }
}

export function sizeOf(source: WriteSource): number | undefined {
  return "bytes" in source ? source.bytes.length : source.size;
}
