import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { referenceOf } from "./command-reference.ts";
import { exitCodeMeanings } from "./exit-codes.ts";
import { environmentVariables } from "./help-topics.ts";
import { buildProgram } from "./program.ts";
import { memoryTerminal } from "./testing/memory-terminal.ts";

const reference = new URL("../../../docs/api/cli.md", import.meta.url);
const exitCodesPage = new URL("../../../docs/api/exit-codes.md", import.meta.url);

test("docs/api/cli.md is what the command tree says (CAIRN_UPDATE_DOCS=1 writes it anew)", () => {
  const wanted = referenceOf(buildProgram(() => undefined, memoryTerminal()));
  if (process.env["CAIRN_UPDATE_DOCS"] === "1") writeFileSync(fileURLToPath(reference), wanted);
  expect(readFileSync(reference, "utf8")).toBe(wanted);
});

test("docs/api/exit-codes.md lists exactly the exit codes, with their meanings", () => {
  const rows = [...readFileSync(exitCodesPage, "utf8").matchAll(/^\| (\d+) \| ([^|]+) \|/gm)];
  expect(rows.map((row) => [Number(row[1]), row[2]?.trim()])).toEqual(exitCodeMeanings);
});

test("docs/api/cli.md names every environment variable", () => {
  const text = readFileSync(reference, "utf8");
  for (const [name] of environmentVariables) expect(text).toContain(`\`${name}\``);
});
