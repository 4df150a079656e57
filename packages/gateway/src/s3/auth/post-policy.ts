import { S3Error } from "../s3-error.ts";

/** One condition of a policy. `field` in lower case. */
export type PolicyCondition =
  | { readonly kind: "eq" | "starts-with"; readonly field: string; readonly value: string }
  | { readonly kind: "content-length-range"; readonly min: number; readonly max: number };

/** What the owner of a key allows a form to send (S3 API reference, "POST policy"). */
export interface PostPolicy {
  readonly expirationMs: number;
  readonly conditions: readonly PolicyCondition[];
}

/** The form that a policy is asked about. */
export interface PostForm {
  readonly bucket: string;
  /** Names in lower case, without `file`. */
  readonly fields: ReadonlyMap<string, string>;
}

const policyCharactersMax = 64 * 1024;
const conditionsMax = 100;
/** What cannot be, or need not be, in the policy that it belongs to. */
const uncovered: ReadonlySet<string> = new Set(["x-amz-signature", "file", "policy"]);
/** RFC 3339, in UTC. */
const dateForm = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/;

/** Reads the field `policy`. Throws InvalidPolicyDocument. */
export function readPostPolicy(base64: string): PostPolicy {
  const document = objectOf(parse(base64), "it is not an object");
  const names = Object.keys(document);
  if (names.some((name) => name !== "expiration" && name !== "conditions")) throw invalid("it has unknown elements");
  const { expiration, conditions } = document;
  const expirationMs =
    typeof expiration === "string" && dateForm.test(expiration) ? Date.parse(expiration) : Number.NaN;
  if (Number.isNaN(expirationMs)) throw invalid("its expiration is not a date");
  if (!Array.isArray(conditions) || conditions.length > conditionsMax) throw invalid("its conditions are not a list");
  return { expirationMs, conditions: conditions.flatMap(conditionsOf) };
}

/** Throws AccessDenied when the policy has expired, a condition fails, or a field is sent that no condition speaks of. */
export function checkPostPolicy(policy: PostPolicy, { bucket, fields }: PostForm, nowMs: number): void {
  if (policy.expirationMs <= nowMs) throw denied("Policy expired.");
  const covered = new Set<string>();
  for (const condition of policy.conditions) {
    if (condition.kind === "content-length-range") continue;
    covered.add(condition.field);
    // The bucket is that of the request, whatever a field says.
    const value = condition.field === "bucket" ? bucket : (fields.get(condition.field) ?? "");
    if (holds(condition, value)) continue;
    throw denied(`Policy Condition failed: ["${condition.kind}", "$${condition.field}", "${condition.value}"]`);
  }
  const extra = [...fields.keys()].filter(
    (name) => !covered.has(name) && !uncovered.has(name) && !name.startsWith("x-ignore-"),
  );
  if (extra.length > 0) throw denied(`Extra input fields: ${extra.join(", ").slice(0, 400)}`);
}

/** Bytes that the file may have: the narrowest of all ranges. */
export function postSizeRange({ conditions }: PostPolicy): { readonly min: number; readonly max: number } {
  const ranges = conditions.filter((condition) => condition.kind === "content-length-range");
  return {
    min: Math.max(0, ...ranges.map(({ min }) => min)),
    max: Math.min(Number.MAX_SAFE_INTEGER, ...ranges.map(({ max }) => max)),
  };
}

/** Throws EntityTooSmall, EntityTooLarge. To be asked with the bytes that came, and earlier when they are too many. */
export function checkPostSize(policy: PostPolicy, bytes: number): void {
  const { min, max } = postSizeRange(policy);
  const details = { ProposedSize: `${bytes}` };
  if (bytes < min) throw new S3Error("EntityTooSmall", undefined, { ...details, MinSizeAllowed: `${min}` });
  if (bytes > max) throw new S3Error("EntityTooLarge", undefined, { ...details, MaxSizeAllowed: `${max}` });
}

function holds(
  { kind, field, value }: Exclude<PolicyCondition, { kind: "content-length-range" }>,
  sent: string,
): boolean {
  if (kind === "eq") return sent === value;
  // A list of types must begin as allowed in each of its parts.
  if (field === "content-type" && value !== "") return sent.split(",").every((part) => part.trim().startsWith(value));
  return sent.startsWith(value);
}

function conditionsOf(condition: unknown): readonly PolicyCondition[] {
  if (Array.isArray(condition)) return [listedCondition(condition)];
  const entries = Object.entries(objectOf(condition, "a condition is neither a list nor an object"));
  if (entries.length === 0) throw invalid("a condition is empty");
  return entries.map(([name, value]) => {
    if (typeof value !== "string") throw invalid("the value of a condition is not text");
    return { kind: "eq", field: name.toLowerCase(), value };
  });
}

function listedCondition(condition: readonly unknown[]): PolicyCondition {
  const [name, first, second] = condition;
  const kind = typeof name === "string" ? name.toLowerCase() : "";
  if (condition.length !== 3) throw invalid("a condition has not three parts");
  if (kind === "content-length-range") {
    const [min, max] = [sizeOf(first), sizeOf(second)];
    if (min > max) throw invalid("a content-length-range is empty");
    return { kind, min, max };
  }
  if (kind !== "eq" && kind !== "starts-with") throw invalid("a condition is of an unknown kind");
  if (typeof first !== "string" || !/^\$./s.test(first)) throw invalid("a condition names no $field");
  if (typeof second !== "string") throw invalid("the value of a condition is not text");
  return { kind, field: first.slice(1).toLowerCase(), value: second };
}

/** SDKs write the numbers of a range also as text. */
function sizeOf(value: unknown): number {
  const size = typeof value === "string" && /^\d{1,15}$/.test(value) ? Number(value) : value;
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) throw invalid("a size is not a number");
  return size;
}

function parse(base64: string): unknown {
  const compact = base64.replaceAll(/[\r\n]/g, "");
  if (compact.length > policyCharactersMax || !/^[A-Za-z0-9+/]+={0,2}$/.test(compact))
    throw invalid("it is not Base64");
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(Buffer.from(compact, "base64")));
  } catch {
    throw invalid("it is not JSON");
  }
}

function objectOf(value: unknown, why: string): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw invalid(why);
  return value as Record<string, unknown>;
}

function invalid(why: string): S3Error {
  return new S3Error("InvalidPolicyDocument", `Invalid Policy: ${why}.`);
}

function denied(why: string): S3Error {
  return new S3Error("AccessDenied", `Invalid according to Policy: ${why}`);
}
