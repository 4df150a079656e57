/** The bytes of one file in memory; grows by doubling so that appending is cheap. */
export class GrowingBytes {
  #buffer: Uint8Array;
  #length: number;
  /** The buffer is somebody else's and is copied before the first change. */
  #borrowed = true;

  /** The bytes must not change as long as this lives. */
  constructor(bytes: Uint8Array = new Uint8Array(0)) {
    this.#buffer = bytes;
    this.#length = bytes.length;
  }

  get length(): number {
    return this.#length;
  }

  /** A copy. */
  toBytes(): Uint8Array {
    return this.#buffer.slice(0, this.#length);
  }

  /** Fills `target` from `position`, or up to the end; tells how many bytes. */
  read(target: Uint8Array, position: number): number {
    const part = this.#buffer.subarray(position, Math.min(position + target.length, this.#length));
    target.set(part);
    return part.length;
  }

  /** A gap between the end and `position` is filled with zeros. */
  write(bytes: Uint8Array, position: number): void {
    const end = position + bytes.length;
    this.#reserve(end);
    this.#buffer.set(bytes, position);
    this.#length = Math.max(this.#length, end);
  }

  /** Cuts off, or extends with zeros. */
  truncate(length: number): void {
    this.#reserve(length);
    if (length < this.#length) this.#buffer.fill(0, length, this.#length);
    this.#length = length;
  }

  #reserve(length: number): void {
    if (length <= this.#buffer.length && !this.#borrowed) return;
    const larger = new Uint8Array(Math.max(length, this.#buffer.length * 2, 1024));
    this.#borrowed = false;
    larger.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = larger;
  }
}
