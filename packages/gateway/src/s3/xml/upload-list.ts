import type { ChecksumAlgorithm } from "../checksum/checksum-algorithm.ts";
import { type Owner, writeOwner } from "./access-control-policy.ts";
import type { ChecksumType } from "./checksum-elements.ts";
import { commonPrefixes, encodingType, type KeyText, keyLeaf, keyTextOf, type ListScope } from "./list-page.ts";
import { xmlDocument } from "./xml-document.ts";
import { leaf, nest, xmlTime } from "./xml-text.ts";

/** An upload that was begun. */
export interface ListedUpload {
  readonly key: string;
  readonly uploadId: string;
  readonly initiator: Owner;
  readonly owner: Owner;
  readonly initiatedMs: number;
  readonly checksumAlgorithm?: ChecksumAlgorithm;
  readonly checksumType?: ChecksumType;
}

/** A page of ListMultipartUploads. */
export interface UploadList {
  readonly scope: ListScope;
  readonly uploads: readonly ListedUpload[];
  readonly commonPrefixes: readonly string[];
  readonly truncated: boolean;
  readonly keyMarker: string;
  readonly uploadIdMarker: string;
  readonly nextKeyMarker?: string;
  readonly nextUploadIdMarker?: string;
}

/** The answer of ListMultipartUploads. */
export function writeUploadList(list: UploadList): string {
  const { scope } = list;
  const keyText = keyTextOf(scope);
  return xmlDocument(
    "ListMultipartUploadsResult",
    leaf("Bucket", scope.bucket) +
      keyLeaf("KeyMarker", list.keyMarker, keyText) +
      leaf("UploadIdMarker", list.uploadIdMarker) +
      keyLeaf("NextKeyMarker", list.nextKeyMarker, keyText) +
      leaf("NextUploadIdMarker", list.nextUploadIdMarker) +
      keyLeaf("Prefix", scope.prefix, keyText) +
      keyLeaf("Delimiter", scope.delimiter, keyText) +
      encodingType(scope) +
      leaf("MaxUploads", scope.max) +
      leaf("IsTruncated", list.truncated) +
      list.uploads.map((upload) => uploadElement(upload, keyText)).join("") +
      commonPrefixes(list.commonPrefixes, keyText),
  );
}

function uploadElement(it: ListedUpload, keyText: KeyText): string {
  return nest(
    "Upload",
    keyLeaf("Key", it.key, keyText) +
      leaf("UploadId", it.uploadId) +
      nest("Initiator", writeOwner(it.initiator)) +
      nest("Owner", writeOwner(it.owner)) +
      leaf("StorageClass", "STANDARD") +
      leaf("Initiated", xmlTime(it.initiatedMs)) +
      leaf("ChecksumAlgorithm", it.checksumAlgorithm) +
      leaf("ChecksumType", it.checksumType),
  );
}
