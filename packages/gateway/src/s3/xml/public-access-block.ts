import { readDocument } from "./element-reader.ts";
import { xmlDocument } from "./xml-document.ts";
import { smallDocumentLimits } from "./xml-parser.ts";
import { leaf } from "./xml-text.ts";

/** What a bucket refuses whatever its policy and lists say. */
export interface PublicAccessBlock {
  readonly blockPublicAcls: boolean;
  readonly ignorePublicAcls: boolean;
  readonly blockPublicPolicy: boolean;
  readonly restrictPublicBuckets: boolean;
}

/** Reads a `PublicAccessBlockConfiguration`; what is absent is false. Throws MalformedXML. */
export function readPublicAccessBlock(body: Uint8Array): PublicAccessBlock {
  return readDocument(
    body,
    "PublicAccessBlockConfiguration",
    (fields) => ({
      blockPublicAcls: fields.booleanMaybe("BlockPublicAcls") ?? false,
      ignorePublicAcls: fields.booleanMaybe("IgnorePublicAcls") ?? false,
      blockPublicPolicy: fields.booleanMaybe("BlockPublicPolicy") ?? false,
      restrictPublicBuckets: fields.booleanMaybe("RestrictPublicBuckets") ?? false,
    }),
    { limits: smallDocumentLimits },
  );
}

/** A `PublicAccessBlockConfiguration`. */
export function writePublicAccessBlock(block: PublicAccessBlock): string {
  return xmlDocument(
    "PublicAccessBlockConfiguration",
    leaf("BlockPublicAcls", block.blockPublicAcls) +
      leaf("IgnorePublicAcls", block.ignorePublicAcls) +
      leaf("BlockPublicPolicy", block.blockPublicPolicy) +
      leaf("RestrictPublicBuckets", block.restrictPublicBuckets),
  );
}
