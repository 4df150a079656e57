import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TestCluster, temporaryFolder } from "../support/processes.ts";
import { CairnCommand, type CommandResult } from "./cairn-command.ts";

/** Every command that talks to a cluster, with what makes it succeed. Long ones write one document per line. */
const commands: readonly { readonly args: readonly string[]; readonly long?: true; readonly id?: true }[] = [
  { args: ["status"] },
  { args: ["upload", "file.txt"], long: true, id: true },
  { args: ["list"], id: true },
  { args: ["list", "/", "--recursive", "--long"], id: true },
  { args: ["download", "/kept", "--output", "out"], long: true, id: true },
  { args: ["delete", "/file.txt"], long: true, id: true },
  { args: ["trash", "list"], id: true },
  { args: ["restore", "/file.txt"], long: true, id: true },
  { args: ["info", "/kept", "--versions"], id: true },
  { args: ["mkdir", "-p", "/folder"], id: true },
  { args: ["move", "/file.txt", "/folder"], long: true, id: true },
  { args: ["rename", "/folder/file.txt", "file.txt"], id: true },
  { args: ["delete", "/folder/file.txt", "--permanent", "--yes"], long: true, id: true },
  { args: ["trash", "empty", "--dry-run"] },
  { args: ["file", "map", "/kept"], long: true },
  { args: ["verify", "/kept"], long: true, id: true },
  { args: ["node", "list"] },
  { args: ["node", "add"] },
  { args: ["node", "show", "node-1", "--impact"] },
  { args: ["node", "drain", "node-1", "--dry-run"], long: true },
  { args: ["rebalance", "plan"], long: true },
  { args: ["cluster", "health", "--explain"] },
  { args: ["events"] },
  { args: ["config", "list"] },
  { args: ["config", "get", "repair.delay"] },
  { args: ["config", "set", "scrub.every", "7d"] },
  { args: ["repair", "status"] },
  { args: ["repair", "speed", "gentle"] },
  { args: ["scrub", "status"] },
  { args: ["gc", "status"] },
  { args: ["gc", "run", "--dry-run"], long: true },
  { args: ["job", "list"] },
  { args: ["token", "create", "--name", "contract"] },
  { args: ["token", "list"] },
  { args: ["local", "status"] },
  { args: ["version"] },
];

const failing: readonly (readonly string[])[] = [
  ["upload", "nope"],
  ["list", "/nope"],
  ["download", "/nope", "--output", "x"],
  ["delete", "/nope"],
  ["restore", "/nope"],
  ["info", "/nope"],
  ["cat", "/nope", "--json"],
  ["mkdir", "/nope/nope"],
  ["move", "/nope", "/"],
  ["rename", "/nope", "x"],
  ["file", "map", "/nope"],
  ["verify", "/nope"],
  ["token", "revoke", "tk_0000000000000000"],
  ["local", "kill", "nope"],
  ["trash", "empty"],
  ["node", "add", "--expires", "never"],
  ["node", "show", "node-77"],
  ["node", "drain", "node-77", "--yes"],
  ["node", "drain", "node-1"],
  ["config", "get", "nope"],
  ["config", "set", "repair.delay", "soon"],
  ["job", "show", "77"],
  ["job", "cancel", "77"],
  ["drive", "copies", "9", "--yes"],
  ["rebalance", "cancel"],
];

describe("what scripts may rely on", { timeout: 60_000 }, () => {
  const folder = temporaryFolder();
  let cluster: TestCluster;
  let cairn: CairnCommand;

  beforeAll(async () => {
    const data = join(folder.path, "data");
    cluster = await TestCluster.start(data);
    cairn = new CairnCommand(join(folder.path, "home"), data);
    writeFileSync(cairn.path("file.txt"), "content");
    await cairn.ok(["upload", "-", "--name", "kept"], { input: "kept" });
  });

  afterAll(async () => {
    await cluster[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  for (const position of ["first", "last"] as const) {
    test(`with --json ${position}, every command writes JSON and nothing else to stdout, and nothing to stderr`, async () => {
      for (const { args, long } of commands) {
        const result = await cairn.run(position === "first" ? ["--json", ...args] : [...args, "--json"]);
        expect({ args, exitCode: result.exitCode, err: result.err }).toEqual({ args, exitCode: 0, err: "" });
        const documents = jsonLines(result, args);
        if (!long) expect({ args, documents: documents.length }).toEqual({ args, documents: 1 });
        else expect({ args, last: documents.at(-1)?.["type"] }).toEqual({ args, last: "summary" });
      }
    });
  }

  test("with --json between a group and its command too", async () => {
    jsonLines(await cairn.run(["node", "--json", "list"]), ["node", "list"]);
    jsonLines(await cairn.run(["file", "--json", "map", "/kept"]), ["file", "map"]);
  });

  test("with -q, what has an id writes ids only, one a line, and messages nowhere", async () => {
    for (const { args, id } of commands) {
      const { exitCode, out, err } = await cairn.run(["-q", ...args]);
      expect({ args, exitCode, err }).toEqual({ args, exitCode: 0, err: "" });
      if (id) expect({ args, out }).toEqual({ args, out: expect.stringMatching(/^(f_[0-9a-z]{26}\n)*$/) });
      else expect({ args, out }).toEqual({ args, out: expect.stringMatching(/^(\S+\n)*$/) });
    }
  });

  test("with --plain, every command writes fields without colours, headings or messages on stdout", async () => {
    for (const { args } of commands) {
      const { exitCode, out } = await cairn.run([...args, "--plain"], { env: { CLICOLOR_FORCE: "1" } });
      expect({ args, exitCode }).toEqual({ args, exitCode: 0 });
      expect({ args, painted: out.includes("\u001b") }).toEqual({ args, painted: false });
    }
  });

  test("NO_COLOR keeps every command from painting, CLICOLOR_FORCE makes them paint in a pipe", async () => {
    for (const { args } of commands) {
      const { out, err } = await cairn.run(args, { env: { NO_COLOR: "1", CLICOLOR_FORCE: "1" } });
      expect({ args, painted: `${out}${err}`.includes("\u001b") }).toEqual({ args, painted: false });
    }
    expect(await cairn.ok(["list"], { env: { CLICOLOR_FORCE: "1" } })).toContain("\u001b");
  });

  test.each(failing)("a failure of %s %s is a code above 0 and one JSON document on stderr", async (...args) => {
    const { exitCode, out, err } = await cairn.run([...args, "--json"]);
    expect(exitCode).toBeGreaterThan(0);
    for (const line of out.split("\n").filter(Boolean)) JSON.parse(line);
    expect(JSON.parse(err)).toMatchObject({
      type: "error",
      code: expect.stringMatching(/^E_[A-Z_]+$/),
      exit_code: exitCode,
      message: expect.any(String),
    });
    const forPeople = await cairn.run(args.filter((arg) => arg !== "--json"));
    expect(forPeople.exitCode).toBe(exitCode === 2 && args.includes("--json") ? forPeople.exitCode : exitCode);
    expect(forPeople.err).toMatch(/^Error: .+\n(Hint: {2}.+\n)?\(E_[A-Z_]+ · exit \d+( · request \S+)?\)\n$/);
  });
});

function jsonLines({ out }: CommandResult, args: readonly string[]): readonly Record<string, unknown>[] {
  return out
    .trimEnd()
    .split("\n")
    .map((line) => {
      try {
        return JSON.parse(line) as Record<string, unknown>;
      } catch (cause) {
        throw new Error(`cairn ${args.join(" ")} wrote what is no JSON: ${line}`, { cause });
      }
    });
}
