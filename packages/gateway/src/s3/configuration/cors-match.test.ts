import { expect, test } from "vitest";
import type { CorsRule } from "../xml/cors-configuration.ts";
import { corsHeaders, matchingRule } from "./cors-match.ts";

const rule = (given: Partial<CorsRule>): CorsRule => ({
  ...{ allowedOrigins: ["https://app.example"], allowedMethods: ["GET"], allowedHeaders: [], exposeHeaders: [] },
  ...given,
});
const get = (origin: string, headers: readonly string[] = []) => ({ origin, method: "GET", headers });

test("the first rule that allows origin, method and all headers decides", () => {
  const rules = [
    rule({ id: "put", allowedMethods: ["PUT"], allowedHeaders: ["content-type", "X-Amz-*"] }),
    rule({ id: "get" }),
    rule({ id: "all", allowedOrigins: ["*"] }),
  ];
  const find = (request: Parameters<typeof matchingRule>[1]) => matchingRule(rules, request)?.id;
  expect(find(get("https://app.example"))).toBe("get");
  expect(find(get("https://other.example"))).toBe("all");
  expect(find({ ...get("https://app.example", ["x-amz-date", "Content-Type"]), method: "PUT" })).toBe("put");
  expect(find({ ...get("https://app.example", ["x-amz-date", "authorization"]), method: "PUT" })).toBeUndefined();
  expect(find({ ...get("https://other.example"), method: "PUT" })).toBeUndefined();
  expect(find({ ...get("https://app.example"), method: "PATCH" })).toBeUndefined();
});

test("A44: a wildcard stands for any characters, and its two sides do not overlap", () => {
  const rules = [rule({ allowedOrigins: ["https://*.example.com"] })];
  const found = (origin: string) => matchingRule(rules, get(origin)) !== undefined;
  expect(found("https://a.b.example.com")).toBe(true);
  expect(found("https://.example.com")).toBe(true);
  expect(found("https://example.com")).toBe(false);
  expect(found("http://a.example.com")).toBe(false);
  expect(found("https://a.example.com.evil.org")).toBe(false);
  expect(found("null")).toBe(false);
  expect(matchingRule([rule({ allowedOrigins: ["aba*aba"] })], get("aba"))).toBeUndefined();
});

test("A44: credentials go with an origin that is named, never with all", () => {
  const request = { ...get("https://app.example", ["X-Amz-Date"]) };
  expect(corsHeaders(rule({ exposeHeaders: ["ETag", "x-amz-version-id"], maxAgeSeconds: 600 }), request)).toEqual({
    "access-control-allow-origin": "https://app.example",
    "access-control-allow-methods": "GET",
    "access-control-allow-headers": "x-amz-date",
    "access-control-expose-headers": "ETag, x-amz-version-id",
    "access-control-max-age": "600",
    "access-control-allow-credentials": "true",
  });
  expect(corsHeaders(rule({ allowedOrigins: ["*"] }), get("https://app.example"))).toEqual({
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "GET",
  });
});
