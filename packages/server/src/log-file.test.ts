import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { LogFile } from "./log-file.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "cairn-log-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("every line is in the file when it has been closed, and what comes after it too", async () => {
  const path = join(folder, "node-1.log");
  const shown: string[] = [];
  const log = new LogFile(path, { name: "node-1", toTerminal: (line) => void shown.push(line) });
  for (let number = 0; number < 1000; number++) log.write(`{"level":30,"msg":"line ${number}"}\n`);
  await log[Symbol.asyncDispose]();
  expect(readFileSync(path, "utf8").trimEnd().split("\n")).toHaveLength(1000);
  log.write('{"level":50,"msg":"the very last"}\n');
  expect(readFileSync(path, "utf8")).toMatch(/the very last"\}\n$/);
  expect(shown).toEqual(["error  node-1: the very last"]);
  await log[Symbol.asyncDispose]();
});
