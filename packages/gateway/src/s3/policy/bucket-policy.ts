import { conditionHolds, isEverywhere, type PolicyCondition, type PolicyContext } from "./policy-condition.ts";
import { matchesWildcard } from "./wildcard.ts";

/** Who may, or may not, do what with what. */
export interface PolicyStatement {
  readonly effect: "Allow" | "Deny";
  /** Ids of access keys; everybody, with a key or without. */
  readonly principals: "everybody" | readonly string[];
  /** Patterns in lower case. */
  readonly actions: readonly string[];
  /** Patterns of `bucket` or `bucket/key`. */
  readonly resources: readonly string[];
  readonly conditions: readonly PolicyCondition[];
}

export type BucketPolicy = readonly PolicyStatement[];

/** What a policy is asked about. */
export interface PolicyQuestion {
  /** Id of the access key; undefined: nobody has signed. */
  readonly principal: string | undefined;
  readonly action: string;
  /** `bucket` or `bucket/key`. */
  readonly resource: string;
  readonly context: PolicyContext;
}

/** What forbids is stronger than what allows; "silent" when nothing speaks of it. */
export function verdictOf(policy: BucketPolicy, question: PolicyQuestion): "allow" | "deny" | "silent" {
  const speaking = policy.filter((statement) => speaksOf(statement, question));
  if (speaking.some(({ effect }) => effect === "Deny")) return "deny";
  return speaking.length > 0 ? "allow" : "silent";
}

/** True when it allows something to everybody from anywhere. */
export function isPublic(policy: BucketPolicy): boolean {
  return policy.some(
    ({ effect, principals, conditions }) =>
      effect === "Allow" &&
      principals === "everybody" &&
      !conditions.some(({ test, negated, values }) => test === "address" && !negated && !values.some(isEverywhere)),
  );
}

function speaksOf(statement: PolicyStatement, { principal, action, resource, context }: PolicyQuestion): boolean {
  const { principals, actions, resources, conditions } = statement;
  return (
    (principals === "everybody" || (principal !== undefined && principals.includes(principal))) &&
    actions.some((pattern) => matchesWildcard(pattern, action.toLowerCase())) &&
    resources.some((pattern) => matchesWildcard(pattern, resource)) &&
    conditions.every((condition) => conditionHolds(condition, context))
  );
}
