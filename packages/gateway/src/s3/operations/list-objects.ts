import { fromBase64Url, fromUtf8, type ObjectPage, toBase64Url, utf8 } from "@cairn/protocol";
import { type BucketCall, queryNumber } from "../s3-call.ts";
import { S3Error } from "../s3-error.ts";
import { type S3Reply, xmlReply } from "../s3-reply.ts";
import type { ListScope } from "../xml/list-page.ts";
import { writeObjectListV1, writeObjectListV2 } from "../xml/object-list.ts";
import { ownerOf } from "./account-operations.ts";

const keysMax = 1000;

/** ListObjects. */
export async function listObjectsV1(call: BucketCall): Promise<S3Reply> {
  const scope = scopeOf(call);
  const marker = call.request.query.get("marker") ?? "";
  const page = await pageOf(call, scope, marker);
  const next = page.next !== undefined && scope.delimiter !== undefined ? { nextMarker: page.next } : {};
  return xmlReply(writeObjectListV1({ scope, marker, ...shown(call, page, true), ...next }));
}

/** ListObjectsV2. A token names the key behind which the next page begins. */
export async function listObjectsV2(call: BucketCall): Promise<S3Reply> {
  const { query } = call.request;
  const scope = scopeOf(call);
  const token = query.get("continuation-token");
  const startAfter = query.get("start-after");
  const page = await pageOf(call, scope, token === undefined ? (startAfter ?? "") : keyOfToken(token));
  return xmlReply(
    writeObjectListV2({
      scope,
      ...shown(call, page, query.get("fetch-owner") === "true"),
      ...(startAfter === undefined ? {} : { startAfter }),
      ...(token === undefined ? {} : { continuationToken: token }),
      ...(page.next === undefined ? {} : { nextContinuationToken: tokenOfKey(page.next) }),
    }),
  );
}

async function pageOf({ bucket, options }: BucketCall, scope: ListScope, after: string): Promise<ObjectPage> {
  if (scope.max === 0) return { objects: [], prefixes: [], next: undefined };
  const { prefix, delimiter = "", max: size } = scope;
  return await options.metadata.listObjects(bucket.drive, { prefix, delimiter, after, size });
}

/** What the query says of a list. Throws InvalidArgument. */
export function scopeOf(call: BucketCall, maxName = "max-keys"): ListScope {
  const { query } = call.request;
  const encoding = query.get("encoding-type");
  if (encoding !== undefined && encoding !== "" && encoding !== "url") {
    throw new S3Error("InvalidArgument", "Invalid Encoding Method specified in Request", {
      ArgumentName: "encoding-type",
      ArgumentValue: encoding.slice(0, 100),
    });
  }
  const delimiter = query.get("delimiter") || undefined;
  return {
    bucket: call.bucket.name,
    prefix: query.get("prefix") ?? "",
    ...(delimiter === undefined ? {} : { delimiter }),
    max: queryNumber(call, maxName, { min: 0, max: keysMax, absent: keysMax }),
    urlEncoded: encoding === "url",
  };
}

function shown(
  call: BucketCall,
  { objects, prefixes, next }: ObjectPage,
  withOwner: boolean,
): Pick<Parameters<typeof writeObjectListV2>[0], "objects" | "commonPrefixes" | "truncated"> {
  const owner = withOwner ? { owner: ownerOf(call) } : {};
  return {
    objects: objects.map(({ key, modifiedAt, tag, size }) => ({
      ...{ key, lastModifiedMs: modifiedAt, etag: tag, size },
      ...owner,
    })),
    commonPrefixes: prefixes,
    truncated: next !== undefined,
  };
}

/** Opaque to clients, and the key itself: what is added or removed at it does not matter. */
function tokenOfKey(key: string): string {
  return toBase64Url(utf8(`1${key}`));
}

function keyOfToken(token: string): string {
  try {
    const text = fromUtf8(fromBase64Url(token));
    if (text.startsWith("1")) return text.slice(1);
  } catch {
    // Falls through to the refusal.
  }
  throw new S3Error("InvalidArgument", "The continuation token provided is incorrect", {
    ArgumentName: "continuation-token",
  });
}
