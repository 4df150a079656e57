import type { OpenFile } from "@cairn/drive";
import { type Bucket, type FoundVersion, isKind, type VersionId } from "@cairn/protocol";
import type { ObjectCall } from "../s3-call.ts";
import { S3Error } from "../s3-error.ts";

/** A version as clients name it: its id, or `null` for the one that was written while the bucket kept none. */
export type NamedVersion = VersionId | "null";

/** Absent or empty: none is named. Throws InvalidArgument. */
export function namedVersion(text: string | undefined): NamedVersion | undefined {
  if (text === undefined) return undefined;
  if (text === "null" || /^v_[0-9a-z]{26}$/.test(text)) return text as NamedVersion;
  throw new S3Error("InvalidArgument", "Invalid version id specified", {
    ArgumentName: "versionId",
    ArgumentValue: text.slice(0, 100),
  });
}

/** The version that the query names. Throws InvalidArgument. */
export function versionOfQuery(call: ObjectCall): NamedVersion | undefined {
  return namedVersion(call.request.query.get("versionId"));
}

/** What a version is called to clients. */
export function versionName(version: VersionId, unversioned: boolean): NamedVersion {
  return unversioned ? "null" : version;
}

/** The version header of an object in a bucket that keeps versions, or did. */
export function versionHeader(
  { versioning }: Bucket,
  version: VersionId | undefined,
  unversioned: boolean = versioning === "suspended",
): Record<string, string> {
  if (versioning === "off" || version === undefined) return {};
  return { "x-amz-version-id": versionName(version, unversioned) };
}

/** Opens an object, or one of its versions. Throws NoSuchKey, NoSuchVersion, MethodNotAllowed for a delete marker. */
export async function openVersion(
  call: ObjectCall,
  named: NamedVersion | undefined,
  range: { readonly offset?: number; readonly length?: number } = {},
): Promise<OpenFile> {
  const { bucket, key, options, signal } = call;
  const version = named === "null" ? (await found(call, named))?.version : named;
  if (named === "null" && version === undefined) throw noSuchVersion(key, named);
  try {
    const file = await options.reader.open({ drive: bucket.drive, key }, { version, signal, ...range });
    if (call.grant === "public" && file.attributes?.acl !== "public-read") throw new S3Error("AccessDenied");
    return file;
  } catch (error) {
    if (!isKind(error, "not-found")) throw error;
    throw await absence(call, named);
  }
}

/** What is not there, told with what S3 tells of a delete marker. */
async function absence(call: ObjectCall, named: NamedVersion | undefined): Promise<S3Error> {
  const { bucket, key } = call;
  const there = bucket.versioning === "off" ? undefined : await found(call, named);
  const headers = there?.marker ? { "x-amz-delete-marker": "true", "x-amz-version-id": there.version } : {};
  if (named === undefined) return new S3Error("NoSuchKey", undefined, { Key: key }, { headers });
  if (!there?.marker) return noSuchVersion(key, named);
  return new S3Error("MethodNotAllowed", "The version is a delete marker.", { Key: key }, { headers });
}

function found(
  { bucket, key, options }: ObjectCall,
  named: NamedVersion | undefined,
): Promise<FoundVersion | undefined> {
  return options.metadata.findObjectVersion(bucket.drive, key, named);
}

function noSuchVersion(key: string, version: string): S3Error {
  return new S3Error("NoSuchVersion", undefined, { Key: key, VersionId: version });
}
