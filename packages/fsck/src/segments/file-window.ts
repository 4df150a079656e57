import type { FileHandle } from "node:fs/promises";

/** Reads a file forwards through one window of memory. */
export class FileWindow {
  /** Bytes of the file that are looked at. */
  readonly end: number;
  readonly #file: FileHandle;
  readonly #windowBytes: number;
  readonly #tell: (bytes: number) => void;
  #window: Uint8Array = new Uint8Array(0);
  #start = 0;

  /** `tell` hears how many bytes were read. */
  constructor(
    file: FileHandle,
    { end, windowBytes, tell }: { end: number; windowBytes: number; tell: (bytes: number) => void },
  ) {
    this.#file = file;
    this.end = end;
    this.#windowBytes = windowBytes;
    this.#tell = tell;
  }

  /** The bytes from `offset` on, fewer at the end of the file. Valid until the next call. */
  async bytes(offset: number, length: number): Promise<Uint8Array> {
    const wanted = Math.max(0, Math.min(length, this.end - offset));
    if (offset < this.#start || offset + wanted > this.#start + this.#window.length) await this.#fill(offset, wanted);
    return this.#window.subarray(offset - this.#start, offset - this.#start + wanted);
  }

  async #fill(offset: number, wanted: number): Promise<void> {
    const buffer = new Uint8Array(Math.min(Math.max(this.#windowBytes, wanted), this.end - offset));
    let filled = 0;
    while (filled < buffer.length) {
      const { bytesRead } = await this.#file.read(buffer, filled, buffer.length - filled, offset + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    this.#tell(filled);
    // A file that was cut off meanwhile reads as zeros, which are no record.
    this.#window = buffer;
    this.#start = offset;
  }
}
