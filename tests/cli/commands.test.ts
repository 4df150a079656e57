import { execFileSync } from "node:child_process";
import { appendFileSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { MiB, seededBytes } from "../support/content.ts";
import { TestCluster, temporaryFolder } from "../support/processes.ts";
import { CairnCommand } from "./cairn-command.ts";

describe("the cairn command, as a person uses it", { timeout: 60_000 }, () => {
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

  test("the way of a file: upload, list, download, delete, restore", async () => {
    const bytes = seededBytes("a file", 3 * MiB + 17);
    writeFileSync(cairn.path("report.pdf"), bytes);
    expect(await cairn.ok(["status"])).toMatch(/^● healthy {3}all data safe/);

    const uploaded = await cairn.ok(["upload", "./report.pdf"]);
    expect(uploaded).toMatch(/^f_[0-9a-z]{26} {2}\/report\.pdf\n$/);
    const id = uploaded.slice(0, 28);
    expect(await cairn.ok(["list"])).toMatch(
      new RegExp(`^ID +NAME +SIZE +COPIES +MODIFIED\n${id} +report\\.pdf +3 MiB +2 `),
    );

    await cairn.ok(["download", id, "--output", "./copy.pdf"]);
    expect(readFileSync(cairn.path("copy.pdf")).equals(bytes)).toBe(true);
    expect(readdirSync(cairn.path(".")).filter((name) => name.includes("cairn-part"))).toEqual([]);

    const deleted = await cairn.run(["delete", id]);
    expect(deleted).toMatchObject({ exitCode: 0, out: "Moved to the trash: /report.pdf\n" });
    expect(deleted.err).toContain(`Undo: cairn restore ${id}`);
    expect((await cairn.run(["download", "/report.pdf", "--output", "./again.pdf"])).exitCode).toBe(4);
    expect(await cairn.ok(["trash", "list", "-q"])).toContain(id);
    await cairn.ok(["restore", id]);
    await cairn.ok(["download", "/report.pdf", "--output", "./again.pdf"]);
    expect(readFileSync(cairn.path("again.pdf")).equals(bytes)).toBe(true);
  });

  test("upload -q prints nothing but the id, and the same content again is no new version", async () => {
    writeFileSync(cairn.path("same.txt"), "same");
    const { out, err } = await cairn.run(["upload", "-q", "same.txt"]);
    expect(out).toMatch(/^f_[0-9a-z]{26}\n$/);
    expect(err).toBe("");
    expect(await cairn.ok(["upload", "same.txt"])).toContain("(unchanged)");
    expect((await cairn.run(["upload", "same.txt", "--error-if-unchanged"])).exitCode).toBe(9);
    writeFileSync(cairn.path("same.txt"), "other");
    await cairn.ok(["upload", "same.txt"]);
    const { versions } = (await cairn.json(["info", "/same.txt", "--versions"])) as { versions: unknown[] };
    expect(versions.length).toBe(2);
  });

  test("a taken name: fail, skip, rename, replace, version", async () => {
    writeFileSync(cairn.path("taken.txt"), "one");
    const id = (await cairn.ok(["upload", "taken.txt", "-q"])).trim();
    writeFileSync(cairn.path("taken.txt"), "two, longer");
    const failed = await cairn.run(["upload", "taken.txt", "--on-conflict", "fail"]);
    expect(failed).toMatchObject({ exitCode: 7, out: "" });
    expect(failed.err).toContain("Hint:");
    expect(await cairn.ok(["upload", "taken.txt", "--on-conflict", "skip"])).toContain("(skipped)");
    expect(await cairn.ok(["cat", id])).toBe("one");
    const [renamed] = await cairn.jsonLines(["upload", "taken.txt", "--on-conflict", "rename"]);
    expect(renamed).toMatchObject({ action: "uploaded", entry: { name: expect.not.stringMatching(/^taken\.txt$/) } });
    await cairn.ok(["upload", "taken.txt", "--on-conflict", "version"]);
    expect(await cairn.ok(["cat", id])).toBe("two, longer");
    writeFileSync(cairn.path("taken.txt"), "three");
    const replaced = (await cairn.ok(["upload", "taken.txt", "--on-conflict", "replace", "-q"])).trim();
    expect(await cairn.ok(["cat", replaced])).toBe("three");
  });

  test("an empty file goes up, down and out again", async () => {
    writeFileSync(cairn.path("empty"), "");
    await cairn.ok(["upload", "empty"]);
    expect(await cairn.ok(["cat", "/empty"])).toBe("");
    await cairn.ok(["download", "/empty", "--output", "empty-copy"]);
    expect(statSync(cairn.path("empty-copy")).size).toBe(0);
  });

  test("stdin goes up under a name, into folders that are made for it", async () => {
    const out = await cairn.ok(["upload", "-", "--name", "db.sql", "--to", "/backups/2026"], { input: "select 1;\n" });
    expect(out).toMatch(/^f_\S+ {2}\/backups\/2026\/db\.sql\n$/);
    expect(await cairn.ok(["cat", "/backups/2026/db.sql"])).toBe("select 1;\n");
    expect(await cairn.ok(["download", "/backups/2026/db.sql", "--output", "-"])).toBe("select 1;\n");
    expect((await cairn.run(["upload", "-"], { input: "x" })).exitCode).toBe(2);
  });

  test("a part of a file", async () => {
    await cairn.ok(["upload", "-", "--name", "digits"], { input: "0123456789" });
    expect(await cairn.ok(["cat", "/digits", "--range", "2-4"])).toBe("234");
    expect(await cairn.ok(["cat", "/digits", "--range", "7-"])).toBe("789");
    expect(await cairn.ok(["cat", "/digits", "--range", "-3"])).toBe("789");
    expect(await cairn.ok(["cat", "/digits", "--range", "-99"])).toBe("0123456789");
    expect((await cairn.run(["cat", "/digits", "--range", "99-"])).exitCode).toBe(2);
  });

  test("a folder goes up and down whole, with empty folders and without links", async () => {
    mkdirSync(cairn.path("tree", "empty"), { recursive: true });
    mkdirSync(cairn.path("tree", "deep", "er"), { recursive: true });
    for (let index = 0; index < 40; index++) writeFileSync(cairn.path("tree", "deep", `f${index}`), `content ${index}`);
    writeFileSync(cairn.path("tree", "deep", "er", "big"), seededBytes("tree", 5 * MiB));
    symlinkSync("deep", cairn.path("tree", "link"));

    const planned = await cairn.run(["upload", "tree", "--to", "/Archive", "--dry-run"]);
    expect(planned.out.split("\n").length).toBe(42);
    expect((await cairn.run(["list", "/Archive/tree"])).exitCode).toBe(4);

    const { exitCode, out, err } = await cairn.run(["upload", "tree", "--to", "/Archive"]);
    expect(exitCode).toBe(0);
    expect(out.trimEnd().split("\n").length).toBe(41);
    expect(err).toContain("a symbolic link");
    expect(
      await cairn.ok(["list", "/Archive/tree", "--recursive", "-q"]).then((ids) => ids.split("\n").length - 1),
    ).toBe(44);

    await cairn.ok(["download", "/Archive/tree", "--output", "tree-copy"]);
    expect(contentBelow(cairn.path("tree-copy"))).toEqual(contentBelow(cairn.path("tree")));
  });

  test("a folder again does only what is new, and mends what is damaged here", async () => {
    const again = await cairn.jsonLines(["upload", "tree", "--to", "/Archive"]);
    expect(again.at(-1)).toMatchObject({ type: "summary", files: 41, unchanged: 41, failed: 0 });
    appendFileSync(cairn.path("tree-copy", "deep", "f7"), "damage");
    const refused = await cairn.run(["download", "/Archive/tree", "--output", "tree-copy"]);
    expect(refused.exitCode).toBe(3);
    expect(refused.err).toContain("f7 exists and has another content");
    const forced = await cairn.jsonLines(["download", "/Archive/tree", "--output", "tree-copy", "--force"]);
    expect(forced.at(-1)).toMatchObject({ type: "summary", files: 41, unchanged: 40, failed: 0 });
    expect(readFileSync(cairn.path("tree-copy", "deep", "f7"), "utf8")).toBe("content 7");
  });

  test("some of several paths that cannot be read end with 3, and the others are there", async () => {
    mkdirSync(cairn.path("mixed"), { recursive: true });
    writeFileSync(cairn.path("mixed", "good"), "good");
    if (process.platform !== "win32") execFileSync("mkfifo", [cairn.path("mixed", "pipe")]);
    const lines = await cairn.run(["upload", "mixed", "--json"]);
    expect(lines.exitCode).toBe(3);
    expect(JSON.parse(lines.err.trimEnd())).toMatchObject({ type: "error", code: "E_PARTIAL", exit_code: 3 });
    expect(await cairn.ok(["cat", "/mixed/good"])).toBe("good");
  });

  test("a path that does not exist uploads nothing of the others either", async () => {
    writeFileSync(cairn.path("lonely"), "x");
    const { exitCode, err } = await cairn.run(["upload", "lonely", "nope"]);
    expect(exitCode).toBe(4);
    expect(err).toContain("nope");
    expect((await cairn.run(["info", "/lonely"])).exitCode).toBe(4);
  });

  test("folders: made, moved, renamed, removed for good", async () => {
    expect((await cairn.run(["mkdir", "/a/b/c"])).exitCode).toBe(4);
    const made = (await cairn.json(["mkdir", "-p", "/a/b/c"])) as { id: string; kind: string };
    expect(made.kind).toBe("folder");
    expect((await cairn.run(["mkdir", "/a/b/c"])).exitCode).toBe(7);
    await cairn.ok(["mkdir", "-p", "/a/b/c"]);
    await cairn.ok(["upload", "-", "--name", "x", "--to", "/a/b/c"], { input: "x" });
    await cairn.ok(["move", "/a/b/c/x", "/a"]);
    expect(await cairn.ok(["cat", "/a/x"])).toBe("x");
    await cairn.ok(["move", "/a/x", "/a/b/y"]);
    expect(await cairn.ok(["cat", "/a/b/y"])).toBe("x");
    await cairn.ok(["rename", made.id, "Ordner"]);
    expect((await cairn.json(["info", made.id])).path).toBe("/a/b/Ordner");
    expect((await cairn.run(["move", "/a", "/a/b"])).exitCode).toBe(2);
    expect((await cairn.run(["delete", "/a", "--permanent"])).exitCode).toBe(2);
    expect(await cairn.ok(["list", "/a"])).toContain("b/");
    expect(await cairn.ok(["delete", "/a", "--permanent", "--yes"])).toContain("Removed for good: /a");
    expect((await cairn.run(["info", made.id])).exitCode).toBe(4);
  });

  test("the trash: by path, listed, emptied only when meant", async () => {
    for (const name of ["t1", "t2"])
      await cairn.ok(["upload", "-", "--name", name, "--to", "/trashy"], { input: name });
    expect(await cairn.jsonLines(["delete", "/trashy/t1", "/trashy/t2", "/trashy/none"])).toMatchObject([
      { type: "item", action: "trashed" },
      { type: "item", action: "trashed" },
      { type: "error", exit_code: 4 },
      { type: "summary", deleted: 2, failed: 1 },
    ]);
    await cairn.ok(["restore", "/trashy/t1"]);
    expect(await cairn.ok(["cat", "/trashy/t1"])).toBe("t1");
    expect((await cairn.run(["trash", "empty"])).exitCode).toBe(2);
    expect(await cairn.ok(["trash", "empty", "--older-than", "30d", "--yes"])).toContain("Removed 0 items");
    expect(Number((await cairn.json(["trash", "empty", "--dry-run"])).removed)).toBeGreaterThan(0);
    await cairn.ok(["trash", "empty", "--yes"]);
    expect((await cairn.json(["trash", "list"])).items).toEqual([]);
  });

  test("an id that fits several names its candidates, one that fits none is not found", async () => {
    const { exitCode, err } = await cairn.run(["info", "f_0", "--json"]);
    expect(exitCode).toBe(7);
    expect(JSON.parse(err.trimEnd()).hint).toMatch(/f_0[0-9a-z]{25}/);
    expect((await cairn.run(["info", "f_zzzzzz"])).exitCode).toBe(4);
    expect((await cairn.run(["download", "f_zzzzzz", "--output", "x"])).exitCode).toBe(4);
  });

  test("where a file lies and that its copies are whole", async () => {
    const map = await cairn.ok(["file", "map", "/report.pdf"]);
    expect(map).toContain("node-1  node-2  node-3");
    expect(map).toContain("4 chunks, all with every copy readable");
    const lines = await cairn.jsonLines(["file", "map", "/report.pdf"]);
    expect(lines.map(({ type }) => type)).toEqual(["item", "item", "item", "item", "summary"]);
    expect(lines[0]).toMatchObject({ index: 0, offset: 0, length: MiB, copies: [{ state: "ok" }, { state: "ok" }] });
    expect(await cairn.ok(["verify", "/report.pdf"])).toContain("4 chunks, 3 MiB · 8 good copies");
    expect((await cairn.run(["verify", "/"])).exitCode).toBe(2);
  });

  test("nodes, tokens, versions and processes", async () => {
    expect((await cairn.ok(["node", "list", "-q"])).trim().split("\n")).toEqual(["node-1", "node-2", "node-3"]);
    expect(await cairn.ok(["node", "add", "--print-join-command"])).toMatch(
      /^cairn server node --data FOLDER --metadata http\S+ --join \S+ /,
    );
    const { token, secret } = (await cairn.json([
      "token",
      "create",
      "--name",
      "ci",
      "--scope",
      "read",
      "--expires",
      "1d",
    ])) as {
      token: { token: string };
      secret: string;
    };
    expect((await cairn.run(["list"], { env: { CAIRN_TOKEN: secret } })).exitCode).toBe(0);
    expect((await cairn.run(["mkdir", "/x"], { env: { CAIRN_TOKEN: secret } })).exitCode).toBe(6);
    expect(await cairn.ok(["token", "list"])).toContain("ci");
    await cairn.ok(["token", "revoke", token.token]);
    expect((await cairn.run(["list"], { env: { CAIRN_TOKEN: secret } })).exitCode).toBe(6);
    expect(await cairn.json(["version"])).toMatchObject({ client: expect.any(String), server: expect.any(String) });
    expect((await cairn.ok(["local", "status", "-q"])).trim().split("\n")).toEqual([
      "metadata",
      "node-1",
      "node-2",
      "node-3",
    ]);
    expect((await cairn.run(["local", "kill", "node-9"])).exitCode).toBe(4);
  });

  test("a cluster that cannot be reached ends with 5 and a hint, a wrong token with 6", async () => {
    const unreachable = await cairn.run(["list", "--url", "http://127.0.0.1:9"]);
    expect(unreachable).toMatchObject({ exitCode: 5, out: "" });
    expect(unreachable.err).toMatch(/^Error: can't reach http:\/\/127\.0\.0\.1:9 \(connection refused\)\nHint: {2}/);
    const wrong = await cairn.run(["list"], { env: { CAIRN_TOKEN: "cairn_wrong" } });
    expect(wrong).toMatchObject({ exitCode: 6, out: "" });
  });

  test("an output that cannot be written ends with 1 and a hint", async () => {
    for (const output of ["missing-folder/out", "missing-folder/", "report.pdf/out"]) {
      const { exitCode, err } = await cairn.run(["download", "/report.pdf", "--output", output]);
      expect({ output, exitCode }).toEqual({ output, exitCode: 1 });
      expect(err).toContain("Hint:");
    }
    if (process.platform === "linux") {
      const { exitCode, err } = await cairn.run(["download", "/report.pdf", "--output", "/sys/cairn-test"]);
      expect(exitCode).toBe(1);
      expect(err).toMatch(/no permission|not permitted|read-only/);
    }
  });

  test("an output that exists: the same content is fine, another one is refused, a folder takes the file", async () => {
    expect(await cairn.ok(["download", "/report.pdf", "--output", "copy.pdf"])).toContain("(there already)");
    writeFileSync(cairn.path("mine.pdf"), "precious");
    const refused = await cairn.run(["download", "/report.pdf", "--output", "mine.pdf"]);
    expect(refused.exitCode).toBe(7);
    expect(refused.err).toContain("--force");
    expect(readFileSync(cairn.path("mine.pdf"), "utf8")).toBe("precious");
    await cairn.ok(["download", "/report.pdf", "--output", "mine.pdf", "--force"]);
    expect(statSync(cairn.path("mine.pdf")).size).toBe(3 * MiB + 17);
    mkdirSync(cairn.path("into"));
    await cairn.ok(["download", "/report.pdf", "--output", "into"]);
    expect(statSync(cairn.path("into", "report.pdf")).size).toBe(3 * MiB + 17);
  });

  test("a reader that has seen enough is no failure", async () => {
    const command = `"${process.execPath}" "${join(import.meta.dirname, "../../packages/cli/bin/cairn.js")}" cat /report.pdf | head -c 5 | wc -c; echo "\${PIPESTATUS[0]}"`;
    const data = join(folder.path, "data");
    const out = execFileSync("bash", ["-c", command], { env: { ...process.env, CAIRN_DATA: data }, encoding: "utf8" });
    expect(out.trim().split(/\s+/)).toEqual(["5", "0"]);
  });

  test("completion scripts and suggestions", async () => {
    for (const args of [
      ["completion", "bash"],
      ["complete", "--", "up"],
    ]) {
      const { exitCode, out } = await cairn.start(args).result;
      expect(exitCode).toBe(0);
      expect(out).toContain(args[0] === "complete" ? "upload" : "cairn");
    }
  });
});

/** Everything below a folder but links: folders as `/`, files with their bytes. */
function contentBelow(folder: string): Readonly<Record<string, string>> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((it) => !it.isSymbolicLink());
  return Object.fromEntries(
    entries.map((it) => {
      const path = join(it.parentPath, it.name);
      return [relative(folder, path), it.isDirectory() ? "/" : readFileSync(path).toString("base64")];
    }),
  );
}
