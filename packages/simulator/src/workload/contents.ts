import { createHash } from "node:crypto";
import { concatBytes } from "@cairn/protocol";
import { SeededRandom } from "../random/seeded-random.ts";

/** Bytes of a file, and their name in the ledger. */
export interface Content {
  readonly bytes: Uint8Array;
  /** SHA-256 in hex. */
  readonly digest: string;
}

export interface ContentOptions {
  readonly chunkBytes: number;
  /** So many different chunks exist: the fewer, the more is shared. */
  readonly chunks: number;
}

/** Contents that share many of their chunks. */
export class Contents {
  readonly #random: SeededRandom;
  readonly #options: ContentOptions;
  readonly #chunks = new Map<number, Uint8Array>();

  constructor(random: SeededRandom, options: ContentOptions) {
    this.#random = random;
    this.#options = options;
  }

  /** So many whole chunks and perhaps a piece of one. */
  draw(chunksMax: number): Content {
    const { chunkBytes, chunks } = this.#options;
    const count = this.#random.integer(chunksMax + 1);
    const parts = Array.from({ length: count }, () => this.#chunk(this.#random.integer(chunks)));
    if (this.#random.fraction() < 0.6) {
      const piece = this.#chunk(this.#random.integer(chunks));
      parts.push(piece.subarray(0, this.#random.integer(chunkBytes)));
    }
    const bytes = concatBytes(parts).slice();
    return { bytes, digest: digestOf(bytes) };
  }

  #chunk(number: number): Uint8Array {
    let bytes = this.#chunks.get(number);
    if (!bytes) {
      bytes = new SeededRandom(number + 1).bytes(this.#options.chunkBytes);
      this.#chunks.set(number, bytes);
    }
    return bytes;
  }
}

/** SHA-256 in hex. */
export function digestOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
