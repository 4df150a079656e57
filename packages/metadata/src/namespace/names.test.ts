import { limits, utf8 } from "@cairn/protocol";
import fc from "fast-check";
import { expect, test } from "vitest";
import { fileSortName, folderSortName, nameBytes, numberedName, parsePath } from "./names.ts";

test("a path is its names; a '/' at the end says: a folder", () => {
  expect(parsePath("/")).toEqual({ names: [], folderOnly: true });
  expect(parsePath("/a/b c")).toEqual({ names: ["a", "b c"], folderOnly: false });
  expect(parsePath("/a/b/")).toEqual({ names: ["a", "b"], folderOnly: true });
});

test("paths that name nothing are refused", () => {
  const bad = ["", "a", "//", "/a//b", "/a//", "/./a", "/a/..", `/${"a/".repeat(2500)}`, "/\ud83d/x"];
  for (const path of bad) expect(() => parsePath(path), path.slice(0, 20)).toThrow(/invalid/);
});

test("any well-formed text without '/' and NUL is a name, byte for byte", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", minLength: 1, maxLength: 60 }), (text) => {
      fc.pre(!/[/\0]/.test(text) && text !== "." && text !== "..");
      expect(Buffer.from(nameBytes(text)).toString("utf8")).toBe(text);
    }),
  );
});

test("sort names put a folder's content between its neighbours as S3 orders keys", () => {
  const names = [fileSortName("a"), fileSortName("a-b"), fileSortName("a.b"), folderSortName("a"), fileSortName("a0")];
  const sorted = [...names].sort(Buffer.compare);
  expect(sorted).toEqual(names);
});

test("a numbered name keeps the extension of a file, and a folder has none", () => {
  expect(numberedName("report.pdf", "file", 2)).toBe("report (2).pdf");
  expect(numberedName(".profile", "file", 3)).toBe(".profile (3)");
  expect(numberedName("Makefile", "file", 2)).toBe("Makefile (2)");
  expect(numberedName("v1.2", "folder", 2)).toBe("v1.2 (2)");
});

test("a numbered name is never too long and never cuts a character", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom("a", "ö", "😀", "."), minLength: 1, maxLength: 255 }),
      fc.constantFrom("file", "folder"),
      fc.integer({ min: 2, max: 2 ** 30 }),
      (name, kind, number) => {
        fc.pre(utf8(name).length <= limits.nameBytesMax);
        const numbered = numberedName(name, kind, number);
        expect(numbered).toContain(`(${number})`);
        expect(() => nameBytes(numbered)).not.toThrow();
      },
    ),
  );
});
