import { describe, expect, test } from "vitest";
import { isSafeName } from "./remote-tree.ts";

describe("a name from the drive", () => {
  test.each(["a", "a b", "…", "-rf", "Zürich", "a\nb", "x".repeat(255), "..."])("%j may be used here", (name) => {
    expect(isSafeName(name, "linux")).toBe(true);
  });

  test.each(["", ".", "..", "a/b", "/etc/passwd", "../x", "a\0b"])("%j may not lead out of its folder", (name) => {
    expect(isSafeName(name, "linux")).toBe(false);
    expect(isSafeName(name, "win32")).toBe(false);
  });

  test.each(["a\\b", "C:", "a:stream", "nul", "CON.txt", "a ", "a.", "a\nb", "com1"])(
    "%j may not be used on Windows, where it means something",
    (name) => {
      expect(isSafeName(name, "win32")).toBe(false);
      expect(isSafeName(name, "linux")).toBe(true);
    },
  );
});
