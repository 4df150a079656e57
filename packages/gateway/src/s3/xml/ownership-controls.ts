import { readDocument } from "./element-reader.ts";
import { xmlDocument } from "./xml-document.ts";
import { smallDocumentLimits } from "./xml-parser.ts";
import { leaf, nest } from "./xml-text.ts";

/** Who owns what others write into a bucket. */
export type ObjectOwnership = "BucketOwnerEnforced" | "BucketOwnerPreferred" | "ObjectWriter";

/** All of them, as requests spell them. */
export const ownerships: readonly ObjectOwnership[] = ["BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"];

/** Reads `OwnershipControls`, which have one rule. Throws MalformedXML. */
export function readOwnershipControls(body: Uint8Array): ObjectOwnership {
  return readDocument(
    body,
    "OwnershipControls",
    (fields) => fields.child("Rule", (rule) => rule.oneOf("ObjectOwnership", ownerships)),
    { limits: smallDocumentLimits },
  );
}

/** An `OwnershipControls` document. */
export function writeOwnershipControls(ownership: ObjectOwnership): string {
  return xmlDocument("OwnershipControls", nest("Rule", leaf("ObjectOwnership", ownership)));
}
