import { S3Error } from "../s3-error.ts";

const [carriageReturn, lineFeed] = [0x0d, 0x0a];

/** Reads lines and counted bytes from pieces as they come, and keeps no more than the piece it is in. */
export class ByteLines {
  readonly #pieces: AsyncIterator<Uint8Array>;
  #piece: Uint8Array = new Uint8Array(0);
  #at = 0;
  #over = false;

  constructor(bytes: AsyncIterable<Uint8Array>) {
    this.#pieces = bytes[Symbol.asyncIterator]();
  }

  /** A line without its CR LF. Throws IncompleteBody at the end of the bytes, InvalidChunkSizeError for a longer one. */
  async line(lengthMax: number): Promise<string> {
    const line = await this.#line(lengthMax);
    if (line === undefined) throw new S3Error("IncompleteBody");
    return line;
  }

  /** As `line`; empty also at the end of the bytes. Throws MalformedTrailerError for a longer one. */
  async lastLine(lengthMax: number): Promise<string> {
    return (await this.#line(lengthMax, "MalformedTrailerError")) ?? "";
  }

  /** So many bytes, in slices of what came. Throws IncompleteBody. */
  async *take(length: number): AsyncGenerator<Uint8Array> {
    for (let left = length; left > 0; ) {
      if (!(await this.#more())) throw new S3Error("IncompleteBody");
      const slice = this.#piece.subarray(this.#at, this.#at + left);
      this.#at += slice.length;
      left -= slice.length;
      yield slice;
    }
  }

  /** The CR LF behind a chunk. */
  async end(): Promise<void> {
    if ((await this.line(0)) !== "") throw new S3Error("InvalidChunkSizeError");
  }

  /** True when nothing is left. */
  async ended(): Promise<boolean> {
    return !(await this.#more());
  }

  /** Lets go of where the bytes come from. */
  async close(): Promise<void> {
    await this.#pieces.return?.();
  }

  async #line(lengthMax: number, tooLong: "InvalidChunkSizeError" | "MalformedTrailerError" = "InvalidChunkSizeError") {
    const characters: number[] = [];
    while (await this.#more()) {
      const byte = this.#piece[this.#at++] as number;
      if (byte === lineFeed && characters.at(-1) === carriageReturn) {
        return String.fromCharCode(...characters.slice(0, -1));
      }
      characters.push(byte);
      if (characters.length > lengthMax + 1) throw new S3Error(tooLong);
    }
    if (characters.length === 0) return undefined;
    throw new S3Error("IncompleteBody");
  }

  /** True when there is a byte to read. */
  async #more(): Promise<boolean> {
    while (this.#at === this.#piece.length && !this.#over) {
      const { value, done } = await this.#pieces.next();
      if (done) this.#over = true;
      else [this.#piece, this.#at] = [value, 0];
    }
    return this.#at < this.#piece.length;
  }
}
