import type { Bucket } from "@cairn/protocol";
import type { BucketDocuments } from "./bucket-documents.ts";
import type { Buckets } from "./buckets.ts";
import type { CallerRights, Grant } from "./caller-rights.ts";
import type { DigestPool } from "./checksum/digest-pool.ts";
import type { Expirations } from "./configuration/lifecycle.ts";
import { S3Error } from "./s3-error.ts";
import type { S3Options } from "./s3-options.ts";
import type { S3Request } from "./s3-request.ts";

/** The body of a request, decoded and checked against its signature as it comes. */
export interface S3Body {
  /** Bytes without any framing; undefined when the client did not say. */
  readonly size: number | undefined;
  /** Once. Throws S3Errors for what is not as it was signed. */
  stream(): AsyncIterable<Uint8Array>;
  /** A small document, checked against its Content-MD5. Throws MaxMessageLengthExceeded, BadDigest, InvalidDigest. */
  whole(bytesMax: number): Promise<Uint8Array>;
  /** Values of the trailer, names in lower case; known when the stream has ended. */
  readonly trailers: ReadonlyMap<string, string>;
}

/** One request that was let in. */
export interface S3Call {
  readonly request: S3Request;
  readonly options: S3Options;
  readonly rights: CallerRights;
  readonly body: S3Body;
  /** Aborts when the client goes away. */
  readonly signal: AbortSignal;
  readonly buckets: Buckets;
  readonly documents: BucketDocuments;
  readonly expirations: Expirations;
  readonly digests: DigestPool;
}

/** A call on a bucket that is there. */
export interface BucketCall extends S3Call {
  readonly bucket: Bucket;
  /** What is let in may depend on the object itself. */
  readonly grant: Grant;
}

/** A call on a key of a bucket that is there; the object may not be. */
export interface ObjectCall extends BucketCall {
  readonly key: string;
}

/** The value of a header; undefined when it is absent or empty. */
export function header({ request }: Pick<S3Call, "request">, name: string): string | undefined {
  return request.headers[name] || undefined;
}

/** A whole number of the query. Throws InvalidArgument. */
export function queryNumber(
  { request }: Pick<S3Call, "request">,
  name: string,
  { min, max, absent }: { readonly min: number; readonly max: number; readonly absent: number },
): number {
  const text = request.query.get(name);
  if (text === undefined || text === "") return absent;
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(value) || value < min || value > 2 ** 31 - 1) {
    throw new S3Error("InvalidArgument", `Argument ${name} must be an integer between ${min} and 2147483647.`, {
      ArgumentName: name,
      ArgumentValue: text.slice(0, 100),
    });
  }
  return Math.min(value, max);
}
