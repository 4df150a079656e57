import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { formatSettingValue } from "@cairn/protocol";
import { expect, test } from "vitest";
import { settingList, settingNames } from "./setting-list.ts";

const page = fileURLToPath(new URL("../../../../docs/operations.md", import.meta.url));
const marks = ["<!-- settings -->\n", "<!-- /settings -->"] as const;

function table(): string {
  const rows = settingNames.map((name) => {
    const { default: value, unit, min, max, description } = settingList[name];
    const spell = (number: number): string => formatSettingValue({ unit }, number);
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
