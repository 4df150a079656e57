/** Bytes of a SHA-256. */
export const hashBytes = 32;

/** Hashes in ascending order, packed: millions of them cost 36 bytes each. Found by binary search. */
export class HashColumn {
  readonly count: number;
  readonly #bytes: Buffer;
  /** The first four bytes of each hash as a number, which decides nearly every comparison. */
  readonly #prefixes: Uint32Array;

  /** `bytes`: the hashes one after the other, sorted. */
  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    this.count = bytes.length / hashBytes;
    this.#prefixes = Uint32Array.from({ length: this.count }, (_, index) =>
      this.#bytes.readUInt32BE(index * hashBytes),
    );
  }

  /** Index of the hash that stands at `offset` of `source`, or −1. */
  find(source: Uint8Array, offset: number = 0): number {
    const prefix = prefixAt(source, offset);
    let [low, high] = [0, this.count - 1];
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const order = (this.#prefixes[middle] ?? 0) - prefix || this.#compare(middle, source, offset);
      if (order === 0) return middle;
      if (order < 0) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  #compare(index: number, source: Uint8Array, offset: number): number {
    const start = index * hashBytes;
    return this.#bytes.compare(source, offset, offset + hashBytes, start, start + hashBytes);
  }

  /** Valid for as long as the column. */
  at(index: number): Uint8Array {
    return this.#bytes.subarray(index * hashBytes, (index + 1) * hashBytes);
  }

  /** 64 hex digits. */
  hexAt(index: number): string {
    return this.#bytes.toString("hex", index * hashBytes, (index + 1) * hashBytes);
  }
}

function prefixAt(bytes: Uint8Array, offset: number): number {
  const [a = 0, b = 0, c = 0, d = 0] = [bytes[offset], bytes[offset + 1], bytes[offset + 2], bytes[offset + 3]];
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
}

/** Hex digits of bytes. */
export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex");
}
