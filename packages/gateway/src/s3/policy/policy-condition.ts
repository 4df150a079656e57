import { BlockList, isIPv4, isIPv6 } from "node:net";
import { matchesWildcard } from "./wildcard.ts";

/** One condition of a statement: it holds for one of the values, or for none of them where it is negated. */
export interface PolicyCondition {
  readonly test: "equals" | "like" | "address" | "bool";
  readonly negated: boolean;
  /** In lower case. */
  readonly key: string;
  readonly values: readonly string[];
}

/** What a request is, by condition key in lower case; what is absent is not known of it. */
export type PolicyContext = ReadonlyMap<string, string>;

/** Operators that a policy may use. */
export const conditionOperators: Readonly<Record<string, Pick<PolicyCondition, "test" | "negated">>> = {
  StringEquals: { test: "equals", negated: false },
  StringNotEquals: { test: "equals", negated: true },
  StringLike: { test: "like", negated: false },
  StringNotLike: { test: "like", negated: true },
  IpAddress: { test: "address", negated: false },
  NotIpAddress: { test: "address", negated: true },
  Bool: { test: "bool", negated: false },
};

const texts: readonly PolicyCondition["test"][] = ["equals", "like"];

/** What conditions may ask, and with which operators. */
export const conditionKeys: Readonly<Record<string, readonly PolicyCondition["test"][]>> = {
  "aws:sourceip": ["address"],
  "aws:securetransport": ["bool"],
  "aws:referer": texts,
  "aws:useragent": texts,
  "s3:prefix": texts,
  "s3:delimiter": texts,
};

/** True when the value can be compared in this way. */
export function isConditionValue(test: PolicyCondition["test"], value: string): boolean {
  if (test === "bool") return value === "true" || value === "false";
  return test !== "address" || networkOf(value) !== undefined;
}

/** What a request does not have is equal to nothing. */
export function conditionHolds({ test, negated, key, values }: PolicyCondition, context: PolicyContext): boolean {
  const actual = context.get(key);
  const found = actual !== undefined && values.some((value) => sameIn(test, value, actual));
  return found !== negated;
}

function sameIn(test: PolicyCondition["test"], value: string, actual: string): boolean {
  if (test === "like") return matchesWildcard(value, actual);
  return test === "address" ? isWithin(value, actual) : value === actual;
}

/** True when an address range has all addresses in it. */
export function isEverywhere(range: string): boolean {
  return networkOf(range)?.prefix === 0;
}

function isWithin(range: string, address: string): boolean {
  const network = networkOf(range);
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, "");
  const family = isIPv4(plain) ? "ipv4" : "ipv6";
  if (!network || network.family !== family || (family === "ipv6" && !isIPv6(plain))) return false;
  const list = new BlockList();
  list.addSubnet(network.address, network.prefix, family);
  return list.check(plain, family);
}

/** `address` or `address/prefix`. */
function networkOf(text: string): { address: string; prefix: number; family: "ipv4" | "ipv6" } | undefined {
  const [, address = "", length] = /^([0-9a-fA-F.:]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const family = isIPv4(address) ? "ipv4" : isIPv6(address) ? "ipv6" : undefined;
  const bits = family === "ipv4" ? 32 : 128;
  const prefix = length === undefined ? bits : Number(length);
  return family && prefix <= bits ? { address, prefix, family } : undefined;
}
