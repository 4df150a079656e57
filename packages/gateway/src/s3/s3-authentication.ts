import type { ServerResponse } from "node:http";
import type { AccessKey } from "@cairn/protocol";
import { type Credentials, readCredentials } from "./auth/credentials.ts";
import { type PayloadMode, payloadMode } from "./auth/payload-mode.ts";
import { checkPostSignature, readPostCredentials } from "./auth/post-credentials.ts";
import { checkSignature, SigningKeys, scopeText } from "./auth/signature.ts";
import { RequestBody } from "./body/request-body.ts";
import type { S3Keys } from "./s3-access.ts";
import type { S3Body } from "./s3-call.ts";
import { S3Error } from "./s3-error.ts";
import type { S3Options } from "./s3-options.ts";
import type { S3Request } from "./s3-request.ts";

/** Says who signed the policy of a form; undefined: nobody. */
export type FormAdmission = (fields: ReadonlyMap<string, string>) => Promise<AccessKey | undefined>;

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

  /** `accessKey` undefined: nobody has signed. Throws what the S3 API answers to a request that is not signed as it must be. */
  async admit(
    request: S3Request,
    response: ServerResponse,
  ): Promise<{ readonly accessKey: AccessKey | undefined; readonly body: S3Body }> {
    const credentials = readCredentials(request);
    if (!credentials) return { accessKey: undefined, body: this.#unsigned(request, response) };
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

  /** Who signed the policy of a form; undefined: nobody. `fields`: names in lower case. Throws as `admit` does, and InvalidArgument. */
  async admitForm(fields: ReadonlyMap<string, string>): Promise<AccessKey | undefined> {
    const credentials = readPostCredentials(fields);
    if (!credentials) return undefined;
    const { key, secret } = await this.#keys.find(credentials.accessKeyId);
    const { region } = this.#options;
    if (credentials.scope.region !== region) {
      const details = { ArgumentName: "x-amz-credential", Region: region };
      throw new S3Error("InvalidArgument", `the region of the credential is wrong; expecting '${region}'`, details);
    }
    checkPostSignature(credentials, this.#signingKeys.of(secret, credentials.scope));
    return key;
  }

  #unsigned(request: S3Request, response: ServerResponse): RequestBody {
    const mode = payloadMode(request.headers["x-amz-content-sha256"] ?? "UNSIGNED-PAYLOAD");
    // What nobody has signed has no signature that its chunks could begin with.
    if (mode.kind === "signed-chunks") throw new S3Error("AccessDenied");
    return new RequestBody({ request, response, mode, seal: undefined, clock: this.#options.env.clock });
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
    const at = timeOf(timestamp);
    if (Number.isNaN(at)) throw new S3Error("AccessDenied", "The date of the request is not valid.");
    const endsAt = at + (expiresInSeconds ?? skewMsMax / 1000) * 1000;
    if (at - skewMsMax <= now && now <= endsAt) return;
    const ServerTime = new Date(now).toISOString();
    if (expiresInSeconds === undefined) {
      throw new S3Error("RequestTimeTooSkewed", undefined, {
        ...{ RequestTime: timestamp, ServerTime, MaxAllowedSkewMilliseconds: String(skewMsMax) },
      });
    }
    if (now < endsAt) throw new S3Error("AccessDenied", "Request is not valid yet", { ServerTime });
    const Expires = new Date(endsAt).toISOString();
    throw new S3Error("AccessDenied", "Request has expired", {
      ...{ "X-Amz-Expires": `${expiresInSeconds}`, Expires, ServerTime },
    });
  }
}

/** Milliseconds of YYYYMMDDTHHMMSSZ; NaN for what is no time. */
function timeOf(text: string): number {
  const date = `${text.slice(0, 4)}-${text.slice(4, 6)}-${text.slice(6, 8)}`;
  return Date.parse(`${date}T${text.slice(9, 11)}:${text.slice(11, 13)}:${text.slice(13)}`);
}

function payloadText({ headers, query }: S3Request, { from }: Credentials): string {
  const text = headers["x-amz-content-sha256"] ?? (from === "query" ? query.get("X-Amz-Content-Sha256") : undefined);
  if (text !== undefined) return text;
  if (from === "query") return "UNSIGNED-PAYLOAD";
  throw new S3Error("InvalidRequest", "Missing required header for this request: x-amz-content-sha256");
}

/** What was added on the way means nothing: a proxy, or whoever got hold of a presigned URL, adds no rights and no data. */
function checkSignedHeaders({ headers }: S3Request, { signedHeaders }: Credentials): void {
  const unsigned = Object.keys(headers).filter((name) => name.startsWith("x-amz-") && !signedHeaders.includes(name));
  if (!signedHeaders.includes("host")) unsigned.push("host");
  if (unsigned.length === 0) return;
  throw new S3Error("AccessDenied", "There were headers present in the request which were not signed", {
    HeadersNotSigned: unsigned.join(", ").slice(0, 400),
  });
}
