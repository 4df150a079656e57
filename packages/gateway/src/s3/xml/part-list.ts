import type { ChecksumAlgorithm } from "../checksum/checksum-algorithm.ts";
import { type Owner, writeOwner } from "./access-control-policy.ts";
import { type Checksums, type ChecksumType, checksumElements } from "./checksum-elements.ts";
import { quotedEtag } from "./etag.ts";
import { xmlDocument } from "./xml-document.ts";
import { leaf, nest, xmlTime } from "./xml-text.ts";

/** A part that was uploaded; `etag` is bare, `size` in bytes. */
export interface ListedPart {
  readonly partNumber: number;
  readonly lastModifiedMs: number;
  readonly etag: string;
  readonly size: number;
  readonly checksums?: Checksums;
}

/** A page of the parts of an upload. */
export interface PartList {
  readonly bucket: string;
  readonly key: string;
  readonly uploadId: string;
  readonly initiator: Owner;
  readonly owner: Owner;
  readonly checksumAlgorithm?: ChecksumAlgorithm;
  readonly checksumType?: ChecksumType;
  readonly parts: readonly ListedPart[];
  readonly partNumberMarker: number;
  readonly nextPartNumberMarker: number;
  readonly max: number;
  readonly truncated: boolean;
}

/** The answer of ListParts. */
export function writePartList(list: PartList): string {
  return xmlDocument(
    "ListPartsResult",
    leaf("Bucket", list.bucket) +
      leaf("Key", list.key) +
      leaf("UploadId", list.uploadId) +
      nest("Initiator", writeOwner(list.initiator)) +
      nest("Owner", writeOwner(list.owner)) +
      leaf("StorageClass", "STANDARD") +
      leaf("ChecksumAlgorithm", list.checksumAlgorithm) +
      leaf("ChecksumType", list.checksumType) +
      leaf("PartNumberMarker", list.partNumberMarker) +
      leaf("NextPartNumberMarker", list.nextPartNumberMarker) +
      leaf("MaxParts", list.max) +
      leaf("IsTruncated", list.truncated) +
      list.parts.map(partElement).join(""),
  );
}

function partElement(it: ListedPart): string {
  return nest(
    "Part",
    leaf("PartNumber", it.partNumber) +
      leaf("LastModified", xmlTime(it.lastModifiedMs)) +
      leaf("ETag", quotedEtag(it.etag)) +
      leaf("Size", it.size) +
      checksumElements(it.checksums, undefined),
  );
}
