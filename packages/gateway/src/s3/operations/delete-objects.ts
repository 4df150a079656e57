import { isKind, type ObjectRemoval, type Outcome, type RemovedObject } from "@cairn/protocol";
import { requireChecksum } from "../checksum/checksum-request.ts";
import { refusalOf } from "../refusal.ts";
import { type BucketCall, header, type ObjectCall } from "../s3-call.ts";
import { S3Error } from "../s3-error.ts";
import { emptyReply, type S3Reply, xmlReply } from "../s3-reply.ts";
import { type DeleteTarget, readDeleteRequest } from "../xml/delete-request.ts";
import { type DeletedObject, type DeleteFailure, writeDeleteResult } from "../xml/delete-result.ts";
import { bareEtag } from "../xml/etag.ts";
import { newCommit } from "./account-operations.ts";
import { checkedDocument } from "./request-document.ts";

const documentBytesMax = 2 * 1024 * 1024;

/** DeleteObject. What is not there is deleted already. */
export async function deleteObject(call: ObjectCall): Promise<S3Reply> {
  refuseVersion(call.request.query.get("versionId"));
  const match = header(call, "if-match");
  const ifTag = match === undefined ? undefined : bareEtag(match.trim());
  const [outcome] = await remove(call, [{ key: call.key, ifTag }]);
  if (outcome?.ok) return emptyReply(204, outcome.value.trashed ? { "x-amz-delete-marker": "true" } : {});
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
  const refused: DeleteFailure[] = [];
  const plain: DeleteTarget[] = [];
  for (const object of objects) {
    if (object.versionId !== undefined) continue;
    const wanted = { right: "write", action: "s3:DeleteObject", key: object.key } as const;
    if (await call.rights.grantOf(call.bucket, wanted)) plain.push(object);
    else refused.push(failureOf(object.key, new S3Error("AccessDenied")));
  }
  const outcomes = await remove(call, plain.map(removalOf));
  const deleted: DeletedObject[] = [];
  const failures: DeleteFailure[] = objects
    .filter(({ versionId }) => versionId !== undefined)
    .map(({ key, versionId }) => failureOf(key, versionNotThere(), versionId))
    .concat(refused);
  for (const [index, { key }] of plain.entries()) {
    const outcome = outcomes[index];
    if (outcome?.ok) deleted.push({ key, ...(outcome.value.trashed ? { deleteMarker: true } : {}) });
    else failures.push(failureOf(key, refusalOf(outcome?.error)));
  }
  return xmlReply(writeDeleteResult(quiet ? [] : deleted, failures));
}

function remove(call: BucketCall, objects: readonly ObjectRemoval[]): Promise<readonly Outcome<RemovedObject>[]> {
  return call.options.metadata.removeObjects(newCommit(call), call.bucket.drive, objects);
}

/** Conditions other than on the ETag are refused where they are read. */
function removalOf({ key, etag }: DeleteTarget): ObjectRemoval {
  return { key, ifTag: etag };
}

function failureOf(key: string, { code, message }: S3Error, versionId?: string): DeleteFailure {
  return { key, ...(versionId === undefined ? {} : { versionId }), code, message };
}

function refuseVersion(version: string | undefined): void {
  if (version !== undefined) throw versionNotThere();
}

function versionNotThere(): S3Error {
  return new S3Error("NotImplemented", "Single versions cannot be deleted yet.");
}
