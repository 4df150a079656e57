import type { DriveId } from "@cairn/protocol";
import { expect, test } from "vitest";
import { parseAddress, queryOf, withinDrive } from "./address.ts";

const id = "f_01j9zk3m5n7p9q1r3s5t7v9w1x";
const drive = "dr_1" as DriveId;

test("an address is a path, a whole id in either case, or the beginning of one", () => {
  expect(parseAddress("/a/b.txt")).toEqual({ path: "/a/b.txt" });
  expect(parseAddress(id)).toEqual({ id });
  expect(parseAddress(id.toUpperCase())).toEqual({ id });
  expect(parseAddress("f_01j9zk")).toEqual({ idPrefix: "f_01j9zk" });
  expect(withinDrive(parseAddress("f_01j9zk"), drive)).toEqual({ drive, idPrefix: "f_01j9zk" });
  expect(withinDrive(parseAddress(id), drive)).toEqual({ id });
  expect(queryOf(parseAddress("f_01j9zk"))).toEqual({ id: "f_01j9zk" });
});

test.each(["", "a.txt", "f_", "../x", "v_01j9zk"])("%j is neither", (text) => {
  expect(() => parseAddress(text)).toThrow(/invalid/);
});
