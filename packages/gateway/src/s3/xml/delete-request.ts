import { S3Error } from "../s3-error.ts";
import { type ElementReader, readDocument } from "./element-reader.ts";
import { bareEtag } from "./etag.ts";
import { xmlLimits } from "./xml-parser.ts";

/** One object of a DeleteObjects request; the conditions are absent or must hold. */
export interface DeleteTarget {
  readonly key: string;
  readonly versionId?: string;
  readonly etag?: string;
  readonly size?: number;
  readonly lastModifiedMs?: number;
}

/** The request of DeleteObjects. `quiet`: only failures are answered. */
export interface DeleteRequest {
  readonly quiet: boolean;
  readonly objects: readonly DeleteTarget[];
}

/** Objects in one request, as S3 limits them. */
export const deleteObjectsMax = 1000;

/** Reads a `Delete` document. Throws MalformedXML, with none and with more than 1,000 objects too. */
export function readDeleteRequest(body: Uint8Array): DeleteRequest {
  return readDocument(body, "Delete", readRequest, { limits: xmlLimits });
}

function readRequest(fields: ElementReader): DeleteRequest {
  return {
    quiet: fields.booleanMaybe("Quiet") ?? false,
    objects: fields.children("Object", readTarget, { min: 1, max: deleteObjectsMax }),
  };
}

function readTarget(fields: ElementReader): DeleteTarget {
  const key = fields.text("Key");
  if (key === "") throw fields.malformed("<Key> must not be empty");
  const versionId = fields.textMaybe("VersionId");
  const etag = fields.textMaybe("ETag");
  const size = fields.integerMaybe("Size");
  const lastModified = fields.textMaybe("LastModifiedTime");
  return {
    key,
    ...(versionId !== undefined && { versionId }),
    ...(etag !== undefined && { etag: bareEtag(etag) }),
    ...(size !== undefined && { size }),
    ...(lastModified !== undefined && { lastModifiedMs: timeOf(lastModified) }),
  };
}

/** SDKs write this one time as an HTTP date, some as ISO 8601. */
function timeOf(text: string): number {
  const timeMs = Date.parse(text);
  if (Number.isNaN(timeMs)) throw new S3Error("MalformedXML", "<LastModifiedTime> is not a time.");
  return timeMs;
}
