import { describe, expect, test } from "vitest";
import { s3Routes } from "../s3-routes.ts";
import { isPublic, type PolicyQuestion, verdictOf } from "./bucket-policy.ts";
import { actionOf, policyActions } from "./policy-actions.ts";
import { readPolicy } from "./policy-reader.ts";
import { matchesWildcard } from "./wildcard.ts";

const key = "CAIRNAAAAAAAAAAAAAAA";
const allow = { Effect: "Allow", Principal: "*", Action: "s3:GetObject", Resource: "arn:aws:s3:::b/*" };
const policy = (...statements: object[]) => JSON.stringify({ Version: "2012-10-17", Statement: statements });
const read = (...statements: object[]) => readPolicy(policy(...statements), "b");
const ask = (question: Partial<PolicyQuestion>): PolicyQuestion => ({
  ...{ principal: undefined, action: "s3:GetObject", resource: "b/a.txt", context: new Map() },
  ...question,
});

test("a policy lets in whom it names, to what it names", () => {
  const rules = read(allow, { ...allow, Principal: { AWS: [key] }, Action: ["s3:Put*", "S3:deleteobject"] });
  expect(verdictOf(rules, ask({}))).toBe("allow");
  expect(verdictOf(rules, ask({ resource: "b" }))).toBe("silent");
  expect(verdictOf(rules, ask({ action: "s3:PutObject" }))).toBe("silent");
  expect(verdictOf(rules, ask({ action: "s3:PutObject", principal: key }))).toBe("allow");
  expect(verdictOf(rules, ask({ action: "s3:DeleteObject", principal: key }))).toBe("allow");
  expect(verdictOf(rules, ask({ action: "s3:DeleteObject", principal: key.replace("A", "B") }))).toBe("silent");
});

test("what forbids is stronger, whatever stands first", () => {
  const deny = { ...allow, Effect: "Deny", Resource: "arn:aws:s3:::b/secret/*" };
  for (const rules of [read(allow, deny), read(deny, allow)]) {
    expect(verdictOf(rules, ask({ resource: "b/secret/x" }))).toBe("deny");
    expect(verdictOf(rules, ask({ resource: "b/secret/x", principal: key }))).toBe("deny");
    expect(verdictOf(rules, ask({ resource: "b/secret" }))).toBe("allow");
  }
});

describe("conditions", () => {
  test.each<[object, Record<string, string>, boolean]>([
    [{ IpAddress: { "aws:SourceIp": "10.0.0.0/8" } }, { "aws:sourceip": "10.1.2.3" }, true],
    [{ IpAddress: { "aws:SourceIp": "10.0.0.0/8" } }, { "aws:sourceip": "::ffff:10.1.2.3" }, true],
    [{ IpAddress: { "aws:SourceIp": ["192.0.2.1", "2001:db8::/32"] } }, { "aws:sourceip": "2001:db8::1" }, true],
    [{ IpAddress: { "aws:SourceIp": "10.0.0.0/8" } }, { "aws:sourceip": "11.0.0.1" }, false],
    [{ IpAddress: { "aws:SourceIp": "10.0.0.0/8" } }, {}, false],
    [{ NotIpAddress: { "aws:SourceIp": "10.0.0.0/8" } }, { "aws:sourceip": "11.0.0.1" }, true],
    [{ NotIpAddress: { "aws:SourceIp": "10.0.0.0/8" } }, { "aws:sourceip": "10.0.0.1" }, false],
    [{ StringEquals: { "s3:prefix": ["", "home/"] } }, { "s3:prefix": "home/" }, true],
    [{ StringEquals: { "s3:prefix": "home/" } }, {}, false],
    [{ StringNotEquals: { "s3:prefix": "home/" } }, {}, true],
    [{ StringLike: { "aws:Referer": "https://*.example/*" } }, { "aws:referer": "https://a.example/x" }, true],
    [{ StringNotLike: { "aws:UserAgent": "*bot*" } }, { "aws:useragent": "a bot" }, false],
    [{ Bool: { "aws:SecureTransport": "true" } }, { "aws:securetransport": "false" }, false],
    [{ Bool: { "aws:SecureTransport": false } }, { "aws:securetransport": "false" }, true],
    [
      { IpAddress: { "aws:SourceIp": "10.0.0.0/8" }, StringEquals: { "s3:prefix": "a" } },
      { "aws:sourceip": "10.0.0.1", "s3:prefix": "b" },
      false,
    ],
  ])("%j of %j: %s", (Condition, context, holds) => {
    const rules = read({ ...allow, Condition });
    expect(verdictOf(rules, ask({ context: new Map(Object.entries(context)) }))).toBe(holds ? "allow" : "silent");
  });
});

describe("a policy that is not understood in every part is MalformedPolicy", () => {
  test.each<[string, string]>([
    ["nothing", ""],
    ["no JSON", "{"],
    ["a list", "[]"],
    ["no statement", '{"Version":"2012-10-17"}'],
    ["an empty list", policy()],
    ["another version", JSON.stringify({ Version: "2030-01-01", Statement: allow })],
    ["an unknown member", JSON.stringify({ Statement: allow, Extra: 1 })],
    [
      "a member twice",
      '{"Statement":[{"Effect":"Deny","Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::b"}]}',
    ],
    ["an unknown member of a statement", policy({ ...allow, Extra: 1 })],
    ["NotPrincipal", policy({ ...allow, NotPrincipal: "*" })],
    ["NotAction", policy({ ...allow, Action: undefined, NotAction: "s3:*" })],
    ["NotResource", policy({ ...allow, Resource: undefined, NotResource: "*" })],
    ["no principal", policy({ ...allow, Principal: undefined })],
    ["an account", policy({ ...allow, Principal: { AWS: "arn:aws:iam::123456789012:root" } })],
    ["a service", policy({ ...allow, Principal: { Service: "logging.s3.amazonaws.com" } })],
    ["no principals", policy({ ...allow, Principal: { AWS: [] } })],
    ["another effect", policy({ ...allow, Effect: "allow" })],
    ["an unknown action", policy({ ...allow, Action: "s3:FlyObject" })],
    ["an action of another service", policy({ ...allow, Action: "sqs:*" })],
    ["any action", policy({ ...allow, Action: "*" })],
    ["another bucket", policy({ ...allow, Resource: "arn:aws:s3:::other/*" })],
    ["a bucket that begins alike", policy({ ...allow, Resource: "arn:aws:s3:::bb/*" })],
    ["all buckets", policy({ ...allow, Resource: "arn:aws:s3:::*" })],
    ["any resource", policy({ ...allow, Resource: "*" })],
    ["an action on a bucket for objects", policy({ ...allow, Action: "s3:ListBucket" })],
    ["an action on objects for a bucket", policy({ ...allow, Resource: "arn:aws:s3:::b" })],
    ["an unknown operator", policy({ ...allow, Condition: { StringMatches: { "s3:prefix": "a" } } })],
    ["an operator that may be absent", policy({ ...allow, Condition: { StringEqualsIfExists: { "s3:prefix": "a" } } })],
    ["an inherited operator", policy({ ...allow, Condition: { constructor: { "s3:prefix": "a" } } })],
    ["an unknown key", policy({ ...allow, Condition: { StringEquals: { "aws:PrincipalOrgID": "o" } } })],
    ["an inherited key", policy({ ...allow, Condition: { StringEquals: { toString: "o" } } })],
    [
      "an operator that does not fit",
      policy({ ...allow, Condition: { StringEquals: { "aws:SourceIp": "10.0.0.1" } } }),
    ],
    ["no address", policy({ ...allow, Condition: { IpAddress: { "aws:SourceIp": "10.0.0.0/33" } } })],
    ["no value", policy({ ...allow, Condition: { StringEquals: { "s3:prefix": [] } } })],
    ["a number", policy({ ...allow, Condition: { StringEquals: { "s3:prefix": 1 } } })],
    ["neither true nor false", policy({ ...allow, Condition: { Bool: { "aws:SecureTransport": "yes" } } })],
  ])("%s", (_what, text) => {
    expect(() => readPolicy(text, "b")).toThrow(expect.objectContaining({ code: "MalformedPolicy" }));
  });
});

test("a policy is public when it lets in everybody from anywhere", () => {
  const from = (range: string) => ({ ...allow, Condition: { IpAddress: { "aws:SourceIp": range } } });
  expect(isPublic(read(allow))).toBe(true);
  expect(isPublic(read(from("10.0.0.0/8")))).toBe(false);
  expect(isPublic(read(from("0.0.0.0/0")))).toBe(true);
  expect(isPublic(read({ ...allow, Condition: { StringLike: { "aws:Referer": "x" } } }))).toBe(true);
  expect(isPublic(read({ ...allow, Principal: { AWS: key } }))).toBe(false);
  expect(isPublic(read({ ...allow, Effect: "Deny" }))).toBe(false);
});

test("a policy knows what every operation is called", () => {
  const known = [...policyActions.object, ...policyActions.bucket];
  for (const [level, routes] of Object.entries(s3Routes).filter(([level]) => level !== "account")) {
    const actions = Object.values(routes).map(({ name }) => actionOf(name) ?? "s3:DeleteObject");
    expect([level, actions.filter((action) => !known.includes(action))]).toEqual([level, []]);
  }
});

test("A54 wildcards match as they read, and a bomb of them is no work", () => {
  for (const [pattern, text, matches] of [
    ["*", "", true],
    ["a*c", "abbc", true],
    ["a*c", "abb", false],
    ["a?c", "abc", true],
    ["a?c", "ac", false],
    ["*a*b", "xaxxb", true],
    ["a", "ab", false],
    ["", "a", false],
    ["a.c", "abc", false],
  ] as const)
    expect([pattern, text, matchesWildcard(pattern, text)]).toEqual([pattern, text, matches]);
  expect(matchesWildcard(`${"a*".repeat(500)}b`, "a".repeat(1024))).toBe(false);
});
