import type { Bucket } from "@cairn/protocol";
import type { BucketDocument, BucketDocuments } from "./bucket-documents.ts";
import { ownershipDocument, publicAccessBlockDocument } from "./configuration/public-access.ts";
import { type BucketCall, header } from "./s3-call.ts";
import { S3Error } from "./s3-error.ts";
import type { CannedAcl } from "./xml/access-control-policy.ts";

/** The list of a bucket; none: private. */
export const cannedAclDocument: BucketDocument<CannedAcl> = { name: "s3.acl" };

/** Canned lists of S3 by what they are here, where everything has one owner; undefined: nothing that is there. */
const canned: Readonly<Record<string, CannedAcl | undefined>> = {
  private: "private",
  "bucket-owner-full-control": "private",
  "bucket-owner-read": "private",
  "public-read": "public-read",
  "public-read-write": undefined,
  "authenticated-read": undefined,
  "aws-exec-read": undefined,
  "log-delivery-write": undefined,
};

/** What x-amz-acl asks for; undefined when it is not there. Throws InvalidArgument, NotImplemented. */
export function cannedHeader(call: Pick<BucketCall, "request">): CannedAcl | undefined {
  const grants = Object.keys(call.request.headers).find((name) => name.startsWith("x-amz-grant-"));
  if (grants !== undefined) throw new S3Error("NotImplemented", `The header ${grants} asks for what is not there.`);
  const text = header(call, "x-amz-acl");
  if (text === undefined) return undefined;
  if (!Object.hasOwn(canned, text)) throw new S3Error("InvalidArgument", undefined, { ArgumentName: "x-amz-acl" });
  const acl = canned[text];
  if (!acl) throw new S3Error("NotImplemented", `The ACL ${text} is not there.`);
  return acl;
}

/** What the attributes of an object say of its list. Throws as `checkAcl` and `cannedHeader` do. */
export async function aclOfNewObject(call: BucketCall): Promise<{ readonly acl?: "public-read" }> {
  const acl = cannedHeader(call);
  if (acl !== "public-read") return {};
  await checkAcl(call, acl);
  return { acl };
}

/** Throws AccessControlListNotSupported where lists do not count, AccessDenied where public ones are blocked. */
export async function checkAcl({ bucket, documents }: BucketCall, acl: CannedAcl): Promise<void> {
  if (acl === "private") return;
  if (!(await listsCount(documents, bucket))) throw new S3Error("AccessControlListNotSupported");
  const block = await documents.read(bucket, publicAccessBlockDocument);
  if (block?.blockPublicAcls) throw new S3Error("AccessDenied", "Public lists are blocked in this bucket.");
}

/** False where everything is the owner's whatever a list says. */
export async function listsCount(documents: BucketDocuments, bucket: Bucket): Promise<boolean> {
  return (await documents.read(bucket, ownershipDocument)) !== "BucketOwnerEnforced";
}
