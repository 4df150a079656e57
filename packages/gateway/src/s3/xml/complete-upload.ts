import { type ChecksumAlgorithm, checksumAlgorithms, checksumInfo } from "../checksum/checksum-algorithm.ts";
import { parseChecksum } from "../checksum/checksum-value.ts";
import { S3Error } from "../s3-error.ts";
import { type Checksums, type ChecksumType, checksumElements } from "./checksum-elements.ts";
import { type ElementReader, readDocument } from "./element-reader.ts";
import { bareEtag, quotedEtag } from "./etag.ts";
import { xmlRoot } from "./xml-document.ts";
import { type XmlLimits, xmlLimits } from "./xml-parser.ts";
import { leaf } from "./xml-text.ts";

/** A part as CompleteMultipartUpload names it; `etag` is bare. */
export interface CompletedPart {
  readonly partNumber: number;
  readonly etag: string;
  readonly checksums: Checksums;
}

/** Part numbers are 1 to this. */
export const partNumberMax = 10_000;

/** 10,000 parts, each with number, ETag and the five checksums. */
export const completeUploadLimits: XmlLimits = { ...xmlLimits, bytesMax: 5 * 1024 * 1024, elementsMax: 80_001 };

/**
 * Reads a `CompleteMultipartUpload`. Throws MalformedXML, also for no part and for more than 10,000; InvalidArgument for
 * a number out of range, InvalidPartOrder for numbers that do not ascend, InvalidRequest for a malformed checksum.
 */
export function readCompleteUpload(body: Uint8Array): readonly CompletedPart[] {
  const parts = readDocument(
    body,
    "CompleteMultipartUpload",
    (fields) => fields.children("Part", readPart, { min: 1, max: partNumberMax }),
    { limits: completeUploadLimits },
  );
  let previous = 0;
  for (const { partNumber } of parts) {
    if (partNumber <= previous) throw new S3Error("InvalidPartOrder");
    previous = partNumber;
  }
  return parts;
}

function readPart(fields: ElementReader): CompletedPart {
  const partNumber = fields.integer("PartNumber");
  if (partNumber < 1 || partNumber > partNumberMax) {
    throw new S3Error("InvalidArgument", `Part number must be an integer between 1 and ${partNumberMax}, inclusive.`);
  }
  const etag = bareEtag(fields.text("ETag"));
  if (etag === "") throw fields.malformed("<ETag> must not be empty");
  const checksums: Partial<Record<ChecksumAlgorithm, string>> = {};
  for (const algorithm of checksumAlgorithms) {
    const text = fields.textMaybe(checksumInfo[algorithm].element);
    if (text === undefined) continue;
    parseChecksum(algorithm, text);
    checksums[algorithm] = text;
  }
  return { partNumber, etag, checksums };
}

/** What CompleteMultipartUpload made; `etag` is bare. */
export interface CompletedUpload {
  readonly location: string;
  readonly bucket: string;
  readonly key: string;
  readonly etag: string;
  readonly checksums?: Checksums;
  readonly checksumType?: ChecksumType;
}

/** The answer of CompleteMultipartUpload, without the declaration: that may have been sent long before. */
export function writeCompletedUpload(it: CompletedUpload): string {
  return xmlRoot(
    "CompleteMultipartUploadResult",
    leaf("Location", it.location) +
      leaf("Bucket", it.bucket) +
      leaf("Key", it.key) +
      leaf("ETag", quotedEtag(it.etag)) +
      checksumElements(it.checksums, it.checksumType),
  );
}
