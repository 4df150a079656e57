import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { Busboy, type BusboyFileStream } from "@fastify/busboy";
import type { S3Call } from "../s3-call.ts";
import { S3Error } from "../s3-error.ts";

/** As S3: what a form may hold besides its file, in bytes. */
const fieldsBytesMax = 20 * 1024;
const fieldsMax = 200;
/** Of framing, before the file and behind it. */
const restBytesMax = 64 * 1024;

/** The file of a form, and what stood before it. */
export interface FormFile {
  /** Names in lower case. */
  readonly fields: ReadonlyMap<string, string>;
  /** Without a path. */
  readonly filename: string;
}

/**
 * A form as a browser sends it (RFC 7578), read as it comes: the fields before the file are kept, the file passes through,
 * and fields behind it count nothing, as S3 has it.
 */
export class PostForm implements Disposable {
  readonly #fields = new Map<string, string>();
  readonly #stop = new AbortController();
  readonly #ended: Promise<void>;
  readonly #found: Promise<FormFile>;
  #file: BusboyFileStream | undefined;
  #fieldsBytes = 0;
  #restBytes = 0;
  #failure: S3Error | undefined;

  /** Throws MalformedPOSTRequest for a Content-Type without a boundary. */
  constructor({ request, body }: Pick<S3Call, "request" | "body">) {
    const parser = parserOf(request.headers["content-type"] ?? "");
    this.#found = this.#fileOf(parser);
    this.#ended = pipeline(Readable.from(this.#counted(body.stream())), parser, { signal: this.#stop.signal }).catch(
      (error: unknown) => {
        const failure = this.#failureOf(error);
        this.#file?.destroy(failure);
        throw failure;
      },
    );
    // Whoever waits for them hears of it.
    this.#ended.catch(() => {});
  }

  /** Throws MalformedPOSTRequest, IncorrectNumberOfFilesInPostRequest, MaxPostPreDataLengthExceededError, and what the body throws. */
  async file(): Promise<FormFile> {
    const none = this.#ended.then((): never => {
      throw this.#failure ?? new S3Error("IncorrectNumberOfFilesInPostRequest");
    });
    const found = await Promise.race([this.#found, none]);
    if (this.#failure) throw this.#failure;
    return found;
  }

  /** The bytes of the file; ends when the whole form has come and is well-formed. Throws as `file` does. */
  async *content(): AsyncGenerator<Uint8Array> {
    try {
      yield* (this.#file ?? []) as AsyncIterable<Uint8Array>;
    } catch (error) {
      throw this.#failureOf(error);
    }
    await this.#ended;
  }

  /** Lets go of the body, wherever it is. */
  [Symbol.dispose](): void {
    this.#stop.abort();
  }

  #fileOf(parser: InstanceType<typeof Busboy>): Promise<FormFile> {
    parser.on("field", (...field) => this.#keep(field[0], field[1], field[2] || field[3]));
    parser.on("filesLimit", () => this.#fail("IncorrectNumberOfFilesInPostRequest"));
    parser.on("fieldsLimit", () => this.#fail("MaxPostPreDataLengthExceededError"));
    return new Promise((resolve) => {
      parser.on("file", (_name, file, filename) => {
        this.#file = file;
        // Whoever reads it hears of it; until then it is nobody's.
        file.on("error", () => {});
        resolve({ fields: this.#fields, filename: filename ?? "" });
      });
    });
  }

  #keep(name: string | undefined, value: string, truncated: boolean): void {
    if (this.#file) return;
    const key = (name ?? "").toLowerCase();
    this.#fieldsBytes += Buffer.byteLength(key) + Buffer.byteLength(value);
    if (truncated || this.#fieldsBytes > fieldsBytesMax) this.#fail("MaxPostPreDataLengthExceededError");
    else if (this.#fields.has(key)) this.#fail("InvalidArgument", `The field ${key.slice(0, 100)} stands twice.`);
    else this.#fields.set(key, value);
  }

  /** What is no file is counted, piece by piece. */
  async *#counted(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const piece of body) {
      if (this.#restBytes > restBytesMax) throw new S3Error("MaxPostPreDataLengthExceededError");
      yield piece;
      if (this.#failure) throw this.#failure;
      this.#restBytes = this.#isInFile() ? 0 : this.#restBytes + piece.length;
    }
  }

  #isInFile(): boolean {
    return this.#file !== undefined && !this.#file.readableEnded;
  }

  #fail(code: S3Error["code"], message?: string): void {
    this.#failure ??= new S3Error(code, message);
  }

  #failureOf(error: unknown): Error {
    if (this.#failure) return this.#failure;
    return error instanceof S3Error ? error : new S3Error("MalformedPOSTRequest", undefined, {}, { cause: error });
  }
}

function parserOf(contentType: string): InstanceType<typeof Busboy> {
  try {
    return new Busboy({
      headers: { "content-type": contentType },
      isPartAFile: (name) => name?.toLowerCase() === "file",
      limits: { fieldSize: fieldsBytesMax, fields: fieldsMax, files: 1, headerPairs: 20, headerSize: 8192 },
    });
  } catch (cause) {
    throw new S3Error("MalformedPOSTRequest", undefined, {}, { cause });
  }
}
