import type { ObjectAttributes } from "@cairn/protocol";
import { S3Error } from "./s3-error.ts";
import type { S3Request } from "./s3-request.ts";

/** Headers that are kept with an object and answered as they came (S3 API reference, "System-defined object metadata"). */
const keptHeaders = [
  "cache-control",
  "content-disposition",
  "content-encoding",
  "content-language",
  "expires",
  "x-amz-website-redirect-location",
] as const;
const metadataPrefix = "x-amz-meta-";
const metadataBytesMax = 2048;
const contentTypeLengthMax = 255;
const valueLengthMax = 8192;

/** What a write says of its object besides the bytes. */
export interface DescribedObject {
  readonly contentType: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly metadata: Readonly<Record<string, string>>;
  readonly tags: Readonly<Record<string, string>> | undefined;
}

/** Throws MetadataTooLarge, InvalidArgument. */
export function describedObject({ headers }: Pick<S3Request, "headers">): Omit<DescribedObject, "tags"> {
  const kept: Record<string, string> = {};
  for (const name of keptHeaders) {
    const value = headers[name];
    const stored = name === "content-encoding" ? withoutFraming(value) : value;
    if (stored !== undefined && stored !== "") kept[name] = checkedValue(name, stored);
  }
  const metadata: Record<string, string> = Object.create(null);
  let bytes = 0;
  for (const [name, value = ""] of Object.entries(headers)) {
    if (!name.startsWith(metadataPrefix)) continue;
    metadata[name.slice(metadataPrefix.length)] = checkedValue(name, value);
    bytes += name.length - metadataPrefix.length + value.length;
  }
  if (bytes > metadataBytesMax)
    throw new S3Error("MetadataTooLarge", undefined, { MaxSizeAllowed: "2048", Size: `${bytes}` });
  const contentType = headers["content-type"];
  if (contentType !== undefined && (contentType.length > contentTypeLengthMax || !/^[\x20-\x7e]*$/.test(contentType))) {
    throw new S3Error("InvalidArgument", "The content type is not valid.", { ArgumentName: "Content-Type" });
  }
  return { contentType: contentType || undefined, headers: kept, metadata: { ...metadata } };
}

/** The headers of a read, without those of its length and range. */
export function headersOf(
  attributes: ObjectAttributes | undefined,
  {
    contentType,
    modifiedAt,
    tag,
  }: { readonly contentType: string | undefined; readonly modifiedAt: number; readonly tag: string },
): Record<string, string> {
  const answered: Record<string, string> = {
    "content-type": contentType ?? "binary/octet-stream",
    "last-modified": httpDate(modifiedAt),
    etag: `"${tag}"`,
    "accept-ranges": "bytes",
    ...attributes?.headers,
  };
  for (const [name, value] of Object.entries(attributes?.metadata ?? {})) answered[metadataPrefix + name] = value;
  const tags = Object.keys(attributes?.tags ?? {}).length;
  if (tags > 0) answered["x-amz-tagging-count"] = String(tags);
  return answered;
}

/** Times of files may lie outside of what a header can say. */
export function httpDate(ms: number): string {
  const [first, last] = [-62_135_596_800_000, 253_402_300_799_000];
  return new Date(Math.min(Math.max(ms, first), last)).toUTCString();
}

/** `aws-chunked` says how the request is framed, and nothing of the object. */
function withoutFraming(value: string | undefined): string | undefined {
  const left = value?.split(",").map((coding) => coding.trim());
  return left?.filter((coding) => coding !== "" && coding.toLowerCase() !== "aws-chunked").join(",");
}

/** What comes in a header goes out in one. */
function checkedValue(name: string, value: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: just these are what a header cannot carry
  if (value.length <= valueLengthMax && !/[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]/.test(value)) return value;
  throw new S3Error("InvalidArgument", `The value of ${name.slice(0, 100)} is not valid.`);
}
