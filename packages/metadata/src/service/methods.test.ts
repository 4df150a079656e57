import { expect, test } from "vitest";
import { dataPathMethods, membershipMethods, metadataMethods } from "./methods.ts";

test("gateways reach every method, SDKs those of the data path, nodes those of membership", () => {
  expect(membershipMethods).toEqual(["register", "heartbeat"]);
  for (const method of dataPathMethods) expect(metadataMethods).toContain(method);
  expect(metadataMethods).toContain("createToken");
  expect(dataPathMethods).not.toContain("createToken");
  expect(dataPathMethods).not.toContain("authenticate");
  expect(new Set(metadataMethods).size).toBe(metadataMethods.length);
});
