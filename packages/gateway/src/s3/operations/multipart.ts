import { createHash } from "node:crypto";
import {
  type CommitId,
  fromHex,
  isKind,
  type ObjectAttributes,
  type ObjectPart,
  type Upload,
  type UploadId,
} from "@cairn/protocol";
import { aclOfNewObject } from "../access-control.ts";
import { algorithmByName, type ChecksumAlgorithm, checksumInfo } from "../checksum/checksum-algorithm.ts";
import { formatChecksum, parseChecksum } from "../checksum/checksum-value.ts";
import { compositeChecksum, multipartEtag } from "../checksum/composite-checksum.ts";
import { combineCrcs } from "../checksum/crc-combine.ts";
import { ObjectBody } from "../object-body.ts";
import { describedObject } from "../object-headers.ts";
import { type PatientAnswer, patientReply } from "../patient-reply.ts";
import { type BucketCall, header, type ObjectCall, queryNumber } from "../s3-call.ts";
import { S3Error } from "../s3-error.ts";
import { emptyReply, type S3Reply, xmlReply } from "../s3-reply.ts";
import {
  type CompletedPart,
  completeUploadLimits,
  readCompleteUpload,
  writeCompletedUpload,
} from "../xml/complete-upload.ts";
import { writeCopyPartResult } from "../xml/copy-result.ts";
import { writePartList } from "../xml/part-list.ts";
import { writeBegunUpload } from "../xml/upload-begun.ts";
import { writeUploadList } from "../xml/upload-list.ts";
import { xmlDeclaration } from "../xml/xml-document.ts";
import { newCommit, ownerOf } from "./account-operations.ts";
import { CopySums, copySource, sourceOfCopy } from "./copy-object.ts";
import { scopeOf } from "./list-objects.ts";
import { lockOfNewObject } from "./object-lock.ts";
import { versionHeader } from "./object-version.ts";
import {
  checksumHeaders,
  conditionError,
  objectBytesMax,
  refuseWhatIsNotThere,
  taggingHeader,
  writeCondition,
} from "./put-object.ts";

const partBytesMin = 5 * 2 ** 20;
const partsMax = 10_000;
const pageMax = 1000;

type ChecksumType = "FULL_OBJECT" | "COMPOSITE";

/** CreateMultipartUpload. What it says of the object waits with the upload. */
export async function createUpload(call: ObjectCall): Promise<S3Reply> {
  const { bucket, key, options } = call;
  refuseWhatIsNotThere(call);
  const { contentType, headers, metadata } = describedObject(call.request);
  const checksum = wantedChecksum(call);
  const attributes = {
    tag: "",
    headers,
    metadata,
    tags: taggingHeader(call),
    checksum,
    ...(await aclOfNewObject(call)),
    ...(await lockOfNewObject(call)),
  };
  const target = {
    ...{ drive: bucket.drive, parent: bucket.root, name: key, key, onConflict: "version" as const },
    ...{ contentType, attributes },
  };
  const { id } = await options.metadata.createUpload(newCommit(call), target);
  return xmlReply(writeBegunUpload({ bucket: bucket.name, key, uploadId: id }), {
    ...(checksum ? { "x-amz-checksum-algorithm": checksum.algorithm, "x-amz-checksum-type": checksum.type } : {}),
  });
}

/** UploadPart. */
export async function uploadPart(call: ObjectCall): Promise<S3Reply> {
  const number = partNumberOf(call);
  const upload = await findUpload(call);
  const body = new ObjectBody(call, algorithmOf(upload));
  if ((body.size ?? 0) > objectBytesMax) throw new S3Error("EntityTooLarge");
  const stream = { stream: body.stream(), ...(body.size === undefined ? {} : { size: body.size }) };
  const finish = async () => {
    const { md5, checksum } = await body.sums();
    return { number, tag: md5, checksum: checksum && { ...checksum, type: "FULL_OBJECT" as const } };
  };
  const to = { drive: call.bucket.drive, upload: upload.id, number };
  const part = await call.options.writer.writePart(to, stream, { signal: call.signal, finish }).catch(uploadGone);
  return emptyReply(200, { etag: `"${part.tag}"`, ...valueHeader(part.checksum) });
}

/**
 * UploadPartCopy. The part refers to the chunks of its source, and is read and sent at the edges only, where the range cuts
 * chunks. Its ETag names the source's version and the range, and is no MD5. With a checksum all is read.
 */
export async function copyPart(call: ObjectCall): Promise<S3Reply> {
  const number = partNumberOf(call);
  const upload = await findUpload(call);
  const range = await copyRange(call);
  const { file } = await copySource(call, range);
  const algorithm = algorithmOf(upload);
  const sums = new CopySums(algorithm);
  const to = { drive: call.bucket.drive, upload: upload.id, number };
  const source = algorithm ? { stream: sums.over(file.bytes), size: file.length } : sourceOfCopy(file);
  const tag = createHash("md5")
    .update(JSON.stringify([file.entry.version, file.offset, file.length]))
    .digest("hex");
  const finish = async () => ({ number, ...(algorithm ? await sums.finish() : { tag }) });
  const part = await call.options.writer.writePart(to, source, { signal: call.signal, finish }).catch(uploadGone);
  const checksums = part.checksum ? { checksums: { [part.checksum.algorithm]: part.checksum.value } } : {};
  const result = { etag: part.tag, lastModifiedMs: call.options.env.clock.now(), ...checksums };
  return xmlReply(xmlDeclaration + writeCopyPartResult(result));
}

/** CompleteMultipartUpload. Completing again gets the first answer: the change is named by the upload. */
export async function completeUpload(call: ObjectCall): Promise<S3Reply> {
  const chosen = readCompleteUpload(await call.body.whole(completeUploadLimits.bytesMax));
  return await patientReply(call, complete(call, chosen));
}

async function complete(call: ObjectCall, chosen: readonly CompletedPart[]): Promise<PatientAnswer> {
  const { bucket, key, options, request } = call;
  const id = uploadIdOf(call);
  const commit = id.replace(/^up_/, "cm_") as CommitId;
  const found = await partsOf(call, id);
  const attributes = found ? wholeOf(found.upload, matched(chosen, found.parts), call) : { tag: "" };
  const parts = chosen.map(({ partNumber, etag }) => ({ number: partNumber, tag: etag }));
  const whole = { attributes, ifTag: writeCondition(call) };
  const { entry } = await options.metadata.completeObject(commit, id, parts, whole).catch((error: unknown) => {
    if (isKind(error, "conflict")) throw new S3Error("InvalidPart");
    if (isKind(error, "not-found")) throw new S3Error("NoSuchUpload", undefined, { UploadId: id });
    throw conditionError(call, error);
  });
  const { checksum } = attributes as ObjectAttributes;
  const location = `http://${request.headers["host"] ?? ""}/${bucket.name}/${key}`;
  const told = { location, bucket: bucket.name, key, etag: entry.tag ?? attributes.tag };
  const sums = checksum ? { checksums: { [checksum.algorithm]: checksum.value }, checksumType: checksum.type } : {};
  const expiration = await call.expirations.header(bucket, { ...entry, key, tags: attributes.tags });
  const headers = { ...versionHeader(bucket, entry.version), ...expiration };
  return { root: writeCompletedUpload({ ...told, ...sums }), headers };
}

/** AbortMultipartUpload. */
export async function abortUpload(call: ObjectCall): Promise<S3Reply> {
  const { id } = await findUpload(call);
  await call.options.metadata.abortUpload(id);
  return emptyReply(204);
}

/** ListParts. */
export async function listParts(call: ObjectCall): Promise<S3Reply> {
  const id = uploadIdOf(call);
  const after = queryNumber(call, "part-number-marker", { min: 0, max: partsMax, absent: 0 });
  const max = queryNumber(call, "max-parts", { min: 0, max: pageMax, absent: pageMax });
  const { upload, parts, more } = await call.options.metadata
    .listObjectParts(id, { after, size: Math.max(max, 1) })
    .catch(uploadGone);
  requireKey(call, upload);
  const { checksum } = upload.target.attributes ?? {};
  const shown = max === 0 ? [] : parts;
  return xmlReply(
    writePartList({
      ...{ bucket: call.bucket.name, key: call.key, uploadId: id, initiator: ownerOf(call), owner: ownerOf(call) },
      ...(checksum ? { checksumAlgorithm: checksum.algorithm as ChecksumAlgorithm, checksumType: checksum.type } : {}),
      parts: shown.map(({ number, modifiedAt, tag, size, checksum: sum }) => ({
        ...{ partNumber: number, lastModifiedMs: modifiedAt, etag: tag, size },
        ...(sum ? { checksums: { [sum.algorithm]: sum.value } } : {}),
      })),
      ...{ partNumberMarker: after, nextPartNumberMarker: shown.at(-1)?.number ?? 0, max, truncated: more && max > 0 },
    }),
  );
}

/** ListMultipartUploads. A delimiter gathers what is on the page. */
export async function listUploads(call: BucketCall): Promise<S3Reply> {
  const { query } = call.request;
  const scope = scopeOf(call, "max-uploads");
  const keyMarker = query.get("key-marker") ?? "";
  const uploadIdMarker = query.get("upload-id-marker") ?? "";
  if (scope.delimiter !== undefined) throw new S3Error("NotImplemented", "Uploads are listed without a delimiter.");
  const upload = uploadIdMarker === "" || keyMarker === "" ? undefined : checkedUploadId(uploadIdMarker);
  const { uploads, more } = await call.options.metadata.listObjectUploads(call.bucket.drive, {
    ...{ prefix: scope.prefix, size: Math.max(scope.max, 1) },
    after: keyMarker === "" ? undefined : { key: keyMarker, upload },
  });
  const last = uploads.at(-1);
  const owner = ownerOf(call);
  return xmlReply(
    writeUploadList({
      ...{ scope, keyMarker, uploadIdMarker, commonPrefixes: [], truncated: more && scope.max > 0 },
      uploads: (scope.max === 0 ? [] : uploads).map(({ id, key, createdAt }) => ({
        ...{ key, uploadId: id, initiator: owner, owner, initiatedMs: createdAt },
      })),
      ...(more && last ? { nextKeyMarker: last.key, nextUploadIdMarker: last.id } : {}),
    }),
  );
}

/** The parts that were chosen, in order. Throws InvalidPart, EntityTooSmall, BadDigest. */
function matched(chosen: readonly CompletedPart[], parts: readonly ObjectPart[]): readonly ObjectPart[] {
  const byNumber = new Map(parts.map((part) => [part.number, part]));
  return chosen.map(({ partNumber, etag, checksums }, index) => {
    const part = byNumber.get(partNumber);
    if (part?.tag !== etag) throw new S3Error("InvalidPart", undefined, { PartNumber: String(partNumber), ETag: etag });
    if (index < chosen.length - 1 && part.size < partBytesMin) {
      throw new S3Error("EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size", {
        ...{ ProposedSize: String(part.size), MinSizeAllowed: String(partBytesMin), PartNumber: String(partNumber) },
      });
    }
    for (const [algorithm, value] of Object.entries(checksums)) {
      if (part.checksum?.algorithm === algorithm && part.checksum.value !== value) throw new S3Error("InvalidPart");
    }
    return part;
  });
}

/** What is kept with the object that the parts make. Throws BadDigest. */
function wholeOf(upload: Upload, parts: readonly ObjectPart[], call: ObjectCall): ObjectAttributes {
  const begun = upload.target.attributes;
  const checksum =
    begun?.checksum && wholeChecksum(begun.checksum.algorithm as ChecksumAlgorithm, begun.checksum.type, parts);
  const sent = checksum && header(call, checksumInfo[checksum.algorithm as ChecksumAlgorithm].header);
  if (checksum && sent !== undefined && sent !== checksum.value && `${sent}-${parts.length}` !== checksum.value)
    throw new S3Error("BadDigest");
  return {
    ...begun,
    tag: multipartEtag(parts.map(({ tag }) => fromHex(tag))),
    parts: parts.map(({ size }) => size),
    ...(checksum ? { checksum } : { checksum: undefined }),
  };
}

function wholeChecksum(
  algorithm: ChecksumAlgorithm,
  type: ChecksumType,
  parts: readonly ObjectPart[],
): ObjectAttributes["checksum"] {
  const sums = parts.map(({ checksum, size }) => ({
    crc: checksum?.algorithm === algorithm ? parseChecksum(algorithm, checksum.value) : undefined,
    length: size,
  }));
  if (sums.some(({ crc }) => crc === undefined)) return undefined;
  const known = sums as { crc: Uint8Array; length: number }[];
  if (type === "COMPOSITE")
    return {
      algorithm,
      type,
      value: compositeChecksum(
        algorithm,
        known.map(({ crc }) => crc),
      ),
    };
  if (algorithm === "SHA1" || algorithm === "SHA256") return undefined;
  return { algorithm, type, value: formatChecksum(combineCrcs(algorithm, known)) };
}

/** All parts; undefined when the upload is not there, which a repeated completion finds too. */
async function partsOf(call: ObjectCall, id: UploadId): Promise<{ upload: Upload; parts: ObjectPart[] } | undefined> {
  const parts: ObjectPart[] = [];
  for (let after = 0; ; ) {
    try {
      const page = await call.options.metadata.listObjectParts(id, { after, size: pageMax });
      requireKey(call, page.upload);
      parts.push(...page.parts);
      after = page.parts.at(-1)?.number ?? after;
      if (!page.more) return { upload: page.upload, parts };
    } catch (error) {
      if (isKind(error, "not-found")) return undefined;
      throw error;
    }
  }
}

async function findUpload(call: ObjectCall): Promise<Upload> {
  const { upload } = await call.options.metadata
    .listObjectParts(uploadIdOf(call), { after: partsMax, size: 1 })
    .catch(uploadGone);
  requireKey(call, upload);
  return upload;
}

/** An upload id of another key or bucket is none here. */
function requireKey(call: ObjectCall, { id, target }: Upload): void {
  if (target.key === call.key && target.drive === call.bucket.drive) return;
  throw new S3Error("NoSuchUpload", undefined, { UploadId: id });
}

function uploadGone(error: unknown): never {
  throw isKind(error, "not-found") ? new S3Error("NoSuchUpload") : error;
}

function uploadIdOf(call: ObjectCall): UploadId {
  return checkedUploadId(call.request.query.get("uploadId") ?? "");
}

function checkedUploadId(text: string): UploadId {
  if (/^up_[0-9a-z]{26}$/.test(text)) return text as UploadId;
  throw new S3Error("NoSuchUpload", undefined, { UploadId: text.slice(0, 100) });
}

function partNumberOf(call: ObjectCall): number {
  const text = call.request.query.get("partNumber") ?? "";
  const number = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (number >= 1 && number <= partsMax) return number;
  throw new S3Error("InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive", {
    ...{ ArgumentName: "partNumber", ArgumentValue: text.slice(0, 100) },
  });
}

function algorithmOf({ target }: Upload): ChecksumAlgorithm | undefined {
  return target.attributes?.checksum?.algorithm as ChecksumAlgorithm | undefined;
}

/** What the whole is to have. Throws InvalidRequest for a type that the algorithm does not have. */
function wantedChecksum(call: ObjectCall): ObjectAttributes["checksum"] {
  const name = header(call, "x-amz-checksum-algorithm") ?? header(call, "x-amz-sdk-checksum-algorithm");
  if (name === undefined) return undefined;
  const algorithm = algorithmByName(name);
  const { types } = checksumInfo[algorithm];
  const type = (header(call, "x-amz-checksum-type")?.toUpperCase() ?? types[0]) as ChecksumType;
  if (!types.includes(type))
    throw new S3Error(
      "InvalidRequest",
      `The ${type} checksum type cannot be used with the ${algorithm} checksum algorithm.`,
    );
  return { algorithm, type, value: "" };
}

function valueHeader(checksum: ObjectAttributes["checksum"]): Record<string, string> {
  const { "x-amz-checksum-type": _type, ...value } = checksumHeaders(checksum);
  return value;
}

/** `bytes=first-last`, both given. Throws InvalidArgument. */
async function copyRange(call: ObjectCall): Promise<{ offset: number; length: number } | undefined> {
  const text = header(call, "x-amz-copy-source-range");
  if (text === undefined) return undefined;
  const [, first, last] = /^bytes=(\d{1,15})-(\d{1,15})$/.exec(text) ?? [];
  if (first === undefined || last === undefined || Number(last) < Number(first)) {
    throw new S3Error("InvalidArgument", "The x-amz-copy-source-range value must be of the form bytes=first-last", {
      ...{ ArgumentName: "x-amz-copy-source-range", ArgumentValue: text.slice(0, 100) },
    });
  }
  const { file } = await copySource(call);
  if (Number(last) >= file.entry.size) {
    throw new S3Error("InvalidArgument", `Range specified is not valid for source object of size: ${file.entry.size}`);
  }
  return { offset: Number(first), length: Number(last) - Number(first) + 1 };
}
