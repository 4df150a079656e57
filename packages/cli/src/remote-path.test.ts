import { expect, test } from "vitest";
import { joinRemote, looksLikeId, remoteAddress, remoteName, remoteParent, remotePath } from "./remote-path.ts";

test("ids stay, paths become absolute", () => {
  expect(remoteAddress("f_01J9zk")).toBe("f_01J9zk");
  expect(remoteAddress("photos//2026/")).toBe("/photos/2026");
  expect(remoteAddress("/")).toBe("/");
  expect(remoteAddress("")).toBe("/");
});

test("a path that looks a little like an id is a path", () => {
  for (const path of ["/f_01j9", "f_01j9.txt", "x/f_01j9", "f_"]) expect(looksLikeId(path)).toBe(false);
});

test("paths come apart and together again", () => {
  expect(remotePath("a/b")).toBe("/a/b");
  expect([remoteParent("/a/b"), remoteName("/a/b")]).toEqual(["/a", "b"]);
  expect([remoteParent("/b"), remoteName("/b")]).toEqual(["/", "b"]);
  expect([joinRemote("/", "b"), joinRemote("/a", "b")]).toEqual(["/b", "/a/b"]);
});
