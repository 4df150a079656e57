import { expect, test } from "vitest";
import { renderTable } from "./table.ts";

test("columns are aligned, numbers to the right, without spaces at the ends of lines", () => {
  const columns = [{ title: "NAME" }, { title: "SIZE", align: "right" }, { title: "X" }] as const;
  expect(
    renderTable(columns, [
      ["a.txt", "5 B", "y"],
      ["longer.txt", "12.5 MiB", ""],
    ]),
  ).toBe(["NAME            SIZE  X", "a.txt            5 B  y", "longer.txt  12.5 MiB"].join("\n"));
});

test("wide characters take two columns", () => {
  const lines = renderTable(
    [{ title: "N" }, { title: "S" }],
    [
      ["ファイル", "1"],
      ["ab", "2"],
    ],
  ).split("\n");
  expect(lines).toEqual(["N         S", "ファイル  1", "ab        2"]);
});

test("controls in a cell are spelled out, whether it is painted or not", () => {
  const paint = (text: string) => `<${text}>`;
  expect(renderTable([{ title: "N" }], [["a\nb"], [{ text: "c\u001b[0m", paint }]])).toBe("N\na\\nb\n<c\\x1b[0m>");
});
