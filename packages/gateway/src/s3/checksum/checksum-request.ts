import { S3Error } from "../s3-error.ts";
import { algorithmByName, algorithmOfHeader, type ChecksumAlgorithm } from "./checksum-algorithm.ts";
import { parseChecksum, parseContentMd5 } from "./checksum-value.ts";

/** Headers of a request, names in lower case, as node:http gives them. */
export type RequestHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

/** The checksum of a body: `value` was sent as a header, or `inTrailer` says that it comes after the body. */
export interface RequestedChecksum {
  readonly algorithm: ChecksumAlgorithm;
  readonly value?: Uint8Array;
  readonly inTrailer: boolean;
}

/** Says what an `x-amz-checksum-` header may be that is not a checksum. */
const otherChecksumHeaders = new Set(["x-amz-checksum-algorithm", "x-amz-checksum-type", "x-amz-checksum-mode"]);
const prefix = "x-amz-checksum-";

/**
 * Reads `x-amz-checksum-*`, `x-amz-trailer` and `x-amz-sdk-checksum-algorithm`. Throws InvalidRequest for two checksums,
 * for an unknown or malformed one, and for an algorithm without one; BadDigest for one of another algorithm than named
 * (both as "PutObject" of the API reference has it).
 */
export function requestedChecksum(headers: RequestHeaders): RequestedChecksum | undefined {
  const sent = sentChecksum(headers);
  const inTrailer = trailerAlgorithm(headers);
  if (sent !== undefined && inTrailer !== undefined) throw twoChecksums();
  const found = sent ?? (inTrailer === undefined ? undefined : { algorithm: inTrailer, inTrailer: true });
  const named = single(headers, "x-amz-sdk-checksum-algorithm");
  if (named === undefined) return found;
  const algorithm = algorithmByName(named);
  if (found === undefined) {
    throw new S3Error(
      "InvalidRequest",
      "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.",
    );
  }
  if (algorithm !== found.algorithm) {
    throw new S3Error("BadDigest", `The checksum is not the ${algorithm} that x-amz-sdk-checksum-algorithm names.`);
  }
  return found;
}

/** The Content-MD5 of a request. Throws InvalidDigest. */
export function contentMd5(headers: RequestHeaders): Uint8Array | undefined {
  const text = single(headers, "content-md5");
  return text === undefined ? undefined : parseContentMd5(text);
}

/** DeleteObjects and the locks of objects are taken only with a checksum of either kind. Throws InvalidRequest. */
export function requireChecksum(headers: RequestHeaders): void {
  if (headers["content-md5"] !== undefined || requestedChecksum(headers) !== undefined) return;
  throw new S3Error("InvalidRequest", "Missing required header for this request: Content-MD5 OR x-amz-checksum-*");
}

function sentChecksum(headers: RequestHeaders): RequestedChecksum | undefined {
  let found: RequestedChecksum | undefined;
  for (const name in headers) {
    if (!name.startsWith(prefix) || otherChecksumHeaders.has(name)) continue;
    const text = single(headers, name);
    if (text === undefined) continue;
    const algorithm = algorithmOfHeader(name);
    if (algorithm === undefined) throw new S3Error("InvalidRequest", `The checksum ${name.slice(0, 64)} is not known.`);
    if (found !== undefined) throw twoChecksums();
    found = { algorithm, value: parseChecksum(algorithm, text), inTrailer: false };
  }
  return found;
}

function trailerAlgorithm(headers: RequestHeaders): ChecksumAlgorithm | undefined {
  const text = single(headers, "x-amz-trailer");
  if (text === undefined) return undefined;
  const names = text.split(",").map((name) => name.trim().toLowerCase());
  if (names.length > 1) throw twoChecksums();
  const algorithm = algorithmOfHeader(names[0] ?? "");
  if (algorithm === undefined) {
    throw new S3Error("InvalidRequest", "The value specified in the x-amz-trailer header is not supported");
  }
  return algorithm;
}

function single(headers: RequestHeaders, name: string): string | undefined {
  const value = headers[name];
  if (value === undefined || typeof value === "string") return value;
  if (value.length > 1) throw twoChecksums();
  return value[0];
}

function twoChecksums(): S3Error {
  return new S3Error(
    "InvalidRequest",
    "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
  );
}
