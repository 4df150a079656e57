import { S3Error } from "../s3-error.ts";

/** Checksums of the S3 API, by the names of `x-amz-checksum-algorithm`. */
export const checksumAlgorithms = ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"] as const;

export type ChecksumAlgorithm = (typeof checksumAlgorithms)[number];

/**
 * How each is called in headers (and trailers) and documents, how many bytes it has, and of which types one over several
 * parts may be ("Checking object integrity", S3 user guide).
 */
export interface ChecksumInfo {
  readonly header: string;
  readonly element: string;
  readonly bytes: number;
  readonly types: readonly ("FULL_OBJECT" | "COMPOSITE")[];
}

const either = ["COMPOSITE", "FULL_OBJECT"] as const;

export const checksumInfo: Readonly<Record<ChecksumAlgorithm, ChecksumInfo>> = {
  CRC32: { header: "x-amz-checksum-crc32", element: "ChecksumCRC32", bytes: 4, types: either },
  CRC32C: { header: "x-amz-checksum-crc32c", element: "ChecksumCRC32C", bytes: 4, types: either },
  CRC64NVME: { header: "x-amz-checksum-crc64nvme", element: "ChecksumCRC64NVME", bytes: 8, types: ["FULL_OBJECT"] },
  SHA1: { header: "x-amz-checksum-sha1", element: "ChecksumSHA1", bytes: 20, types: ["COMPOSITE"] },
  SHA256: { header: "x-amz-checksum-sha256", element: "ChecksumSHA256", bytes: 32, types: ["COMPOSITE"] },
};

const byHeader = new Map(checksumAlgorithms.map((algorithm) => [checksumInfo[algorithm].header, algorithm]));

/** The algorithm whose checksum a header or trailer of this lower-case name carries. */
export function algorithmOfHeader(name: string): ChecksumAlgorithm | undefined {
  return byHeader.get(name);
}

/** The algorithm of this name, in any case, as clients send it. Throws InvalidRequest. */
export function algorithmByName(name: string): ChecksumAlgorithm {
  const upper = name.trim().toUpperCase();
  const algorithm = checksumAlgorithms.find((it) => it === upper);
  if (algorithm !== undefined) return algorithm;
  throw new S3Error(
    "InvalidRequest",
    `Checksum algorithm provided is unsupported. Please try again with any of the valid types: [${checksumAlgorithms.join(", ")}]`,
  );
}
