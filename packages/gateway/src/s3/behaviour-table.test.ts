import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "../../../..");
const document = readFileSync(join(root, "docs/s3-behaviour.md"), "utf8");
const rows = [...document.matchAll(/^\| ([SA]\d+) \|[^|]*\|([^|]*)\|$/gm)].flatMap(([, row = "", files = ""]) =>
  [...files.matchAll(/`([^`]+)`/g)].map(([, file = ""]) => ({ row, file })),
);

function sourceOf(file: string): string | undefined {
  const path = [join(import.meta.dirname, file), join(root, file)].find((it) => existsSync(it));
  return path === undefined ? undefined : readFileSync(path, "utf8");
}

test("docs/s3-behaviour.md has every behaviour of clients, and every attack on signatures, forms, XML and copies", () => {
  const numbered = (letter: string, from: number, to: number) =>
    Array.from(
      { length: to - from + 1 },
      (_, index) => `${letter}${String(from + index).padStart(letter === "A" ? 2 : 1, "0")}`,
    );
  const wanted = [...numbered("S", 1, 35), ...numbered("A", 1, 27), "A51", "A52"];
  const there = new Set(rows.map(({ row }) => row));
  expect(wanted.filter((row) => !there.has(row))).toEqual([]);
});

test.each(rows)("$row is the name of a test in $file", ({ row, file }) => {
  expect(sourceOf(file), file).toMatch(new RegExp(`["'\`(][^"'\`\\n]*\\b${row}\\b`));
});
