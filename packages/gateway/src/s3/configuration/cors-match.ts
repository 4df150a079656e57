import type { CorsMethod, CorsRule } from "../xml/cors-configuration.ts";

/** What a page asks for, or does. */
export interface CorsRequest {
  readonly origin: string;
  readonly method: string;
  /** Names that the page wants to send; only a preflight names them. */
  readonly headers: readonly string[];
}

/** The first rule that allows this all; the rules are looked at in their order. */
export function matchingRule(
  rules: readonly CorsRule[],
  { origin, method, headers }: CorsRequest,
): CorsRule | undefined {
  return rules.find(
    (rule) =>
      rule.allowedMethods.includes(method as CorsMethod) &&
      rule.allowedOrigins.some((pattern) => matches(pattern, origin)) &&
      headers.every((name) =>
        rule.allowedHeaders.some((pattern) => matches(pattern.toLowerCase(), name.toLowerCase())),
      ),
  );
}

/** What the rule lets the page see. `headers` are told only to a preflight. */
export function corsHeaders(rule: CorsRule, { origin, headers }: CorsRequest): Record<string, string> {
  const toAll = rule.allowedOrigins.includes("*");
  return {
    "access-control-allow-origin": toAll ? "*" : origin,
    "access-control-allow-methods": rule.allowedMethods.join(", "),
    ...(headers.length > 0 ? { "access-control-allow-headers": headers.join(", ").toLowerCase() } : {}),
    ...(rule.exposeHeaders.length > 0 ? { "access-control-expose-headers": rule.exposeHeaders.join(", ") } : {}),
    ...(rule.maxAgeSeconds === undefined ? {} : { "access-control-max-age": String(rule.maxAgeSeconds) }),
    // What is for everybody is for nobody in particular.
    ...(toAll ? {} : { "access-control-allow-credentials": "true" }),
  };
}

/** A pattern has at most one `*`, which stands for any characters or none. */
function matches(pattern: string, text: string): boolean {
  const star = pattern.indexOf("*");
  if (star < 0) return pattern === text;
  return (
    text.length >= pattern.length - 1 &&
    text.startsWith(pattern.slice(0, star)) &&
    text.endsWith(pattern.slice(star + 1))
  );
}
