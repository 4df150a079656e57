import type { ServerResponse } from "node:http";
import type { AccessKey } from "@cairn/protocol";
import { type Credentials, readCredentials } from "./auth/credentials.ts";
import { type PayloadMode, payloadMode } from "./auth/payload-mode.ts";
import { checkSignature, SigningKeys, scopeText } from "./auth/signature.ts";
import { RequestBody } from "./body/request-body.ts";
import type { S3Keys } from "./s3-access.ts";
import type { S3Body } from "./s3-call.ts";
import { S3Error } from "./s3-error.ts";
import type { S3Options } from "./s3-options.ts";
import type { S3Request } from "./s3-request.ts";

const skewMsMax = 15 * 60_000;

/** Says who sent a request, and reads its body as it was signed (Signature Version 4). */
export class S3Authentication {
  readonly #options: S3Options;
  readonly #keys: S3Keys;
  readonly #signingKeys = new SigningKeys();

  constructor(options: S3Options, keys: S3Keys) {
    this.#options = options;
    this.#keys = keys;
  }

  /** Throws what the S3 API answers to a request that is not signed as it must be. */
  async admit(
    request: S3Request,
    response: ServerResponse,
  ): Promise<{ readonly accessKey: AccessKey; readonly body: S3Body }> {
    const credentials = readCredentials(request);
    if (!credentials) throw new S3Error("AccessDenied");
    this.#checkTime(credentials);
    const text = payloadText(request, credentials);
    const mode = payloadMode(text);
    const { key: accessKey, secret } = await this.#keys.find(credentials.accessKeyId);
    this.#checkRegion(credentials);
    const signingKey = this.#signingKeys.of(secret, credentials.scope);
    checkSignature(request, credentials, signingKey, text);
    checkSignedHeaders(request, credentials);
    return { accessKey, body: this.#bodyOf(request, response, { credentials, mode, signingKey }) };
  }

  #bodyOf(
    request: S3Request,
    response: ServerResponse,
    signed: { credentials: Credentials; mode: PayloadMode; signingKey: Buffer },
  ): RequestBody {
    const { credentials, mode, signingKey } = signed;
    const { timestamp, scope, signature } = credentials;
    const seal = { signingKey, timestamp, scope: scopeText(scope), seed: signature };
    return new RequestBody({ request, response, mode, seal, clock: this.#options.env.clock });
  }

  #checkRegion({ from, scope }: Credentials): void {
    const { region } = this.#options;
    if (scope.region === region) return;
    const code = from === "header" ? "AuthorizationHeaderMalformed" : "AuthorizationQueryParametersError";
    throw new S3Error(
      code,
      `The authorization header is malformed; the region '${scope.region.slice(0, 40)}' is wrong; expecting '${region}'`,
      {
        Region: region,
      },
    );
  }

  #checkTime({ timestamp, expiresInSeconds }: Credentials): void {
    const now = this.#options.env.clock.now();
    const at = Date.parse(timestamp.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z"));
    if (Number.isNaN(at)) throw new S3Error("AccessDenied", "The date of the request is not valid.");
    const ServerTime = new Date(now).toISOString();
    if (expiresInSeconds !== undefined) {
      if (at - skewMsMax > now) throw new S3Error("AccessDenied", "Request is not valid yet", { ServerTime });
      if (at + expiresInSeconds * 1000 >= now) return;
      const Expires = new Date(at + expiresInSeconds * 1000).toISOString();
      throw new S3Error("AccessDenied", "Request has expired", {
        "X-Amz-Expires": `${expiresInSeconds}`,
        Expires,
        ServerTime,
      });
    }
    if (Math.abs(now - at) <= skewMsMax) return;
    throw new S3Error("RequestTimeTooSkewed", undefined, {
      ...{ RequestTime: timestamp, ServerTime, MaxAllowedSkewMilliseconds: String(skewMsMax) },
    });
  }
}

function payloadText({ headers, query }: S3Request, { from }: Credentials): string {
  const text = headers["x-amz-content-sha256"] ?? (from === "query" ? query.get("X-Amz-Content-Sha256") : undefined);
  if (text !== undefined) return text;
  if (from === "query") return "UNSIGNED-PAYLOAD";
  throw new S3Error("InvalidRequest", "Missing required header for this request: x-amz-content-sha256");
}

/** What was added on the way means nothing: a proxy, or whoever got hold of a presigned URL, adds no rights and no data. */
function checkSignedHeaders({ headers }: S3Request, { signedHeaders }: Credentials): void {
  const signed = new Set(signedHeaders);
  const unsigned = Object.keys(headers).filter((name) => name.startsWith("x-amz-") && !signed.has(name));
  if (!signed.has("host")) unsigned.push("host");
  if (unsigned.length === 0) return;
  throw new S3Error("AccessDenied", "There were headers present in the request which were not signed", {
    HeadersNotSigned: unsigned.join(", ").slice(0, 400),
  });
}
