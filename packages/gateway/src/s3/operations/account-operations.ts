import { type CommitId, isKind, newId } from "@cairn/protocol";
import { cannedAclDocument, cannedHeader } from "../access-control.ts";
import { ownershipDocument } from "../configuration/public-access.ts";
import { reaches } from "../s3-access.ts";
import type { BucketCall, S3Call } from "../s3-call.ts";
import { S3Error } from "../s3-error.ts";
import { emptyReply, type S3Reply, xmlReply } from "../s3-reply.ts";
import { writeBucketList } from "../xml/bucket-list.ts";
import { readCreateBucketConfiguration, writeLocationConstraint } from "../xml/bucket-location.ts";
import { type ObjectOwnership, ownerships } from "../xml/ownership-controls.ts";
import { readVersioningConfiguration, writeVersioningConfiguration } from "../xml/versioning-configuration.ts";

import { lockDocument } from "./object-lock.ts";
import { checkedDocument } from "./request-document.ts";

const documentBytesMax = 64 * 1024;

export function newCommit({ options: { env } }: Pick<S3Call, "options">): CommitId {
  return newId("cm_", env.clock.now(), env.random.bytes(10));
}

/** ListBuckets: those that the key may use. */
export async function listBuckets(call: S3Call): Promise<S3Reply> {
  const { rights, request } = call;
  const accessKey = rights.requireAccount("read");
  const prefix = request.query.get("prefix") ?? "";
  const buckets = (await call.buckets.all()).filter(({ name }) => reaches(accessKey, name) && name.startsWith(prefix));
  return xmlReply(
    writeBucketList({
      owner: ownerOf(call),
      buckets: buckets.map(({ name, createdAt }) => ({ name, createdMs: createdAt })),
      ...(prefix === "" ? {} : { prefix }),
    } as Parameters<typeof writeBucketList>[0]),
  );
}

/** CreateBucket: a drive that keeps nothing of what is overwritten or removed, until versioning is enabled. */
export async function createBucket(call: S3Call, name: string): Promise<S3Reply> {
  const { options } = call;
  const locks = call.request.headers["x-amz-bucket-object-lock-enabled"]?.toLowerCase() === "true";
  const owned = ownershipOf(call.request.headers["x-amz-object-ownership"]);
  const acl = cannedHeader(call);
  if (acl === "public-read" && owned === "BucketOwnerEnforced")
    throw new S3Error("InvalidBucketAclWithObjectOwnership");
  const body = await checkedDocument(call, documentBytesMax);
  const wanted = body.length === 0 ? undefined : readCreateBucketConfiguration(body).locationConstraint;
  if (wanted !== undefined && wanted !== "" && wanted !== options.region) {
    throw new S3Error("IllegalLocationConstraintException", `This server is in ${options.region}.`);
  }
  try {
    const bucket = await options.metadata.createBucket(newCommit(call), {
      name,
      versioning: locks ? "enabled" : "off",
    });
    if (locks) await call.documents.keep(bucket, lockDocument, {});
    if (owned) await call.documents.keep(bucket, ownershipDocument, owned);
    if (acl === "public-read") await call.documents.keep(bucket, cannedAclDocument, acl);
  } catch (error) {
    if (isKind(error, "conflict")) throw new S3Error("BucketAlreadyOwnedByYou", undefined, { BucketName: name });
    if (isKind(error, "invalid")) throw new S3Error("InvalidBucketName", undefined, { BucketName: name.slice(0, 100) });
    if (isKind(error, "too-large")) throw new S3Error("InvalidRequest", "There are too many buckets.");
    throw error;
  } finally {
    call.buckets.forget();
  }
  return emptyReply(200, { location: `/${name}` });
}

function ownershipOf(text: string | undefined): ObjectOwnership | undefined {
  if (!text) return undefined;
  const ownership = ownerships.find((it) => it === text);
  if (!ownership) throw new S3Error("InvalidArgument", undefined, { ArgumentName: "x-amz-object-ownership" });
  return ownership;
}

/** DeleteBucket. */
export async function deleteBucket(call: BucketCall): Promise<S3Reply> {
  try {
    await call.options.metadata.removeBucket(newCommit(call), call.bucket.drive);
  } catch (error) {
    if (isKind(error, "conflict")) throw new S3Error("BucketNotEmpty", undefined, { BucketName: call.bucket.name });
    throw error;
  } finally {
    call.buckets.forget();
  }
  return emptyReply(204);
}

/** HeadBucket. */
export async function headBucket({ options: { region } }: BucketCall): Promise<S3Reply> {
  return emptyReply(200, { "x-amz-bucket-region": region });
}

/** GetBucketLocation: empty for us-east-1. */
export async function getBucketLocation({ options: { region } }: BucketCall): Promise<S3Reply> {
  return xmlReply(writeLocationConstraint(region));
}

/** GetBucketVersioning. */
export async function getBucketVersioning({ bucket }: BucketCall): Promise<S3Reply> {
  const status = { off: undefined, enabled: "Enabled", suspended: "Suspended" } as const;
  return xmlReply(writeVersioningConfiguration(status[bucket.versioning]));
}

/** PutBucketVersioning. */
export async function putBucketVersioning(call: BucketCall): Promise<S3Reply> {
  const status = readVersioningConfiguration(await checkedDocument(call, documentBytesMax));
  const versioning = status === "Enabled" ? "enabled" : "suspended";
  await call.options.metadata.setVersioning(call.bucket.drive, versioning).catch((error: unknown) => {
    if (!isKind(error, "conflict")) throw error;
    throw new S3Error("InvalidBucketState", "A bucket with object lock keeps all versions.");
  });
  call.buckets.forget();
  return emptyReply(200);
}

/** Whoever owns everything: access keys are rights and no accounts. */
export function ownerOf(_call: S3Call): { readonly id: string; readonly displayName: string } {
  return { id: "cairn", displayName: "cairn" };
}
