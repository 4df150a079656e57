import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { settingList, settingNames } from "./setting-list.ts";

const page = fileURLToPath(new URL("../../../../docs/operations.md", import.meta.url));
const marks = ["<!-- settings -->\n", "<!-- /settings -->"] as const;

const spellers: Readonly<Record<string, (value: number) => string>> = {
  ms: (value) => {
    const units = [
      [86_400_000, "d"],
      [3_600_000, "h"],
      [60_000, "m"],
      [1000, "s"],
    ] as const;
    const [size, unit] = units.find(([one]) => value >= one && value % one === 0) ?? [1, "ms"];
    return value === 0 ? "0" : `${value / size}${unit}`;
  },
  "bytes/s": (value) => (value >= 2 ** 40 ? `${value / 2 ** 40}TiB/s` : value === 0 ? "0" : `${value / 2 ** 20}MiB/s`),
  bytes: (value) => `${value / 2 ** 20}MiB`,
  count: (value) => value.toLocaleString("en-US"),
  percent: (value) => `${value}%`,
  switch: (value) => (value === 1 ? "on" : "off"),
};

function table(): string {
  const rows = settingNames.map((name) => {
    const { default: value, unit, min, max, description } = settingList[name];
    const spell = spellers[unit] ?? String;
    const range = unit === "switch" ? "on, off" : `${spell(min)} … ${spell(max)}`;
    return `| \`${name}\` | ${spell(value)} | ${range} | ${description} |`;
  });
  return ["| name | default | from … to | |", "|---|---|---|---|", ...rows, ""].join("\n");
}

test("the table of thresholds in docs/operations.md is the one of the code (CAIRN_UPDATE_DOCS=1 writes it)", () => {
  const text = readFileSync(page, "utf8");
  const [start, end] = [text.indexOf(marks[0]) + marks[0].length, text.indexOf(marks[1])];
  expect(start).toBeLessThanOrEqual(end);
  if (process.env["CAIRN_UPDATE_DOCS"] === "1") writeFileSync(page, text.slice(0, start) + table() + text.slice(end));
  else expect(text.slice(start, end)).toBe(table());
});
