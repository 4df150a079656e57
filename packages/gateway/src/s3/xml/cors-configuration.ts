import { S3Error } from "../s3-error.ts";
import { type ElementReader, readDocument } from "./element-reader.ts";
import { xmlDocument } from "./xml-document.ts";
import { configurationLimits } from "./xml-parser.ts";
import { leaf, nest } from "./xml-text.ts";

/** Methods that a CORS rule may allow. */
export type CorsMethod = "GET" | "PUT" | "POST" | "DELETE" | "HEAD";

/** One rule: pages of these origins may use these methods. Origins and headers have at most one `*` each. */
export interface CorsRule {
  readonly id?: string;
  readonly allowedOrigins: readonly string[];
  readonly allowedMethods: readonly CorsMethod[];
  readonly allowedHeaders: readonly string[];
  readonly exposeHeaders: readonly string[];
  readonly maxAgeSeconds?: number;
}

const methods: readonly CorsMethod[] = ["GET", "PUT", "POST", "DELETE", "HEAD"];
const rulesMax = 100;
const idCharactersMax = 255;
const headerName = /^[!#$%&'+.^_`|~0-9A-Za-z-]+$/;

/** Reads a `CORSConfiguration`. Throws MalformedXML, and InvalidRequest for rules that S3 does not take. */
export function readCorsConfiguration(body: Uint8Array): readonly CorsRule[] {
  return readDocument(
    body,
    "CORSConfiguration",
    (fields) => fields.children("CORSRule", readRule, { min: 1, max: rulesMax }),
    { limits: configurationLimits },
  );
}

/** A `CORSConfiguration`. */
export function writeCorsConfiguration(rules: readonly CorsRule[]): string {
  return xmlDocument("CORSConfiguration", rules.map(writeRule).join(""));
}

function readRule(fields: ElementReader): CorsRule {
  const id = fields.textMaybe("ID");
  const allowedOrigins = fields.texts("AllowedOrigin");
  const allowedMethods = fields.texts("AllowedMethod").map(methodOf);
  const allowedHeaders = fields.texts("AllowedHeader");
  const exposeHeaders = fields.texts("ExposeHeader");
  const maxAgeSeconds = fields.integerMaybe("MaxAgeSeconds");
  if (allowedOrigins.length === 0 || allowedMethods.length === 0) {
    throw fields.malformed("a rule needs an <AllowedOrigin> and an <AllowedMethod>");
  }
  if (maxAgeSeconds !== undefined && maxAgeSeconds < 0) throw fields.malformed("<MaxAgeSeconds> must not be negative");
  if (id !== undefined && id.length > idCharactersMax)
    throw refused("The ID of a CORS rule has at most 255 characters.");
  for (const pattern of [...allowedOrigins, ...allowedHeaders]) {
    if (pattern.indexOf("*") !== pattern.lastIndexOf("*")) {
      throw refused("An AllowedOrigin or AllowedHeader can not have more than one wildcard.");
    }
  }
  if (exposeHeaders.some((header) => header.includes("*"))) throw refused("An ExposeHeader can not have a wildcard.");
  // They are answered in a header.
  if (!exposeHeaders.every((header) => headerName.test(header)))
    throw refused("An ExposeHeader is the name of a header.");
  return {
    ...(id !== undefined && { id }),
    allowedOrigins,
    allowedMethods,
    allowedHeaders,
    exposeHeaders,
    ...(maxAgeSeconds !== undefined && { maxAgeSeconds }),
  };
}

function methodOf(text: string): CorsMethod {
  const method = methods.find((it) => it === text);
  if (method === undefined) throw refused("Found unsupported HTTP method in CORS config.");
  return method;
}

function writeRule(rule: CorsRule): string {
  const each = (name: string, values: readonly string[]) => values.map((value) => leaf(name, value)).join("");
  return nest(
    "CORSRule",
    leaf("ID", rule.id) +
      each("AllowedHeader", rule.allowedHeaders) +
      each("AllowedMethod", rule.allowedMethods) +
      each("AllowedOrigin", rule.allowedOrigins) +
      each("ExposeHeader", rule.exposeHeaders) +
      leaf("MaxAgeSeconds", rule.maxAgeSeconds),
  );
}

function refused(message: string): S3Error {
  return new S3Error("InvalidRequest", message);
}
