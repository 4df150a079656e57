import { EventEmitter } from "node:events";
import type { Command } from "commander";
import { describe, expect, test } from "vitest";
import { runCairn } from "./cairn.ts";
import { examplesFor } from "./examples.ts";
import { buildProgram } from "./program.ts";
import { type MemoryTerminalOptions, memoryTerminal } from "./testing/memory-terminal.ts";

async function run(args: readonly string[], options: MemoryTerminalOptions = {}) {
  const terminal = memoryTerminal(options);
  const exitCode = await runCairn(args, terminal);
  return { exitCode, out: terminal.out(), err: terminal.err() };
}

const program = buildProgram(() => undefined, memoryTerminal());
const leaves = below(program).filter((command) => command.commands.length === 0 && command.name() !== "complete");

function below(command: Command): readonly Command[] {
  return [command, ...command.commands.flatMap(below)];
}

function pathOf(command: Command): readonly string[] {
  return command.parent === null ? [] : [...pathOf(command.parent), command.name()];
}

/** As many arguments as the command needs. */
function neededArguments(command: Command): readonly string[] {
  const values = command.registeredArguments.filter(({ required }) => required).map(() => "/x");
  const options = command.options.filter(({ mandatory }) => mandatory).flatMap(({ long }) => [long ?? "", "y"]);
  return [...values, ...options];
}

test("without a command it shows what there is, and ends well", async () => {
  const { exitCode, out, err } = await run([]);
  expect(exitCode).toBe(0);
  expect(out).toContain("Usage: cairn");
  expect(err).toBe("");
});

test("the five commands of every day have the forms that people rely on", () => {
  const usages = Object.fromEntries(leaves.map((command) => [pathOf(command).join(" "), command.usage()]));
  expect(usages["status"]).toBe("[options]");
  expect(usages["upload"]).toBe("[options] <path...>");
  expect(usages["list"]).toBe("[options] [path]");
  expect(usages["download"]).toBe("[options] <file_id>");
  expect(usages["delete"]).toBe("[options] <file_id...>");
});

describe.each(leaves.map((command) => [pathOf(command).join(" "), command] as const))("cairn %s", (_name, command) => {
  const path = pathOf(command);

  test("has a help text with an example, by --help and by help", async () => {
    const { exitCode, out, err } = await run([...path, "--help"]);
    expect({ exitCode, err }).toEqual({ exitCode: 0, err: "" });
    expect(out).toContain(`Usage: cairn ${path.join(" ")}`);
    expect(out).toContain("Examples:");
    expect(out).toContain("--json");
    expect((await run(["help", ...path])).out).toBe(out);
    for (const [line] of examplesFor(command)) expect(line).toContain(`cairn ${path.join(" ")}`);
  });

  test("refuses an option that it does not know, with 2 and nothing on stdout", async () => {
    const { exitCode, out, err } = await run([...path, ...neededArguments(command), "--no-such-option"]);
    expect({ exitCode, out }).toEqual({ exitCode: 2, out: "" });
    expect(err).toContain("unknown option '--no-such-option'");
  });

  test("tells wrong usage as JSON when asked to, wherever the flag stands", async () => {
    for (const args of [
      ["--json", ...path, "--no-such-option"],
      [...path, "--json", "--no-such-option"],
      [...path, "--no-such-option", "--json"],
    ]) {
      const { exitCode, out, err } = await run(args);
      expect({ exitCode, out }).toEqual({ exitCode: 2, out: "" });
      expect(JSON.parse(err.trimEnd().split("\n").at(-1) ?? "")).toMatchObject({ type: "error", exit_code: 2 });
    }
  });

  const talks = !["start", "server", "local", "completion", "help", "version"].includes(path[0] ?? "");
  if (talks)
    test("says that no cluster is known, or what else is wrong, and never hangs", async () => {
      const { exitCode, out, err } = await run([...path, "--json", ...neededArguments(command)]);
      expect(exitCode).toBeGreaterThan(0);
      expect(out).toBe("");
      expect(JSON.parse(err.trimEnd())).toMatchObject({ type: "error", exit_code: exitCode });
    });
});

test.each([
  [["lst"], "unknown command 'lst'", "list"],
  [["dowload", "x"], "unknown command 'dowload'", "download"],
  [["upload", "x", "--dryrun"], "unknown option '--dryrun'", "--dry-run"],
])("%j asks whether something else was meant", async (args, message, meant) => {
  const { exitCode, err } = await run(args);
  expect(exitCode).toBe(2);
  expect(err).toContain(message);
  expect(err).toMatch(new RegExp(`did you mean .*${meant}`));
});

test.each([
  [["upload"]],
  [["download", "f_1"]],
  [["delete"]],
  [["rename", "f_1"]],
  [["move", "f_1"]],
  [["file"]],
  [["trash"]],
  [["upload", "x", "--on-conflict", "guess"]],
  [["upload", "x", "--transfers", "0"]],
  [["list", "a", "b"]],
  [["list", "--sort", "colour"]],
  [["cat", "f_1", "--range", "b-a"]],
  [["token", "create", "--name", "x", "--scope", "root"]],
  [["trash", "empty", "--older-than", "soon"]],
  [["start", "--port", "http"]],
  [["upload", "-"]],
  [["upload", "-", "a", "--name", "x"]],
  [["upload", "a", "b", "--name", "x"]],
  [["delete", "f_1", "--permanent"]],
  [["trash", "empty"]],
  [["download", "f_1", "--output", ""]],
  [["status", "--url", "nonsense"]],
  [["help", "nonsense"]],
  [["completion", "tcsh"]],
])("%j is wrong usage", async (args) => {
  const { exitCode, out, err } = await run(args);
  expect({ exitCode, out }).toEqual({ exitCode: 2, out: "" });
  expect(err).toMatch(/^Error: .+/);
  expect(err).not.toMatch(/\n\s+at /);
});

test("errors come in three parts, without colours in a pipe", async () => {
  const { err } = await run(["status"]);
  expect(err).toMatch(/^Error: .+\nHint: {2}.+\n\(E_USAGE · exit 2\)\n$/);
});

test("--debug shows where a failure came from, and keeps the last line for programs", async () => {
  expect((await run(["status", "--debug"])).err).toMatch(/\n\s+at /);
  const { err } = await run(["status", "--debug", "--json"]);
  expect(JSON.parse(err.trimEnd().split("\n").at(-1) ?? "")).toMatchObject({ type: "error" });
});

test("CAIRN_JSON and CAIRN_DEBUG work like the flags", async () => {
  const { err } = await run(["status"], { env: { CAIRN_JSON: "1" } });
  expect(JSON.parse(err)).toMatchObject({ type: "error" });
  expect((await run(["status"], { env: { CAIRN_DEBUG: "1" } })).err).toMatch(/\n\s+at /);
});

test("what stands after -- is no flag", async () => {
  const { err } = await run(["upload", "--", "--json"]);
  expect(err).toMatch(/^Error: .*--json: no such file/);
});

test("other names that people type by reflex work, and are not advertised", async () => {
  for (const [alias, name] of [
    ["ls", "list"],
    ["rm", "delete"],
    ["mv", "move"],
    ["get", "download"],
    ["put", "upload"],
  ]) {
    expect((await run([alias ?? "", "--help"])).out).toContain(`Usage: cairn ${name}`);
  }
  expect((await run([])).out).not.toMatch(/^ +(ls|rm|mv|get|put)\b|\|(ls|rm|mv|get|put)\b/m);
});

test.each(["exit-codes", "environment", "paths"])("cairn help %s tells", async (topic) => {
  const { exitCode, out } = await run(["help", topic]);
  expect(exitCode).toBe(0);
  expect(out.split("\n").length).toBeGreaterThan(8);
});

test("versions are shown without a cluster too", async () => {
  const { exitCode, out } = await run(["version", "--json"]);
  expect(exitCode).toBe(0);
  expect(JSON.parse(out)).toMatchObject({ client: expect.stringMatching(/^\d/), server: null });
  expect((await run(["--version"])).out).toMatch(/^\d+\.\d+\.\d+\n$/);
});

test("a signal while a command runs ends it with 130 and tells how to go on", async () => {
  const signals = new EventEmitter();
  const terminal = memoryTerminal({ env: { CAIRN_URL: "http://127.0.0.1:9" } });
  const running = runCairn(["status"], terminal, { signals });
  signals.emit("SIGINT");
  expect(await running).toBe(130);
  expect(terminal.err()).toContain("resume with the same command");
  expect(signals.listenerCount("SIGINT")).toBe(0);
});
