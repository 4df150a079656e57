import { ChunkSigner, type Signer } from "./sign.ts";

/** How an `aws-chunked` body is put together; every part may be a wrong one. */
export interface ChunkedBodyOptions {
  /** Absent: unsigned chunks. */
  readonly signer?: Signer;
  readonly seed?: string;
  /** Absent: no trailer. `signature` in place of the right one. */
  readonly trailer?: { readonly lines: readonly string[]; readonly signature?: string };
  /** Last chunk of zero bytes. Absent: true. */
  readonly last?: boolean;
}

/** The framed bytes of a body in the given chunks (no empty ones). */
export function chunkedBody(chunks: readonly Uint8Array[], options: ChunkedBodyOptions = {}): Buffer {
  const { signer, seed = "", trailer, last = true } = options;
  const chain = signer ? new ChunkSigner(signer, seed) : undefined;
  const head = (chunk: Uint8Array): string => {
    const extension = chain ? `;chunk-signature=${chain.chunk(chunk)}` : "";
    return `${chunk.length.toString(16)}${extension}\r\n`;
  };
  const pieces: (Uint8Array | string)[] = [];
  for (const chunk of chunks) pieces.push(head(chunk), chunk, "\r\n");
  if (last) pieces.push(head(new Uint8Array(0)));
  for (const line of trailer?.lines ?? []) pieces.push(`${line}\r\n`);
  if (chain && trailer) {
    const signature = trailer.signature ?? chain.trailer(trailer.lines.map((line) => `${line.trim()}\n`).join(""));
    pieces.push(`x-amz-trailer-signature:${signature}\r\n`);
  }
  if (last) pieces.push("\r\n");
  return Buffer.concat(pieces.map((piece) => (typeof piece === "string" ? Buffer.from(piece, "latin1") : piece)));
}
