import type { ServerResponse } from "node:http";
import type { BucketDocument, BucketDocuments } from "../bucket-documents.ts";
import type { Buckets } from "../buckets.ts";
import { S3Error } from "../s3-error.ts";
import type { S3Reply } from "../s3-reply.ts";
import type { S3Request } from "../s3-request.ts";
import type { CorsRule } from "../xml/cors-configuration.ts";
import { type CorsRequest, corsHeaders, matchingRule } from "./cors-match.ts";

/** The CORS rules of a bucket. */
export const corsDocument: BucketDocument<readonly CorsRule[]> = { name: "s3.cors" };

const vary = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method";
const asked = ["GET", "PUT", "POST", "DELETE", "HEAD"];
/** Names in one preflight, so that matching them stays cheap. */
const headersMax = 100;

/** Lets web pages of other origins use a bucket as its rules say. */
export class Cors {
  readonly #buckets: Buckets;
  readonly #documents: BucketDocuments;

  constructor(buckets: Buckets, documents: BucketDocuments) {
    this.#buckets = buckets;
    this.#documents = documents;
  }

  /**
   * Answers OPTIONS, which browsers send unsigned. Throws BadRequest for what is no preflight, AccessForbidden when no
   * rule allows it; a bucket that is not there answers as one without rules, for anybody may ask.
   */
  async preflight(request: S3Request): Promise<S3Reply> {
    const wanted = wantedOf(request);
    const rules = await this.#rulesOf(request.bucket);
    const rule = rules && matchingRule(rules, wanted);
    if (!rule) {
      const reason = rules
        ? "This CORS request is not allowed: no rule of the bucket has this origin, method and these headers."
        : "CORS is not enabled for this bucket.";
      throw new S3Error("AccessForbidden", `CORSResponse: ${reason}`, {
        Method: wanted.method,
        ResourceType: request.key === undefined ? "BUCKET" : "OBJECT",
      });
    }
    return { status: 200, headers: { ...corsHeaders(rule, wanted), vary } };
  }

  /** Sets what the page may see of the answer, whatever it will be. */
  async allow({ headers, method, bucket }: S3Request, response: ServerResponse): Promise<void> {
    // Without rules that can be read the page sees nothing; its request is answered all the same.
    const rules = await this.#rulesOf(bucket).catch(() => undefined);
    if (!rules) return;
    // To every origin another answer, and another one without: whoever keeps answers must know.
    response.setHeader("vary", vary);
    const { origin } = headers;
    if (!origin) return;
    const actual = { origin, method, headers: [] };
    const rule = matchingRule(rules, actual);
    for (const [name, value] of Object.entries(rule ? corsHeaders(rule, actual) : {})) response.setHeader(name, value);
  }

  /** Nothing is asked anew for a name that is not known: whoever asks has not said who it is. */
  async #rulesOf(name: string | undefined): Promise<readonly CorsRule[] | undefined> {
    if (name === undefined) return undefined;
    const bucket = await this.#buckets.remembered(name);
    return bucket && (await this.#documents.read(bucket, corsDocument));
  }
}

function wantedOf({ headers }: S3Request): CorsRequest {
  const { origin } = headers;
  if (!origin) throw new S3Error("BadRequest", "Insufficient information. Origin request header needed.");
  const method = headers["access-control-request-method"] ?? "";
  if (!asked.includes(method)) {
    throw new S3Error("BadRequest", `Invalid Access-Control-Request-Method: ${method.slice(0, 40) || "null"}`);
  }
  const names = (headers["access-control-request-headers"] ?? "").split(",").map((name) => name.trim());
  if (names.length > headersMax) throw new S3Error("BadRequest", "There are too many headers to allow.");
  return { origin, method, headers: names.filter((name) => name !== "") };
}
