import { isKind, type ObjectAttributes, type ObjectChecksum } from "@cairn/protocol";
import { aclOfNewObject } from "../access-control.ts";
import { checksumInfo } from "../checksum/checksum-algorithm.ts";
import { requireChecksum } from "../checksum/checksum-request.ts";
import { ObjectBody } from "../object-body.ts";
import { describedObject } from "../object-headers.ts";
import { header, type ObjectCall } from "../s3-call.ts";
import { S3Error } from "../s3-error.ts";
import { emptyReply, type S3Reply } from "../s3-reply.ts";
import { bareEtag } from "../xml/etag.ts";
import { readTaggingHeader } from "../xml/tagging.ts";
import { newCommit } from "./account-operations.ts";
import { lockOfNewObject } from "./object-lock.ts";
import { versionHeader } from "./object-version.ts";

/** As S3: one PUT takes 5 GiB. */
export const objectBytesMax: number = 5 * 2 ** 30;

/** PutObject; `cause` for those who are told of it. */
export async function putObject(call: ObjectCall, cause?: "post"): Promise<S3Reply> {
  const { bucket, key, options, signal } = call;
  refuseWhatIsNotThere(call);
  const described = describedObject(call.request);
  const tags = taggingHeader(call);
  const ifTag = writeCondition(call);
  const acl = await aclOfNewObject(call);
  const lock = await lockOfNewObject(call);
  if (lock.lock) requireChecksum(call.request.headers);
  const body = new ObjectBody(call);
  if ((body.size ?? 0) > objectBytesMax)
    throw new S3Error("EntityTooLarge", undefined, { MaxSizeAllowed: `${objectBytesMax}` });
  let attributes: ObjectAttributes | undefined;
  const finish = async (): Promise<ObjectAttributes> => {
    const { md5, checksum } = await body.sums();
    const kept: ObjectChecksum | undefined = checksum && { ...checksum, type: "FULL_OBJECT" };
    attributes = {
      tag: md5,
      headers: described.headers,
      metadata: described.metadata,
      checksum: kept,
      tags,
      ...acl,
      ...lock,
    };
    return attributes;
  };
  const target = {
    ...{ drive: bucket.drive, parent: bucket.root, name: key, key, onConflict: "version" as const },
    ...{ contentType: described.contentType, ifTag, cause },
  };
  const stream = { stream: body.stream(), ...(body.size === undefined ? {} : { size: body.size }) };
  const { entry } = await options.writer
    .write(target, stream, { signal, commit: newCommit(call), attributes: finish })
    .catch((error: unknown) => {
      throw conditionError(call, error);
    });
  return emptyReply(200, {
    etag: `"${attributes?.tag ?? ""}"`,
    ...checksumHeaders(attributes?.checksum),
    ...versionHeader(bucket, entry.version),
    ...(await call.expirations.header(bucket, { ...entry, key, tags })),
  });
}

/** If-None-Match: * and If-Match as a commit understands them. Throws NotImplemented for others. */
export function writeCondition(call: ObjectCall): string | null | undefined {
  const none = header(call, "if-none-match");
  const match = header(call, "if-match");
  if (none !== undefined && match !== undefined) throw new S3Error("NotImplemented", "One condition at a time.");
  if (none !== undefined) {
    if (none.trim() !== "*") throw new S3Error("NotImplemented", "If-None-Match takes * only.");
    return null;
  }
  return match === undefined ? undefined : bareEtag(match.trim());
}

/** What a condition that does not hold is to the client. */
export function conditionError(call: ObjectCall, error: unknown): unknown {
  if (!isKind(error, "precondition-failed")) return error;
  if (error.details["missing"] === true) return new S3Error("NoSuchKey", undefined, { Key: call.key });
  return new S3Error("PreconditionFailed", undefined, {
    Condition: header(call, "if-none-match") === undefined ? "If-Match" : "If-None-Match",
  });
}

export function checksumHeaders(checksum: ObjectChecksum | undefined): Record<string, string> {
  if (!checksum) return {};
  const info = checksumInfo[checksum.algorithm as keyof typeof checksumInfo];
  return { [info.header]: checksum.value, "x-amz-checksum-type": checksum.type };
}

export function taggingHeader(call: ObjectCall): Readonly<Record<string, string>> | undefined {
  const text = header(call, "x-amz-tagging");
  return text === undefined
    ? undefined
    : Object.fromEntries(readTaggingHeader(text).map(({ key, value }) => [key, value]));
}

/** Headers that ask for more than there is: nobody is to believe that an object is encrypted. */
export function refuseWhatIsNotThere(call: ObjectCall): void {
  const { headers } = call.request;
  for (const name of Object.keys(headers)) {
    const isEncryption = name.startsWith("x-amz-server-side-encryption");
    if (isEncryption) throw new S3Error("NotImplemented", `The header ${name} asks for what is not there.`);
  }
  const storageClass = headers["x-amz-storage-class"];
  if (storageClass !== undefined && storageClass !== "STANDARD") {
    throw new S3Error("InvalidRequest", "The only storage class is STANDARD.");
  }
}
