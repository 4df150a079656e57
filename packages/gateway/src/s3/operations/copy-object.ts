import type { OpenFile, WriteSource } from "@cairn/drive";
import { type Bucket, type ObjectAttributes, objectTag } from "@cairn/protocol";
import { checkReadConditions } from "../../http/content-conditions.ts";
import { aclOfNewObject } from "../access-control.ts";
import { InlineDigests } from "../checksum/body-digests.ts";
import type { ChecksumAlgorithm } from "../checksum/checksum-algorithm.ts";
import { algorithmByName } from "../checksum/checksum-algorithm.ts";
import { formatChecksum } from "../checksum/checksum-value.ts";
import { describedObject } from "../object-headers.ts";
import { header, type ObjectCall } from "../s3-call.ts";
import { S3Error } from "../s3-error.ts";
import { type S3Reply, xmlReply } from "../s3-reply.ts";
import { writeCopyObjectResult } from "../xml/copy-result.ts";
import { xmlDeclaration } from "../xml/xml-document.ts";
import { newCommit } from "./account-operations.ts";
import { lockOfNewObject } from "./object-lock.ts";
import { namedVersion, openVersion, versionHeader, versionName } from "./object-version.ts";
import { conditionError, objectBytesMax, refuseWhatIsNotThere, taggingHeader, writeCondition } from "./put-object.ts";

/** Where a copy comes from. */
export interface CopySource {
  readonly file: OpenFile;
  readonly tag: string;
  readonly bucket: Bucket;
}

/**
 * CopyObject. The copy refers to the chunks of its source; only those that the cluster has lost, or is about to drop, are read
 * and sent. A checksum that the source does not have is computed from the bytes.
 */
export async function copyObject(call: ObjectCall): Promise<S3Reply> {
  const { bucket, key, options, signal } = call;
  refuseWhatIsNotThere(call);
  const acl = await aclOfNewObject(call);
  const lock = await lockOfNewObject(call);
  const { file, tag, bucket: sourceBucket } = await copySource(call);
  const replaces = directive(call, "x-amz-metadata-directive");
  const { entry: from, attributes: before } = file;
  const itself = from.drive === bucket.drive && sourceOf(call).key === key && sourceOf(call).bucket === bucket.name;
  if (itself && !replaces && sourceOf(call).version === undefined) {
    throw new S3Error(
      "InvalidRequest",
      "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata.",
    );
  }
  if (file.length > objectBytesMax)
    throw new S3Error("InvalidRequest", "The source is larger than a copy may be: copy it in parts.");
  const described = replaces ? describedObject(call.request) : undefined;
  const algorithm = algorithmOf(call);
  const known = !algorithm || (before?.checksum?.algorithm === algorithm && before.checksum.type === "FULL_OBJECT");
  const sums = new CopySums(algorithm);
  let attributes: ObjectAttributes | undefined;
  const finish = async (): Promise<ObjectAttributes> => {
    attributes = {
      ...{ headers: before?.headers, metadata: before?.metadata, ...described },
      tags: directive(call, "x-amz-tagging-directive") ? taggingHeader(call) : before?.tags,
      ...acl,
      ...lock,
      ...(known ? { tag, checksum: before?.checksum, parts: before?.parts } : await sums.finish()),
    };
    return { ...attributes };
  };
  const target = {
    ...{ drive: bucket.drive, parent: bucket.root, name: key, key, onConflict: "version" as const },
    ...{ contentType: described ? described.contentType : from.contentType, ifTag: writeCondition(call) },
    cause: "copy" as const,
  };
  const { entry } = await options.writer
    .write(target, known ? sourceOfCopy(file) : { stream: sums.over(file.bytes), size: file.length }, {
      signal,
      commit: newCommit(call),
      attributes: finish,
    })
    .catch((error: unknown) => {
      throw conditionError(call, error);
    });
  const result = { etag: attributes?.tag ?? tag, lastModifiedMs: entry.modifiedAt, ...checksumsOf(attributes) };
  return xmlReply(xmlDeclaration + writeCopyObjectResult(result), {
    ...versionHeader(bucket, entry.version),
    ...(sourceBucket.versioning !== "off" && from.version !== undefined
      ? { "x-amz-copy-source-version-id": versionName(from.version, file.unversioned) }
      : {}),
    ...(await call.expirations.header(bucket, { ...entry, key, tags: attributes?.tags })),
  });
}

/** Opens what x-amz-copy-source names. Throws AccessDenied before anything else is told of a bucket that the key may not use. */
export async function copySource(call: ObjectCall, range?: { offset: number; length: number }): Promise<CopySource> {
  const { bucket, key, version } = sourceOf(call);
  const from = await call.rights.bucketOf(bucket, "read");
  const action = version === undefined ? "s3:GetObject" : "s3:GetObjectVersion";
  const grant = await call.rights.require(from, { right: "read", action, key });
  const file = await openVersion({ ...call, bucket: from, grant, key }, namedVersion(version), range);
  const tag = objectTag({ ...file.entry, ...(file.attributes ? { tag: file.attributes.tag } : {}) });
  const quoted = (name: string): string | undefined => {
    const text = header(call, name);
    return text === undefined || text === "*" || text.includes('"') ? text : `"${text}"`;
  };
  const verdict = checkReadConditions(
    {
      "if-match": quoted("x-amz-copy-source-if-match"),
      "if-none-match": quoted("x-amz-copy-source-if-none-match"),
      "if-modified-since": header(call, "x-amz-copy-source-if-modified-since"),
      "if-unmodified-since": header(call, "x-amz-copy-source-if-unmodified-since"),
    },
    { etag: tag, modifiedAt: file.entry.modifiedAt },
  );
  if (verdict !== "proceed") throw new S3Error("PreconditionFailed");
  return { file, tag, bucket: from };
}

/** For a write that moves no bytes but those that have to. */
export function sourceOfCopy({ pieces, length }: OpenFile): WriteSource {
  return { pieces, size: length };
}

/** Sums over bytes that are copied. */
export class CopySums {
  readonly #algorithm: ChecksumAlgorithm | undefined;
  readonly #digests: InlineDigests;

  constructor(algorithm: ChecksumAlgorithm | undefined) {
    this.#algorithm = algorithm;
    this.#digests = new InlineDigests(["MD5", ...(algorithm ? [algorithm] : [])]);
  }

  async *over(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const piece of bytes) {
      this.#digests.update(piece);
      yield piece;
    }
  }

  async finish(): Promise<Pick<ObjectAttributes, "tag" | "checksum">> {
    const digests = await this.#digests.digest();
    const md5 = digests.get("MD5") ?? new Uint8Array(0);
    const value = this.#algorithm && digests.get(this.#algorithm);
    const checksum =
      this.#algorithm && value
        ? { algorithm: this.#algorithm, value: formatChecksum(value), type: "FULL_OBJECT" as const }
        : undefined;
    return { tag: Buffer.from(md5).toString("hex"), checksum };
  }
}

function algorithmOf(call: ObjectCall): ChecksumAlgorithm | undefined {
  const name = header(call, "x-amz-checksum-algorithm");
  return name === undefined ? undefined : algorithmByName(name);
}

/** True for REPLACE. Throws InvalidArgument. */
function directive(call: ObjectCall, name: string): boolean {
  const text = header(call, name)?.toUpperCase() ?? "COPY";
  if (text === "COPY" || text === "REPLACE") return text === "REPLACE";
  throw new S3Error("InvalidArgument", `Unknown ${name}.`, { ArgumentName: name, ArgumentValue: text.slice(0, 100) });
}

/** `bucket/key?versionId=…`, decoded once. Throws InvalidArgument. */
function sourceOf(call: ObjectCall): {
  readonly bucket: string;
  readonly key: string;
  readonly version: string | undefined;
} {
  const refused = new S3Error(
    "InvalidArgument",
    "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
    {
      ArgumentName: "x-amz-copy-source",
    },
  );
  const text = header(call, "x-amz-copy-source") ?? "";
  const [path = "", query = ""] = text.split("?", 2);
  const version = /^versionId=(.*)$/.exec(query)?.[1];
  if (query !== "" && version === undefined) throw refused;
  let decoded: string;
  try {
    decoded = decodeURIComponent(path).replace(/^\//, "");
  } catch {
    throw refused;
  }
  const cut = decoded.indexOf("/");
  if (cut < 1 || cut === decoded.length - 1) throw refused;
  return { bucket: decoded.slice(0, cut), key: decoded.slice(cut + 1), version };
}

function checksumsOf(attributes: ObjectAttributes | undefined): object {
  const checksum = attributes?.checksum;
  return checksum ? { checksums: { [checksum.algorithm]: checksum.value }, checksumType: checksum.type } : {};
}
