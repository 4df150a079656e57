import { cannedAclDocument, cannedHeader, checkAcl } from "../access-control.ts";
import type { BucketCall, ObjectCall } from "../s3-call.ts";
import { S3Error } from "../s3-error.ts";
import { emptyReply, type S3Reply, xmlReply } from "../s3-reply.ts";
import {
  type CannedAcl,
  cannedOf,
  grantsOfCanned,
  readAccessControlPolicy,
  writeAccessControlPolicy,
} from "../xml/access-control-policy.ts";
import { ownerOf } from "./account-operations.ts";
import { openVersion, versionOfQuery } from "./object-version.ts";
import { checkedDocument } from "./request-document.ts";

const documentBytesMax = 64 * 1024;

/** GetBucketAcl. */
export async function getBucketAcl(call: BucketCall): Promise<S3Reply> {
  return answer(call, (await call.documents.read(call.bucket, cannedAclDocument)) ?? "private");
}

/** PutBucketAcl. */
export async function putBucketAcl(call: BucketCall): Promise<S3Reply> {
  const acl = await wantedAcl(call);
  await call.documents.keep(call.bucket, cannedAclDocument, acl === "private" ? undefined : acl);
  return emptyReply(200);
}

/** GetObjectAcl. */
export async function getObjectAcl(call: ObjectCall): Promise<S3Reply> {
  const { attributes } = await openVersion(call, versionOfQuery(call));
  return answer(call, attributes?.acl ?? "private");
}

/** PutObjectAcl. */
export async function putObjectAcl(call: ObjectCall): Promise<S3Reply> {
  const acl = await wantedAcl(call);
  const { bucket, key } = call;
  const named = versionOfQuery(call);
  const version = named === undefined ? undefined : (await openVersion(call, named)).entry.version;
  await call.options.metadata.setObjectAcl(bucket.drive, key, acl === "private" ? null : acl, version);
  return emptyReply(200);
}

/** As a header or as a document that grants what a canned list does. */
async function wantedAcl(call: BucketCall): Promise<CannedAcl> {
  const named = cannedHeader(call);
  const body = await checkedDocument(call, documentBytesMax);
  if (named !== undefined && body.length > 0) throw new S3Error("UnexpectedContent");
  const acl = named ?? cannedOf(readAccessControlPolicy(body), ownerOf(call).id);
  if (!acl) throw new S3Error("NotImplemented", "A list is private or public-read.");
  await checkAcl(call, acl);
  return acl;
}

function answer(call: BucketCall, acl: CannedAcl): S3Reply {
  const owner = ownerOf(call);
  return xmlReply(writeAccessControlPolicy({ owner, grants: grantsOfCanned(acl, owner) }));
}
