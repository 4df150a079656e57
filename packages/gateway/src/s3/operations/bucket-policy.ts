import { policyDocument } from "../caller-rights.ts";
import { publicAccessBlockDocument } from "../configuration/public-access.ts";
import { isPublic } from "../policy/bucket-policy.ts";
import { policyBytesMax, readPolicy } from "../policy/policy-reader.ts";
import { parsedPolicy } from "../policy/stored-policy.ts";
import type { BucketCall } from "../s3-call.ts";
import { S3Error } from "../s3-error.ts";
import { emptyReply, type S3Reply, xmlReply } from "../s3-reply.ts";
import { xmlDocument } from "../xml/xml-document.ts";
import { leaf } from "../xml/xml-text.ts";
import { checkedDocument } from "./request-document.ts";

/** PutBucketPolicy. Throws MalformedPolicy; AccessDenied for a public one where those are blocked. */
export async function putBucketPolicy(call: BucketCall): Promise<S3Reply> {
  const { bucket, documents } = call;
  const text = textOf(await checkedDocument(call, policyBytesMax));
  const policy = readPolicy(text, bucket.name);
  const block = await documents.read(bucket, publicAccessBlockDocument);
  if (block?.blockPublicPolicy && isPublic(policy))
    throw new S3Error("AccessDenied", "Public policies are blocked in this bucket.");
  await documents.keep(bucket, policyDocument, { text });
  return emptyReply(204);
}

/** GetBucketPolicy: as it was put. */
export async function getBucketPolicy(call: BucketCall): Promise<S3Reply> {
  const { text } = await policyOf(call);
  return { status: 200, headers: { "content-type": "application/json" }, body: text };
}

/** DeleteBucketPolicy. */
export async function deleteBucketPolicy({ bucket, documents }: BucketCall): Promise<S3Reply> {
  await documents.keep(bucket, policyDocument, undefined);
  return emptyReply(204);
}

/** GetBucketPolicyStatus. */
export async function getBucketPolicyStatus(call: BucketCall): Promise<S3Reply> {
  const policy = parsedPolicy(await policyOf(call), call.bucket.name);
  return xmlReply(xmlDocument("PolicyStatus", leaf("IsPublic", isPublic(policy))));
}

async function policyOf({ bucket, documents }: BucketCall): Promise<{ readonly text: string }> {
  const kept = await documents.read(bucket, policyDocument);
  if (!kept) throw new S3Error("NoSuchBucketPolicy", undefined, { BucketName: bucket.name });
  return kept;
}

function textOf(body: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(body);
  } catch {
    throw new S3Error("MalformedPolicy", "Policies must be UTF-8");
  }
}
