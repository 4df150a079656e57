import { type ChecksumAlgorithm, checksumAlgorithms, checksumInfo } from "../checksum/checksum-algorithm.ts";
import { leaf } from "./xml-text.ts";

/** Checksums in base64, by algorithm; a composite one ends in `-N`. */
export type Checksums = Readonly<Partial<Record<ChecksumAlgorithm, string>>>;

/** Whether a checksum is over the object's bytes or over the checksums of its parts. */
export type ChecksumType = "FULL_OBJECT" | "COMPOSITE";

/** The elements by which an answer tells checksums. */
export function checksumElements(checksums: Checksums | undefined, type: ChecksumType | undefined): string {
  if (checksums === undefined) return "";
  let elements = "";
  for (const algorithm of checksumAlgorithms) elements += leaf(checksumInfo[algorithm].element, checksums[algorithm]);
  return elements + leaf("ChecksumType", type);
}
