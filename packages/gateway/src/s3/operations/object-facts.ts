import type { OpenFile } from "@cairn/drive";
import { objectTag } from "@cairn/protocol";
import { httpDate } from "../object-headers.ts";
import { type BucketCall, header, type ObjectCall } from "../s3-call.ts";
import { S3Error } from "../s3-error.ts";
import { emptyReply, type S3Reply, xmlReply } from "../s3-reply.ts";
import { writeObjectAttributes } from "../xml/object-attributes.ts";
import { readTagging, type Tag, writeTagging } from "../xml/tagging.ts";
import { openVersion, versionHeader, versionOfQuery } from "./object-version.ts";
import { checkedDocument } from "./request-document.ts";

const documentBytesMax = 64 * 1024;
const tagsDocument = "s3.tags";

/** GetObjectAttributes. */
export async function getObjectAttributes(call: ObjectCall): Promise<S3Reply> {
  const wanted = new Set((header(call, "x-amz-object-attributes") ?? "").split(",").map((name) => name.trim()));
  const known = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"];
  if ([...wanted].some((name) => !known.includes(name))) {
    throw new S3Error("InvalidArgument", "Invalid attribute name specified.", {
      ArgumentName: "x-amz-object-attributes",
    });
  }
  const { entry, attributes, unversioned } = await openObject(call);
  const checksum = attributes?.checksum;
  const tag = objectTag({ ...entry, ...(attributes ? { tag: attributes.tag } : {}) });
  return xmlReply(
    writeObjectAttributes({
      ...(wanted.has("ETag") ? { etag: tag } : {}),
      ...(wanted.has("Checksum") && checksum
        ? { checksums: { [checksum.algorithm]: checksum.value }, checksumType: checksum.type }
        : {}),
      ...(wanted.has("ObjectParts") && attributes?.parts ? { parts: { count: attributes.parts.length } } : {}),
      ...(wanted.has("StorageClass") ? { storageClass: "STANDARD" } : {}),
      ...(wanted.has("ObjectSize") ? { size: entry.size } : {}),
    }),
    { "last-modified": httpDate(entry.modifiedAt), ...versionHeader(call.bucket, entry.version, unversioned) },
  );
}

/** GetObjectTagging. */
export async function getObjectTagging(call: ObjectCall): Promise<S3Reply> {
  const { entry, attributes, unversioned } = await openObject(call);
  const tags = Object.entries(attributes?.tags ?? {}).map(([key, value]) => ({ key, value }));
  return xmlReply(writeTagging(tags), versionHeader(call.bucket, entry.version, unversioned));
}

/** PutObjectTagging. */
export async function putObjectTagging(call: ObjectCall): Promise<S3Reply> {
  const tags = readTagging(await checkedDocument(call, documentBytesMax), "object");
  return await setTags(call, tags, 200);
}

/** DeleteObjectTagging. */
export async function deleteObjectTagging(call: ObjectCall): Promise<S3Reply> {
  return await setTags(call, [], 204);
}

/** GetBucketTagging. */
export async function getBucketTagging({ bucket, options }: BucketCall): Promise<S3Reply> {
  const kept = await options.metadata.bucketDocument(bucket.drive, tagsDocument);
  if (kept === undefined) throw new S3Error("NoSuchTagSet", undefined, { BucketName: bucket.name });
  return xmlReply(writeTagging(JSON.parse(kept) as Tag[]));
}

/** PutBucketTagging. */
export async function putBucketTagging(call: BucketCall): Promise<S3Reply> {
  const { bucket, options } = call;
  const tags = readTagging(await checkedDocument(call, documentBytesMax), "bucket");
  await options.metadata.setBucketDocument(bucket.drive, tagsDocument, JSON.stringify(tags));
  return emptyReply(204);
}

/** DeleteBucketTagging. */
export async function deleteBucketTagging({ bucket, options }: BucketCall): Promise<S3Reply> {
  await options.metadata.setBucketDocument(bucket.drive, tagsDocument, null);
  return emptyReply(204);
}

/** What the bucket is asked for and does not have, told by the code of the S3 API. */
export function absent(code: ConstructorParameters<typeof S3Error>[0]) {
  return async ({ bucket }: BucketCall): Promise<S3Reply> => {
    throw new S3Error(code, undefined, { BucketName: bucket.name });
  };
}

function openObject(call: ObjectCall): Promise<OpenFile> {
  return openVersion(call, versionOfQuery(call));
}

async function setTags(call: ObjectCall, tags: readonly Tag[], status: 200 | 204): Promise<S3Reply> {
  const { entry, unversioned } = await openObject(call);
  const named = Object.fromEntries(tags.map(({ key, value }) => [key, value]));
  await call.options.metadata.setObjectTags(call.bucket.drive, call.key, named, entry.version);
  return emptyReply(status, versionHeader(call.bucket, entry.version, unversioned));
}
