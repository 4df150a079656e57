import { type Checksums, type ChecksumType, checksumElements } from "./checksum-elements.ts";
import { quotedEtag } from "./etag.ts";
import { xmlRoot } from "./xml-document.ts";
import { leaf, xmlTime } from "./xml-text.ts";

/** What a copy made; `etag` is bare. */
export interface CopyResult {
  readonly etag: string;
  readonly lastModifiedMs: number;
  readonly checksums?: Checksums;
  readonly checksumType?: ChecksumType;
}

/** The answer of CopyObject, without the declaration: that may have been sent long before. */
export function writeCopyObjectResult(result: CopyResult): string {
  return xmlRoot("CopyObjectResult", content(result));
}

/** The answer of UploadPartCopy, without the declaration. */
export function writeCopyPartResult(result: CopyResult): string {
  return xmlRoot("CopyPartResult", content(result));
}

function content({ etag, lastModifiedMs, checksums, checksumType }: CopyResult): string {
  return (
    leaf("LastModified", xmlTime(lastModifiedMs)) +
    leaf("ETag", quotedEtag(etag)) +
    checksumElements(checksums, checksumType)
  );
}
