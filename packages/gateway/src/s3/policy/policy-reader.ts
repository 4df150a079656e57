import { S3Error } from "../s3-error.ts";
import type { BucketPolicy, PolicyStatement } from "./bucket-policy.ts";
import { policyActions } from "./policy-actions.ts";
import { conditionKeys, conditionOperators, isConditionValue, type PolicyCondition } from "./policy-condition.ts";
import { matchesWildcard } from "./wildcard.ts";

/** As S3: bytes of a policy. */
export const policyBytesMax: number = 20 * 1024;
const versions = ["2012-10-17", "2008-10-17"];
const resourcePrefix = "arn:aws:s3:::";

/**
 * Reads the policy of a bucket (docs/s3.md says which part of the language). Throws MalformedPolicy for whatever is not
 * understood: a statement that is ignored would let in or shut out the wrong ones.
 */
export function readPolicy(text: string, bucket: string): BucketPolicy {
  const document = objectOf(parse(text), ["Version", "Id", "Statement"]);
  const { Version: version = "2008-10-17", Id: id = "", Statement: statements } = document;
  if (!versions.includes(version as string)) throw malformed("The policy must contain a valid version string");
  if (typeof id !== "string") throw malformed("The Id must be text");
  const list = Array.isArray(statements) ? statements : [statements];
  if (list.length === 0) throw malformed("Could not parse the policy: Statement is empty!");
  return list.map((statement) => readStatement(statement, bucket));
}

function readStatement(value: unknown, bucket: string): PolicyStatement {
  const fields = objectOf(value, ["Sid", "Effect", "Principal", "Action", "Resource", "Condition"]);
  const { Sid: sid = "", Effect: effect, Principal: principal, Condition: condition } = fields;
  if (typeof sid !== "string") throw malformed("The Sid must be text");
  if (effect !== "Allow" && effect !== "Deny") throw malformed("The Effect must be Allow or Deny");
  const actions = textsOf(fields["Action"], "Action");
  const resources = textsOf(fields["Resource"], "Resource").map((arn) => readResource(arn, bucket));
  for (const action of actions) checkAction(action, resources);
  return {
    ...{ effect, principals: readPrincipals(principal), resources },
    actions: actions.map((action) => action.toLowerCase()),
    conditions: condition === undefined ? [] : readConditions(condition),
  };
}

function readPrincipals(value: unknown): PolicyStatement["principals"] {
  if (value === "*") return "everybody";
  const { AWS: given } = objectOf(value, ["AWS"]);
  const ids = textsOf(given, "Principal");
  if (ids.includes("*")) return "everybody";
  // Keys are not known by the names of accounts: one that is not meant would be let in or shut out.
  for (const id of ids) if (!/^[A-Z0-9]{20}$/.test(id)) throw malformed("Invalid principal in policy");
  return ids;
}

function readResource(arn: string, bucket: string): string {
  const resource = arn.startsWith(resourcePrefix) ? arn.slice(resourcePrefix.length) : "";
  if (resource === bucket || resource.startsWith(`${bucket}/`)) return resource;
  throw malformed("Policy has invalid resource");
}

/** An action that nothing can be asked of would be a rule that never holds. */
function checkAction(pattern: string, resources: readonly string[]): void {
  const known = (["object", "bucket"] as const).filter((kind) =>
    policyActions[kind].some((action) => matchesWildcard(pattern.toLowerCase(), action.toLowerCase())),
  );
  if (known.length === 0 || !/^s3:/i.test(pattern)) throw malformed("Policy has invalid action");
  const fits = resources.some((resource) => known.includes(resource.includes("/") ? "object" : "bucket"));
  if (!fits) throw malformed("Action does not apply to any resource(s) in statement");
}

function readConditions(value: unknown): readonly PolicyCondition[] {
  return Object.entries(objectOf(value)).flatMap(([operator, operands]) => {
    const kind = Object.hasOwn(conditionOperators, operator) ? conditionOperators[operator] : undefined;
    if (!kind) throw malformed(`Invalid Condition type: ${operator.slice(0, 100)}`);
    return Object.entries(objectOf(operands)).map(([name, given]): PolicyCondition => {
      const key = name.toLowerCase();
      const tests = Object.hasOwn(conditionKeys, key) ? conditionKeys[key] : undefined;
      if (!tests?.includes(kind.test)) throw malformed(`Policy has an invalid condition key: ${name.slice(0, 100)}`);
      const values = valuesOf(typeof given === "boolean" ? String(given) : given);
      if (!values.every((it) => isConditionValue(kind.test, it))) throw malformed("Invalid value in a Condition");
      return { ...kind, key, values };
    });
  });
}

/** One text or a list of them, none of them empty. */
function textsOf(value: unknown, what: string): readonly string[] {
  const list = listOf(value);
  if (list?.every((it) => it !== "")) return list;
  throw malformed(`Missing or invalid ${what} in policy`);
}

function valuesOf(value: unknown): readonly string[] {
  const list = listOf(value);
  if (list) return list;
  throw malformed("Invalid value in a Condition");
}

function listOf(value: unknown): readonly string[] | undefined {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  return list.length > 0 && list.every((it) => typeof it === "string") ? (list as readonly string[]) : undefined;
}

/** `names`: the members that it may have; absent: any. */
function objectOf(value: unknown, names?: readonly string[]): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw malformed("Policies must be objects");
  const strange = Object.keys(value).find((name) => names && !names.includes(name));
  if (strange !== undefined) throw malformed(`Unknown field ${strange.slice(0, 100)}`);
  return value as Record<string, unknown>;
}

function parse(text: string): unknown {
  try {
    const value = JSON.parse(text) as unknown;
    // Of two members of one name the first is lost when it is parsed.
    const members = [...text.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?/g)].filter(([, colon]) => colon !== undefined).length;
    if (members === membersOf(value)) return value;
  } catch {
    throw malformed("Policies must be valid JSON and the first byte must be '{'");
  }
  throw malformed("A field stands twice");
}

function membersOf(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  const inner = Object.values(value).reduce((sum: number, it) => sum + membersOf(it), 0);
  return inner + (Array.isArray(value) ? 0 : Object.keys(value).length);
}

function malformed(why: string): S3Error {
  return new S3Error("MalformedPolicy", why);
}
