import { createHash } from "node:crypto";
import type { ChecksumAlgorithm } from "./checksum-algorithm.ts";
import { formatChecksum } from "./checksum-value.ts";
import { inlineChecksum } from "./streaming-checksum.ts";

/** The checksum over the checksums of the parts, as `base64-N`. */
export function compositeChecksum(algorithm: ChecksumAlgorithm, parts: readonly Uint8Array[]): string {
  const checksum = inlineChecksum(algorithm);
  for (const part of parts) checksum.update(part);
  return `${formatChecksum(checksum.digestNow())}-${parts.length}`;
}

/** The ETag of an object that came in parts, bare: the MD5 over the MD5s of the parts, as `hex-N`. */
export function multipartEtag(partMd5s: readonly Uint8Array[]): string {
  const hash = createHash("md5");
  for (const md5 of partMd5s) hash.update(md5);
  return `${hash.digest("hex")}-${partMd5s.length}`;
}
