import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TestCluster, temporaryFolder } from "../support/processes.ts";
import { CairnCommand } from "./cairn-command.ts";

const strangeNames = [
  "Zürich – Straße.txt",
  "ファイル名",
  "👩‍👩‍👧 family 🇨🇭.jpg",
  " leading and trailing ",
  "-rf",
  "--json",
  "f_01j9zk",
  "line\nbreak",
  "tab\tand \u001b[31mred\u001b[0m",
  "invoice\u202efdp.exe",
  "quote\"'`$(id)\\",
  "...",
  "e\u0301 decomposed",
  "\u00e9 composed",
  "%2e%2e",
  "a?b#c&d=e",
  "x".repeat(255),
];

describe("names of every kind", { timeout: 60_000 }, () => {
  const folder = temporaryFolder();
  let cluster: TestCluster;
  let cairn: CairnCommand;

  beforeAll(async () => {
    const data = join(folder.path, "data");
    cluster = await TestCluster.start(data);
    cairn = new CairnCommand(join(folder.path, "home"), data);
  });

  afterAll(async () => {
    await cluster[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  if (process.platform === "linux") {
    test("go up and come down again byte for byte, and are found by path and by id", async () => {
      mkdirSync(cairn.path("names"));
      for (const name of strangeNames) writeFileSync(cairn.path("names", name), `content of ${name}`);
      const lines = await cairn.jsonLines(["upload", "names"]);
      expect(lines.at(-1)).toMatchObject({ files: strangeNames.length, failed: 0 });

      const { items } = (await cairn.json(["list", "/names"])) as { items: { id: string; name: string }[] };
      expect(items.map(({ name }) => name).sort()).toEqual([...strangeNames].sort());
      for (const { id, name } of items) {
        expect(await cairn.ok(["cat", id])).toBe(`content of ${name}`);
        expect(await cairn.ok(["cat", "--", `/names/${name}`])).toBe(`content of ${name}`);
      }

      await cairn.ok(["download", "/names", "--output", "names-copy"]);
      expect(readdirSync(cairn.path("names-copy")).sort()).toEqual([...strangeNames].sort());
      for (const name of strangeNames) {
        expect(readFileSync(cairn.path("names-copy", name), "utf8")).toBe(`content of ${name}`);
      }
    });

    test("are shown on one line each, without controls, and raw in JSON", async () => {
      const shown = await cairn.ok(["list", "/names"]);
      expect(shown.trimEnd().split("\n").length).toBe(strangeNames.length + 1);
      expect(shown).toContain("line\\nbreak");
      expect(shown).toContain("tab\\tand \\x1b[31mred");
      for (const unsafe of ["\u001b", "\u202e"]) expect(shown).not.toContain(unsafe);
      const plain = await cairn.ok(["list", "/names", "--plain"]);
      expect(
        plain
          .trimEnd()
          .split("\n")
          .every((line) => line.split("\t").length === 6),
      ).toBe(true);
      expect(await cairn.ok(["list", "/names", "--json"])).toContain("line\\nbreak");
    });

    test("that begin like an option are files after --", async () => {
      writeFileSync(cairn.path("-q"), "dash");
      await cairn.ok(["upload", "--to", "/dashes", "--", "-q"]);
      expect(await cairn.ok(["cat", "/dashes/-q"])).toBe("dash");
    });
  }

  test.each([
    ["longer than 255 bytes", "é".repeat(128)],
    ["empty", ""],
    ["a dot", "."],
    ["two dots", ".."],
    ["with a slash", "a/b"],
    ["with a zero byte", "a\0b"],
  ])("that cannot be: %s", async (_what, name) => {
    const { exitCode, out, err } = await cairn.run(["upload", "-", "--name", name], { input: "x" });
    expect({ exitCode, out }).toEqual({ exitCode: 2, out: "" });
    expect(err).toMatch(/^Error: /);
  });

  test.each(["/../etc", "/a/../b", "/.", "/a/./b"])(
    "paths with dots (%s) are refused and lead nowhere",
    async (path) => {
      expect([2, 4]).toContain((await cairn.run(["list", path])).exitCode);
      expect((await cairn.run(["mkdir", "-p", path])).exitCode).toBe(2);
      expect((await cairn.run(["upload", "-", "--name", "x", "--to", path], { input: "x" })).exitCode).toBe(2);
    },
  );
});
