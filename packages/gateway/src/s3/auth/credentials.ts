import { S3Error } from "../s3-error.ts";
import type { S3Request } from "../s3-request.ts";

/** Where and for which day a signature counts. */
export interface CredentialScope {
  /** YYYYMMDD. */
  readonly date: string;
  readonly region: string;
}

/** What a request says about who signed it (Signature Version 4). */
export interface Credentials {
  readonly from: "header" | "query";
  readonly accessKeyId: string;
  readonly scope: CredentialScope;
  /** Names in lower case, in their order. */
  readonly signedHeaders: readonly string[];
  /** 64 hex digits. */
  readonly signature: string;
  /** YYYYMMDDTHHMMSSZ, as it was sent. */
  readonly timestamp: string;
  /** Of a presigned request, seconds. */
  readonly expiresInSeconds: number | undefined;
}

export const algorithm = "AWS4-HMAC-SHA256";
const expiresMax = 604_800;
const queryNames = ["X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature"];

/** Undefined for a request without any credentials. Throws the refusals of the S3 API for what is malformed. */
export function readCredentials(request: S3Request): Credentials | undefined {
  const { headers, query } = request;
  const authorization = headers["authorization"];
  const inQuery = query.has("X-Amz-Algorithm") || queryNames.some((name) => query.has(name));
  const isOld = query.has("AWSAccessKeyId") && query.has("Signature");
  if (authorization !== undefined && (inQuery || isOld)) {
    throw new S3Error(
      "InvalidArgument",
      "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified",
    );
  }
  if (isOld) throw oldSignature();
  if (inQuery) return fromQuery(query);
  return authorization === undefined ? undefined : fromHeader(authorization, headers);
}

function fromHeader(text: string, headers: S3Request["headers"]): Credentials {
  if (/^AWS\s/.test(text)) throw oldSignature();
  if (!text.startsWith(`${algorithm} `) || text.length > 8192) {
    throw new S3Error("InvalidArgument", "Unsupported Authorization Type", { ArgumentName: "Authorization" });
  }
  const { credential, signed, signature } = fieldsOf(text.slice(algorithm.length + 1));
  const timestamp = headers["x-amz-date"] ?? isoOfHttpDate(headers["date"]);
  if (timestamp === undefined)
    throw new S3Error("AccessDenied", "AWS authentication requires a valid Date or x-amz-date header");
  if (!/^\d{8}T\d{6}Z$/.test(timestamp))
    throw new S3Error("AccessDenied", "AWS authentication requires a valid Date or x-amz-date header");
  const parsed = credentialOf(credential, malformedHeader);
  if (!timestamp.startsWith(parsed.scope.date))
    throw malformedHeader("the date of its credential is not that of x-amz-date");
  return {
    ...{ from: "header", ...parsed, timestamp, expiresInSeconds: undefined },
    signedHeaders: headersOf(signed, malformedHeader),
    signature: signatureOf(signature, malformedHeader),
  };
}

/** The three fields of an Authorization header, in any order. */
function fieldsOf(text: string): { readonly credential: string; readonly signed: string; readonly signature: string } {
  const fields: Record<string, string> = Object.create(null);
  const parts = text.split(",");
  for (const part of parts) {
    const cut = part.indexOf("=");
    const name = part.slice(0, cut).trim();
    if (cut < 0 || fields[name] !== undefined) throw malformedHeader("it is not a list of name=value");
    fields[name] = part.slice(cut + 1).trim();
  }
  const { Credential: credential, SignedHeaders: signed, Signature: signature } = fields;
  if (credential && signed && signature && parts.length === 3) return { credential, signed, signature };
  throw malformedHeader("it must have Credential, SignedHeaders and Signature");
}

function fromQuery(query: S3Request["query"]): Credentials {
  if (query.get("X-Amz-Algorithm") !== algorithm) {
    throw malformedQuery(`X-Amz-Algorithm only supports "${algorithm}"`);
  }
  const [credential, timestamp, expires, signed, signature] = queryNames.map((name) => query.get(name));
  if (!credential || !timestamp || !expires || !signed || !signature) {
    throw malformedQuery(
      "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.",
    );
  }
  if (!/^\d{8}T\d{6}Z$/.test(timestamp))
    throw malformedQuery("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"");
  const seconds = /^\d{1,9}$/.test(expires) ? Number(expires) : Number.NaN;
  if (Number.isNaN(seconds)) throw malformedQuery("X-Amz-Expires should be a number");
  if (seconds < 1) throw malformedQuery("X-Amz-Expires must be positive");
  if (seconds > expiresMax)
    throw malformedQuery(
      "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds",
    );
  const parsed = credentialOf(credential, malformedQuery);
  if (!timestamp.startsWith(parsed.scope.date))
    throw malformedQuery("the date of the credential is not that of X-Amz-Date");
  return {
    ...{ from: "query", ...parsed, timestamp, expiresInSeconds: seconds },
    signedHeaders: headersOf(signed, malformedQuery),
    signature: signatureOf(signature, malformedQuery),
  };
}

export type Refuse = (why: string) => S3Error;

/** `<key id>/<date>/<region>/s3/aws4_request`. */
export function credentialOf(text: string, refuse: Refuse): Pick<Credentials, "accessKeyId" | "scope"> {
  const parts = text.split("/");
  const [accessKeyId = "", date = "", region = "", service, end] = parts;
  if (parts.length !== 5 || accessKeyId === "" || accessKeyId.length > 128) {
    throw refuse('the Credential is malformed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request"');
  }
  if (service !== "s3")
    throw refuse(`incorrect service "${(service ?? "").slice(0, 40)}". This endpoint belongs to "s3".`);
  if (end !== "aws4_request")
    throw refuse(`incorrect terminal "${(end ?? "").slice(0, 40)}". This endpoint uses "aws4_request".`);
  if (!/^\d{8}$/.test(date))
    throw refuse(
      `incorrect date format "${date.slice(0, 40)}". This date in the credential must be in the format "yyyyMMdd".`,
    );
  return { accessKeyId, scope: { date, region } };
}

function headersOf(text: string, refuse: Refuse): readonly string[] {
  const names = text.split(";");
  const isSorted = names.every((name, index) => index === 0 || (names[index - 1] ?? "") < name);
  if (isSorted && /^[!#$%&'*+.^_`|~0-9a-z-]+(?:;[!#$%&'*+.^_`|~0-9a-z-]+)*$/.test(text)) return names;
  throw refuse("the list of signed headers is malformed");
}

function signatureOf(text: string, refuse: Refuse): string {
  if (!/^[0-9a-f]{64}$/.test(text)) throw refuse("the signature is not 64 hex digits");
  return text;
}

function isoOfHttpDate(text: string | undefined): string | undefined {
  const ms = text === undefined ? Number.NaN : Date.parse(text);
  if (Number.isNaN(ms)) return undefined;
  return `${new Date(ms).toISOString().slice(0, 19).replaceAll(/[-:]/g, "")}Z`;
}

function malformedHeader(why: string): S3Error {
  return new S3Error("AuthorizationHeaderMalformed", `The authorization header is malformed; ${why}`);
}

function malformedQuery(why: string): S3Error {
  return new S3Error("AuthorizationQueryParametersError", why);
}

function oldSignature(): S3Error {
  return new S3Error(
    "InvalidRequest",
    "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
  );
}
