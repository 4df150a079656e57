/** Buffers that wait for their next use, in all. */
const freeBytesMax = 32 * 1024 * 1024;
const granuleBytes = 64 * 1024;

/**
 * Buffers of large request bodies, used again. A fresh buffer for each body of a MiB costs the system its pages and the
 * collector a round over the heap every few dozen of them.
 */
export class BodyPool {
  readonly #free: Uint8Array[] = [];
  #freeBytes = 0;

  /** A buffer of at least so many bytes, with anything in it. */
  take(length: number): Uint8Array {
    const at = this.#free.findIndex((buffer) => buffer.length >= length && buffer.length <= length * 2);
    const [found] = at < 0 ? [] : this.#free.splice(at, 1);
    if (!found) return Buffer.allocUnsafeSlow(Math.ceil(length / granuleBytes) * granuleBytes);
    this.#freeBytes -= found.length;
    return found;
  }

  /** Nobody may hold on to the buffer any more. */
  give(buffer: Uint8Array): void {
    if (this.#freeBytes + buffer.length > freeBytesMax) return;
    this.#free.push(buffer);
    this.#freeBytes += buffer.length;
  }
}
