import type { ListedVersion, ObjectVersionPage } from "@cairn/protocol";
import type { BucketCall } from "../s3-call.ts";
import { S3Error } from "../s3-error.ts";
import { type S3Reply, xmlReply } from "../s3-reply.ts";
import type { ListScope } from "../xml/list-page.ts";
import { type ListedDeleteMarker, type ListedVersion as ShownVersion, writeVersionList } from "../xml/version-list.ts";
import { ownerOf } from "./account-operations.ts";
import { scopeOf } from "./list-objects.ts";
import { namedVersion, versionName } from "./object-version.ts";

/** ListObjectVersions. A bucket that never kept versions has one of each object, which is called `null`. */
export async function listObjectVersions(call: BucketCall): Promise<S3Reply> {
  const { query } = call.request;
  const scope = scopeOf(call);
  const keyMarker = query.get("key-marker") ?? "";
  const versionIdMarker = query.get("version-id-marker") ?? "";
  if (versionIdMarker !== "" && keyMarker === "") {
    throw new S3Error("InvalidArgument", "A version-id marker cannot be specified without a key marker.", {
      ArgumentName: "version-id-marker",
      ArgumentValue: versionIdMarker.slice(0, 100),
    });
  }
  const page = await pageOf(call, scope, { keyMarker, versionIdMarker });
  return xmlReply(
    writeVersionList({
      ...{ scope, keyMarker, versionIdMarker },
      versions: page.versions.map((version) => shown(call, version)),
      commonPrefixes: page.prefixes,
      truncated: page.next !== undefined,
      ...(page.next && {
        nextKeyMarker: page.next.after,
        ...(page.next.afterVersion === undefined ? {} : { nextVersionIdMarker: page.next.afterVersion }),
      }),
    }),
  );
}

async function pageOf(
  { bucket, options }: BucketCall,
  { prefix, delimiter = "", max }: ListScope,
  { keyMarker, versionIdMarker }: { readonly keyMarker: string; readonly versionIdMarker: string },
): Promise<ObjectVersionPage> {
  if (max === 0) return { versions: [], prefixes: [], next: undefined };
  const named = namedVersion(versionIdMarker === "" ? undefined : versionIdMarker);
  const found = named === "null" ? await options.metadata.findObjectVersion(bucket.drive, keyMarker, named) : undefined;
  const afterVersion = named === "null" ? found?.version : named;
  return await options.metadata.listObjectVersions(bucket.drive, {
    ...{ prefix, delimiter, after: keyMarker, size: max },
    ...(afterVersion === undefined ? {} : { afterVersion }),
  });
}

function shown(call: BucketCall, version: ListedVersion): ShownVersion | ListedDeleteMarker {
  const { key, modifiedAt, tag, size, latest, marker, unversioned } = version;
  const isUnversioned = call.bucket.versioning === "off" || unversioned;
  const common = { key, latest, lastModifiedMs: modifiedAt, owner: ownerOf(call) };
  if (marker) return { ...common, deleteMarker: true, versionId: version.version };
  const versionId = versionName(version.version, isUnversioned);
  return { ...common, deleteMarker: false, versionId, etag: tag, size };
}
