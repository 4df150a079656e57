/** Bytes of a SHA-256. */
export const hashBytes = 32;

/** Hashes in ascending order, packed: millions of them cost 32 bytes each. Found by binary search. */
export class HashColumn {
  readonly count: number;
  readonly #bytes: Buffer;

  /** `bytes`: the hashes one after the other, sorted. */
  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    this.count = bytes.length / hashBytes;
  }

  /** Index of the hash that stands at `offset` of `source`, or −1. */
  find(source: Uint8Array, offset: number = 0): number {
    let [low, high] = [0, this.count - 1];
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const start = middle * hashBytes;
      const order = this.#bytes.compare(source, offset, offset + hashBytes, start, start + hashBytes);
      if (order === 0) return middle;
      if (order < 0) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
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

/** Hex digits of bytes. */
export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex");
}
