import { S3Error } from "../s3-error.ts";
import { type ChecksumAlgorithm, checksumInfo } from "./checksum-algorithm.ts";

const md5Bytes = 16;

/** The bytes of a checksum in base64. Throws InvalidRequest unless they are exactly as many as the algorithm makes. */
export function parseChecksum(algorithm: ChecksumAlgorithm, text: string): Uint8Array {
  const { bytes, header } = checksumInfo[algorithm];
  const value = strictBase64(text, bytes);
  if (value === undefined) throw new S3Error("InvalidRequest", `Value for ${header} header is invalid.`);
  return value;
}

/** The bytes of a Content-MD5 header. Throws InvalidDigest. */
export function parseContentMd5(text: string): Uint8Array {
  const value = strictBase64(text, md5Bytes);
  if (value === undefined) throw new S3Error("InvalidDigest", "The Content-MD5 you specified was invalid.");
  return value;
}

/** A digest as headers and documents carry it. */
export function formatChecksum(digest: Uint8Array): string {
  return Buffer.from(digest.buffer, digest.byteOffset, digest.length).toString("base64");
}

/** Throws BadDigest unless the bytes that came have the checksum that was sent. */
export function requireSame(what: ChecksumAlgorithm | "Content-MD5", sent: Uint8Array, computed: Uint8Array): void {
  if (Buffer.compare(sent, computed) === 0) return;
  const message =
    what === "Content-MD5"
      ? "The Content-MD5 you specified did not match what we received."
      : `The ${what} you specified did not match the calculated checksum.`;
  throw new S3Error("BadDigest", message);
}

/** Node skips what is not base64, so the text must be what the bytes would be written as. */
function strictBase64(text: string, bytes: number): Uint8Array | undefined {
  if (text.length !== Math.ceil(bytes / 3) * 4) return undefined;
  const value = Buffer.from(text, "base64");
  return value.length === bytes && value.toString("base64") === text ? new Uint8Array(value) : undefined;
}
