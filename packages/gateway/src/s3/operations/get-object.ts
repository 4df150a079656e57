import type { OpenFile } from "@cairn/drive";
import { isKind, objectTag } from "@cairn/protocol";
import { parseByteRange } from "../../http/byte-range.ts";
import { checkReadConditions, ifRangeHolds } from "../../http/content-conditions.ts";
import { startedBytes } from "../../http/started-bytes.ts";
import { headersOf } from "../object-headers.ts";
import { header, type ObjectCall } from "../s3-call.ts";
import { S3Error } from "../s3-error.ts";
import type { S3Reply } from "../s3-reply.ts";
import { lockHeaders } from "./object-lock.ts";
import { openVersion, versionHeader, versionOfQuery } from "./object-version.ts";
import { checksumHeaders } from "./put-object.ts";

/** Query parameters that change what a read answers, and the headers that they change. */
const overrides: Readonly<Record<string, string>> = {
  "response-cache-control": "cache-control",
  "response-content-disposition": "content-disposition",
  "response-content-encoding": "content-encoding",
  "response-content-language": "content-language",
  "response-content-type": "content-type",
  "response-expires": "expires",
};

/** GetObject and HeadObject. */
export async function getObject(call: ObjectCall): Promise<S3Reply> {
  const { bucket, request, options, signal } = call;
  const version = versionOfQuery(call);
  const whole = await openVersion(call, version);
  const { entry, attributes } = whole;
  const tag = objectTag({ ...entry, ...(attributes ? { tag: attributes.tag } : {}) });
  const headers: Record<string, string | number> = {
    ...headersOf(attributes, { ...entry, tag }),
    ...versionHeader(bucket, entry.version, whole.unversioned),
    ...lockHeaders(attributes),
    ...(version === undefined &&
      (await call.expirations.header(bucket, { ...entry, key: call.key, tags: attributes?.tags }))),
  };
  const verdict = checkReadConditions(unquotedConditions(request.headers), { etag: tag, modifiedAt: entry.modifiedAt });
  if (verdict === "not-modified") return { status: 304, headers };
  if (verdict === "failed") throw new S3Error("PreconditionFailed");
  for (const [name, to] of Object.entries(overrides)) {
    const value = request.query.get(name);
    if (value !== undefined && !call.rights.accessKey) throw anonymousOverride();
    if (value !== undefined) headers[to] = checkedOverride(name, value);
  }
  const range = wantedRange(call, whole, tag);
  // A checksum is that of the whole object.
  if (!range && header(call, "x-amz-checksum-mode")?.toUpperCase() === "ENABLED")
    Object.assign(headers, checksumHeaders(attributes?.checksum));
  if (attributes?.parts && range?.part !== undefined) headers["x-amz-mp-parts-count"] = attributes.parts.length;
  if (!range) return await answer(call, { status: 200, headers, file: whole });
  const { offset, length } = range;
  headers["content-range"] = `bytes ${offset}-${offset + length - 1}/${entry.size}`;
  const file = await options.reader.open({ id: entry.id }, { version: entry.version, offset, length, signal });
  return await answer(call, { status: 206, headers, file });
}

async function answer(
  { request }: ObjectCall,
  { status, headers, file }: { status: number; headers: Record<string, string | number>; file: OpenFile },
): Promise<S3Reply> {
  headers["content-length"] = file.length;
  if (request.method === "HEAD") return { status, headers };
  return { status, headers, body: await startedBytes(file.bytes) };
}

/** Throws InvalidRange, InvalidPartNumber. */
function wantedRange(
  call: ObjectCall,
  { entry: { size }, attributes }: OpenFile,
  etag: string,
): { readonly offset: number; readonly length: number; readonly part?: number } | undefined {
  const { query, headers } = call.request;
  const part = query.get("partNumber");
  if (part !== undefined) {
    if (headers["range"] !== undefined) throw new S3Error("InvalidRequest", "Range and partNumber exclude each other.");
    return partRange(part, attributes?.parts ?? [size]);
  }
  const text = ifRangeHolds(headers["if-range"], { etag, modifiedAt: 0 }) ? headers["range"] : undefined;
  try {
    return parseByteRange(text, size);
  } catch (error) {
    if (!isKind(error, "range")) throw error;
    throw new S3Error("InvalidRange", undefined, { RangeRequested: text ?? "", ActualObjectSize: String(size) });
  }
}

function partRange(
  text: string,
  parts: readonly number[],
): { offset: number; length: number; part: number } | undefined {
  const part = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(part >= 1 && part <= 10_000))
    throw new S3Error("InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive");
  const length = parts[part - 1];
  if (length === undefined) throw new S3Error("InvalidPartNumber");
  const offset = parts.slice(0, part - 1).reduce((sum, size) => sum + size, 0);
  return length === 0 ? undefined : { offset, length, part };
}

/** S3 takes entity tags without quotes too. */
function unquotedConditions(headers: ObjectCall["request"]["headers"]): Record<string, string | undefined> {
  const quoted = (text: string | undefined): string | undefined =>
    text === undefined || text.trim() === "*" || text.includes('"') ? text : `"${text.trim()}"`;
  return { ...headers, "if-match": quoted(headers["if-match"]), "if-none-match": quoted(headers["if-none-match"]) };
}

/** Whoever passes on a link to what is public must not say what it is answered as. */
function anonymousOverride(): S3Error {
  return new S3Error("InvalidRequest", "Request specific response headers cannot be used for anonymous GET requests.");
}

function checkedOverride(name: string, value: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: just these are what a header cannot carry
  if (!/[\x00-\x1f\x7f]|[^\x00-\xff]/.test(value)) return value;
  throw new S3Error("InvalidArgument", `The value of ${name} is not valid.`, { ArgumentName: name });
}
