import { type Checksums, type ChecksumType, checksumElements } from "./checksum-elements.ts";
import { xmlDocument } from "./xml-document.ts";
import { leaf, nest } from "./xml-text.ts";

/** A part of an object in its attributes; `size` in bytes. */
export interface AttributesPart {
  readonly partNumber: number;
  readonly size: number;
  readonly checksums?: Checksums;
}

/** The parts of an object that came in parts. `page` only for one with checksums, as S3 does it. */
export interface AttributesParts {
  readonly count: number;
  readonly page?: {
    readonly partNumberMarker: number;
    readonly nextPartNumberMarker: number;
    readonly max: number;
    readonly truncated: boolean;
    readonly parts: readonly AttributesPart[];
  };
}

/** What GetObjectAttributes was asked for; `etag` is bare, `size` in bytes. */
export interface ObjectAttributes {
  readonly etag?: string;
  readonly checksums?: Checksums;
  readonly checksumType?: ChecksumType;
  readonly parts?: AttributesParts;
  readonly storageClass?: string;
  readonly size?: number;
}

/** The answer of GetObjectAttributes. The ETag has no quotes in this one document. */
export function writeObjectAttributes(it: ObjectAttributes): string {
  return xmlDocument(
    "GetObjectAttributesOutput",
    leaf("ETag", it.etag) +
      (it.checksums === undefined ? "" : nest("Checksum", checksumElements(it.checksums, it.checksumType))) +
      (it.parts === undefined ? "" : nest("ObjectParts", partsContent(it.parts))) +
      leaf("StorageClass", it.storageClass) +
      leaf("ObjectSize", it.size),
  );
}

function partsContent({ count, page }: AttributesParts): string {
  const total = leaf("PartsCount", count);
  if (page === undefined) return total;
  const part = ({ partNumber, size, checksums }: AttributesPart) =>
    nest("Part", leaf("PartNumber", partNumber) + leaf("Size", size) + checksumElements(checksums, undefined));
  return (
    total +
    leaf("PartNumberMarker", page.partNumberMarker) +
    leaf("NextPartNumberMarker", page.nextPartNumberMarker) +
    leaf("MaxParts", page.max) +
    leaf("IsTruncated", page.truncated) +
    page.parts.map(part).join("")
  );
}
