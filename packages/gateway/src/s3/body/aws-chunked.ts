import { createHash } from "node:crypto";
import { hmac, sameSignature, sha256 } from "../auth/signature.ts";
import { S3Error } from "../s3-error.ts";
import { ByteLines } from "./byte-lines.ts";

/** What the signatures of chunks are made of: each signs the one before it. */
export interface ChunkSeal {
  readonly signingKey: Buffer;
  /** YYYYMMDDTHHMMSSZ. */
  readonly timestamp: string;
  /** `<date>/<region>/s3/aws4_request`. */
  readonly scope: string;
  /** The signature of the request. */
  readonly seed: string;
}

export interface ChunkedBody {
  /** Bytes without the framing. */
  readonly size: number;
  /** Of signed chunks. */
  readonly seal: ChunkSeal | undefined;
  /** Names that may, and must, come in the trailer, in lower case. */
  readonly trailers: readonly string[];
  readonly onTrailer: (name: string, value: string) => void;
}

const headLengthMax = 256;
const trailerLineLengthMax = 1024;
const emptyHash = sha256("");

/**
 * The bytes of an `aws-chunked` body (S3 API reference, "Signature calculations … transferring payload in multiple chunks").
 * Pieces come as they arrive; what was passed on before a check failed must not be kept. Throws InvalidChunkSizeError,
 * SignatureDoesNotMatch, IncompleteBody, MalformedTrailerError.
 */
export async function* decodeChunks(bytes: AsyncIterable<Uint8Array>, body: ChunkedBody): AsyncGenerator<Uint8Array> {
  const lines = new ByteLines(bytes);
  try {
    yield* decode(lines, body);
  } finally {
    await lines.close();
  }
}

async function* decode(lines: ByteLines, body: ChunkedBody): AsyncGenerator<Uint8Array> {
  let before = body.seal?.seed ?? "";
  let total = 0;
  for (;;) {
    const { length, signature } = headOf(await lines.line(headLengthMax), body.seal !== undefined);
    total += length;
    if (total > body.size) throw new S3Error("IncompleteBody", "More bytes came than were announced.");
    const hash = body.seal ? createHash("sha256") : undefined;
    for await (const piece of lines.take(length)) {
      hash?.update(piece);
      yield piece;
    }
    if (body.seal && hash) before = checkChunk(body.seal, { before, hash: hash.digest("hex"), signature });
    if (length === 0) break;
    await lines.end();
  }
  await readTrailer(lines, body, before);
  if (total !== body.size) throw new S3Error("IncompleteBody");
}

/** `<hex size>` or `<hex size>;chunk-signature=<64 hex digits>`. */
function headOf(line: string, signed: boolean): { readonly length: number; readonly signature: string } {
  const [, hex = "", , signature = ""] = /^([0-9a-fA-F]{1,12})(;chunk-signature=([0-9a-f]{64}))?$/.exec(line) ?? [];
  if (hex === "") throw new S3Error("InvalidChunkSizeError");
  if (signed !== (signature !== "")) throw new S3Error("SignatureDoesNotMatch");
  return { length: Number.parseInt(hex, 16), signature };
}

function checkChunk(
  { signingKey, timestamp, scope }: ChunkSeal,
  { before, hash, signature }: { readonly before: string; readonly hash: string; readonly signature: string },
): string {
  const text = `AWS4-HMAC-SHA256-PAYLOAD\n${timestamp}\n${scope}\n${before}\n${emptyHash}\n${hash}`;
  const computed = hmac(signingKey, text).toString("hex");
  if (!sameSignature(computed, signature)) throw new S3Error("SignatureDoesNotMatch");
  return computed;
}

/** Lines of `name:value` up to an empty one; then nothing. Without a trailer only the empty line. */
async function readTrailer(
  lines: ByteLines,
  { trailers, seal, onTrailer }: ChunkedBody,
  before: string,
): Promise<void> {
  const found = new Map<string, string>();
  let signature: string | undefined;
  for (
    let line = await lines.lastLine(trailerLineLengthMax);
    line !== "";
    line = await lines.lastLine(trailerLineLengthMax)
  ) {
    const cut = line.indexOf(":");
    const name = line.slice(0, cut).toLowerCase();
    const value = line.slice(cut + 1).trim();
    if (cut < 1 || found.has(name)) throw new S3Error("MalformedTrailerError");
    if (name === "x-amz-trailer-signature" && seal && signature === undefined) signature = value;
    else if (trailers.includes(name)) found.set(name, value);
    else throw new S3Error("MalformedTrailerError");
  }
  if (!(await lines.ended())) throw new S3Error("IncompleteBody", "Bytes came behind the end of the body.");
  if (found.size !== trailers.length) throw new S3Error("MalformedTrailerError");
  if (seal && trailers.length > 0) checkTrailer(seal, { before, found, signature });
  for (const [name, value] of found) onTrailer(name, value);
}

function checkTrailer(
  { signingKey, timestamp, scope }: ChunkSeal,
  { before, found, signature }: { before: string; found: ReadonlyMap<string, string>; signature: string | undefined },
): void {
  const names = [...found].sort(([a], [b]) => (a < b ? -1 : 1));
  const hash = sha256(names.map(([name, value]) => `${name}:${value}\n`).join(""));
  const computed = hmac(signingKey, `AWS4-HMAC-SHA256-TRAILER\n${timestamp}\n${scope}\n${before}\n${hash}`).toString(
    "hex",
  );
  if (signature === undefined || !sameSignature(computed, signature)) throw new S3Error("SignatureDoesNotMatch");
}
