import { type ElementReader, readDocument } from "./element-reader.ts";
import { xmlDocument } from "./xml-document.ts";
import { smallDocumentLimits } from "./xml-parser.ts";
import { leaf, nest } from "./xml-text.ts";

/** Algorithms a bucket may name for its objects. */
export type EncryptionAlgorithm = "AES256" | "aws:kms" | "aws:kms:dsse";

/** The encryption a bucket asks for. */
export interface BucketEncryption {
  readonly algorithm: EncryptionAlgorithm;
  readonly keyId?: string;
  readonly bucketKeyEnabled?: boolean;
}

const algorithms: readonly EncryptionAlgorithm[] = ["AES256", "aws:kms", "aws:kms:dsse"];

/** Reads a `ServerSideEncryptionConfiguration`, which has one rule. Throws MalformedXML. */
export function readBucketEncryption(body: Uint8Array): BucketEncryption {
  return readDocument(body, "ServerSideEncryptionConfiguration", (fields) => fields.child("Rule", readRule), {
    limits: smallDocumentLimits,
  });
}

/** A `ServerSideEncryptionConfiguration`. */
export function writeBucketEncryption({ algorithm, keyId, bucketKeyEnabled }: BucketEncryption): string {
  const byDefault = leaf("SSEAlgorithm", algorithm) + leaf("KMSMasterKeyID", keyId);
  return xmlDocument(
    "ServerSideEncryptionConfiguration",
    nest("Rule", nest("ApplyServerSideEncryptionByDefault", byDefault) + leaf("BucketKeyEnabled", bucketKeyEnabled)),
  );
}

function readRule(fields: ElementReader): BucketEncryption {
  const byDefault = fields.child("ApplyServerSideEncryptionByDefault", (it) => ({
    algorithm: it.oneOf("SSEAlgorithm", algorithms),
    keyId: it.textMaybe("KMSMasterKeyID"),
  }));
  const bucketKeyEnabled = fields.booleanMaybe("BucketKeyEnabled");
  if (byDefault.algorithm === "AES256" && byDefault.keyId !== undefined) {
    throw fields.malformed("a <KMSMasterKeyID> goes with aws:kms only");
  }
  return {
    algorithm: byDefault.algorithm,
    ...(byDefault.keyId !== undefined && { keyId: byDefault.keyId }),
    ...(bucketKeyEnabled !== undefined && { bucketKeyEnabled }),
  };
}
