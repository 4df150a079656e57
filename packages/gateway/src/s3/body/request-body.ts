import { createHash } from "node:crypto";
import type { ServerResponse } from "node:http";
import type { Clock } from "@cairn/env";
import { pacedBody } from "../../http/body-pace.ts";
import { RequestRefusal } from "../../http/request-refusal.ts";
import type { PayloadMode } from "../auth/payload-mode.ts";
import { contentMd5 } from "../checksum/checksum-request.ts";
import { requireSame } from "../checksum/checksum-value.ts";
import type { S3Body } from "../s3-call.ts";
import { S3Error } from "../s3-error.ts";
import type { S3Request } from "../s3-request.ts";
import { type ChunkSeal, decodeChunks } from "./aws-chunked.ts";

interface RequestBodyParts {
  readonly request: S3Request;
  readonly response: ServerResponse;
  readonly mode: PayloadMode;
  /** What chunk signatures begin with; undefined for a mode without them. */
  readonly seal: ChunkSeal | undefined;
  readonly clock: Clock;
}

/** The body of a request that was let in, without its framing, checked against what was signed. */
export class RequestBody implements S3Body {
  readonly size: number | undefined;
  readonly trailers: Map<string, string> = new Map();
  readonly #parts: RequestBodyParts;

  /** Throws MissingContentLength, InvalidArgument. */
  constructor(parts: RequestBodyParts) {
    this.#parts = parts;
    const { mode, request } = parts;
    const framed = mode.kind === "signed-chunks" || mode.kind === "unsigned-chunks";
    const text = request.headers[framed ? "x-amz-decoded-content-length" : "content-length"];
    const isBodyless = request.method === "GET" || request.method === "HEAD" || request.method === "DELETE";
    if (text === undefined && framed && !isBodyless) throw new S3Error("MissingContentLength");
    if (text !== undefined && !/^\d{1,15}$/.test(text)) {
      throw new S3Error("InvalidArgument", "The length of the body is not a number.", {
        ArgumentValue: text.slice(0, 40),
      });
    }
    this.size = text === undefined ? undefined : Number(text);
  }

  async *stream(): AsyncGenerator<Uint8Array> {
    const { request, mode, seal } = this.#parts;
    const raw = this.#raw();
    switch (mode.kind) {
      case "unsigned":
        yield* raw;
        return;
      case "sha256":
        yield* hashed(raw, mode.hex);
        return;
      default: {
        const declared = request.headers["x-amz-trailer"];
        const trailer = mode.kind === "unsigned-chunks" || mode.trailer;
        yield* decodeChunks(raw, {
          size: this.size ?? 0,
          seal: mode.kind === "signed-chunks" ? seal : undefined,
          trailers:
            trailer && declared !== undefined ? declared.split(",").map((name) => name.trim().toLowerCase()) : [],
          onTrailer: (name, value) => this.trailers.set(name, value),
        });
      }
    }
  }

  async whole(bytesMax: number): Promise<Uint8Array> {
    if ((this.size ?? 0) > bytesMax) throw new S3Error("MaxMessageLengthExceeded");
    const pieces: Uint8Array[] = [];
    let bytes = 0;
    for await (const piece of this.stream()) {
      bytes += piece.length;
      if (bytes > bytesMax) throw new S3Error("MaxMessageLengthExceeded");
      pieces.push(Uint8Array.from(piece));
    }
    const whole = Buffer.concat(pieces);
    const sent = contentMd5(this.#parts.request.headers);
    if (sent) requireSame("Content-MD5", sent, createHash("md5").update(whole).digest());
    return whole;
  }

  /** A client that waits to be asked for the body is asked now. */
  async *#raw(): AsyncGenerator<Uint8Array> {
    const { request, response, clock } = this.#parts;
    if (request.headers["expect"]?.toLowerCase() === "100-continue" && !response.headersSent) response.writeContinue();
    try {
      yield* pacedBody(request.raw, clock);
    } catch (cause) {
      const tooSlow = cause instanceof RequestRefusal && cause.code === "request_timeout";
      throw new S3Error(tooSlow ? "RequestTimeout" : "IncompleteBody", undefined, {}, { cause });
    }
  }
}

/** Hashes whole pieces as they come. */
async function* hashed(bytes: AsyncIterable<Uint8Array>, hex: string): AsyncGenerator<Uint8Array> {
  const hash = createHash("sha256");
  for await (const piece of bytes) {
    hash.update(piece);
    yield piece;
  }
  const computed = hash.digest("hex");
  if (computed === hex) return;
  throw new S3Error("XAmzContentSHA256Mismatch", undefined, {
    ...{ ClientComputedContentSHA256: hex, S3ComputedContentSHA256: computed },
  });
}
