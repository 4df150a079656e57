import { S3Error } from "../s3-error.ts";
import { readDocument } from "./element-reader.ts";
import { checkTags, readTagElements, type Tag } from "./tagging.ts";
import { xmlDocument } from "./xml-document.ts";
import { smallDocumentLimits } from "./xml-parser.ts";
import { escapeXml } from "./xml-text.ts";

/** What a CreateBucket request asks for. */
export interface CreateBucketConfiguration {
  readonly locationConstraint?: string;
  readonly tags: readonly Tag[];
}

/** Reads a `CreateBucketConfiguration`; no body means none. Throws MalformedXML, InvalidTag, and NotImplemented for directory buckets. */
export function readCreateBucketConfiguration(body: Uint8Array): CreateBucketConfiguration {
  if (body.length === 0) return { tags: [] };
  return readDocument(
    body,
    "CreateBucketConfiguration",
    (fields) => {
      if (fields.has("Location") || fields.has("Bucket")) {
        throw new S3Error("NotImplemented", "Buckets are general purpose buckets here.");
      }
      const locationConstraint = fields.textMaybe("LocationConstraint");
      return {
        ...(locationConstraint !== undefined && locationConstraint !== "" && { locationConstraint }),
        tags: checkTags(fields.childMaybe("Tags", readTagElements) ?? [], "bucket"),
      };
    },
    { limits: smallDocumentLimits },
  );
}

/** The answer of GetBucketLocation; the region us-east-1 is the empty one. */
export function writeLocationConstraint(region: string): string {
  return xmlDocument("LocationConstraint", region === "us-east-1" ? "" : escapeXml(region));
}
