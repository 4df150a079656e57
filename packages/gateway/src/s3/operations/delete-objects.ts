import { isKind, type ObjectRemoval, type Outcome, type RemovedObject, succeeded } from "@cairn/protocol";
import { requireChecksum } from "../checksum/checksum-request.ts";
import { refusalOf } from "../refusal.ts";
import { type BucketCall, header, type ObjectCall } from "../s3-call.ts";
import { S3Error } from "../s3-error.ts";
import { emptyReply, type S3Reply, xmlReply } from "../s3-reply.ts";
import { type DeleteTarget, readDeleteRequest } from "../xml/delete-request.ts";
import { type DeletedObject, type DeleteFailure, writeDeleteResult } from "../xml/delete-result.ts";
import { bareEtag } from "../xml/etag.ts";
import { newCommit } from "./account-operations.ts";
import { asksBypass } from "./object-lock.ts";
import { type NamedVersion, namedVersion, versionOfQuery } from "./object-version.ts";
import { checkedDocument } from "./request-document.ts";

const documentBytesMax = 2 * 1024 * 1024;

/** DeleteObject. What is not there is deleted already. */
export async function deleteObject(call: ObjectCall): Promise<S3Reply> {
  const version = versionOfQuery(call);
  const match = header(call, "if-match");
  const ifTag = match === undefined ? undefined : bareEtag(match.trim());
  const [outcome] = await remove(call, [{ key: call.key, ifTag, version, bypassGovernance: asksBypass(call) }]);
  if (outcome?.ok) {
    const { marker, trashed } = outcome.value;
    const named = trashed ? marker : version;
    return emptyReply(204, {
      ...(marker === undefined ? {} : { "x-amz-delete-marker": "true" }),
      ...(named === undefined ? {} : { "x-amz-version-id": named }),
    });
  }
  if (outcome && isKind(outcome.error, "precondition-failed")) {
    if (outcome.error.details["missing"] === true) throw new S3Error("NoSuchKey", undefined, { Key: call.key });
    throw new S3Error("PreconditionFailed", undefined, { Condition: "If-Match" });
  }
  throw outcome?.error ?? new S3Error("InternalError");
}

/** DeleteObjects: up to a thousand, each with its own outcome. */
export async function deleteObjects(call: BucketCall): Promise<S3Reply> {
  requireChecksum(call.request.headers);
  const { quiet, objects } = readDeleteRequest(await checkedDocument(call, documentBytesMax));
  const deleted: DeletedObject[] = [];
  const failures: DeleteFailure[] = [];
  const named: { readonly target: DeleteTarget; readonly version: NamedVersion | "none" | undefined }[] = [];
  for (const target of objects) {
    const version = versionOfTarget(target);
    if (await mayDelete(call, target)) named.push({ target, version });
    else failures.push(failureOf(target, new S3Error("AccessDenied")));
  }
  const possible = named.filter(({ version }) => version !== "none");
  const outcomes = (
    await remove(
      call,
      possible.map(({ target: { key, etag }, version }) => ({
        ...{ key, ifTag: etag, bypassGovernance: asksBypass(call) },
        ...(version === undefined || version === "none" ? {} : { version }),
      })),
    )
  ).values();
  for (const { target, version } of named) {
    // An id that cannot be one names nothing: that is deleted already.
    const outcome = version === "none" ? nothing : outcomes.next().value;
    if (outcome?.ok) deleted.push(deletedOf(target, outcome.value));
    else failures.push(failureOf(target, refusalOf(outcome?.error)));
  }
  return xmlReply(writeDeleteResult(quiet ? [] : deleted, failures));
}

async function mayDelete({ rights, bucket, request }: BucketCall, { key, versionId }: DeleteTarget): Promise<boolean> {
  const action = versionId === undefined ? "s3:DeleteObject" : "s3:DeleteObjectVersion";
  const actions = [action, ...(asksBypass({ request }) ? ["s3:BypassGovernanceRetention"] : [])];
  for (const wanted of actions) {
    if (!(await rights.grantOf(bucket, { right: "write", action: wanted, key }))) return false;
  }
  return true;
}

const nothing = succeeded<RemovedObject>({ removed: false, trashed: false });

function versionOfTarget({ versionId }: DeleteTarget): NamedVersion | "none" | undefined {
  try {
    return namedVersion(versionId);
  } catch {
    return "none";
  }
}

function deletedOf({ key, versionId }: DeleteTarget, { marker }: RemovedObject): DeletedObject {
  return {
    ...{ key, ...(versionId === undefined ? {} : { versionId }) },
    ...(marker === undefined ? {} : { deleteMarker: true, deleteMarkerVersionId: marker }),
  };
}

function remove(call: BucketCall, objects: readonly ObjectRemoval[]): Promise<readonly Outcome<RemovedObject>[]> {
  return call.options.metadata.removeObjects(newCommit(call), call.bucket.drive, objects);
}

/** Conditions other than on the ETag are refused where they are read. */
function failureOf({ key, versionId }: DeleteTarget, { code, message }: S3Error): DeleteFailure {
  return { key, ...(versionId === undefined ? {} : { versionId }), code, message };
}
