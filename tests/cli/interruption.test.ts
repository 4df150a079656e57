import { appendFileSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { digestOf, MiB, seededBytes } from "../support/content.ts";
import { TestCluster, temporaryFolder } from "../support/processes.ts";
import { CairnCommand } from "./cairn-command.ts";

const size = 192 * MiB + 4321;

describe("what broke off goes on when the same command is run again", { timeout: 120_000 }, () => {
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

  /** Ends when an upload has made itself resumable. */
  async function uploadIsUnderWay(): Promise<void> {
    const uploads = join(folder.path, "data", "client", "uploads");
    await eventually(() => existsSync(uploads) && readdirSync(uploads).some((name) => name.endsWith(".json")));
  }

  function bigFile(seed: string): { readonly name: string; readonly digest: string } {
    const bytes = seededBytes(seed, size);
    writeFileSync(cairn.path(seed), bytes);
    return { name: seed, digest: digestOf(bytes) };
  }

  async function expectStored(path: string, digest: string): Promise<void> {
    await cairn.ok(["download", path, "--output", "check", "--force"]);
    expect(digestOf(readFileSync(cairn.path("check")))).toBe(digest);
  }

  test("an upload whose client was killed", async () => {
    const { name, digest } = bigFile("killed-upload");
    const first = cairn.start(["upload", name]);
    await uploadIsUnderWay();
    await pause(500);
    first.kill("SIGKILL");
    expect((await first.result).signal).toBe("SIGKILL");
    expect((await cairn.run(["info", `/${name}`])).exitCode).toBe(4);

    const lines = await cairn.jsonLines(["upload", name]);
    const summary = lines.at(-1) as { bytes: number; bytesKnown: number };
    expect(summary).toMatchObject({ type: "summary", files: 1, bytes: size, failed: 0 });
    expect(summary.bytesKnown).toBeGreaterThan(0);
    await expectStored(`/${name}`, digest);
    expect(readdirSync(join(folder.path, "data", "client", "uploads"))).toEqual([]);
  });

  test("an upload that was stopped by Ctrl-C, which says so and ends with 130", async () => {
    const { name, digest } = bigFile("stopped-upload");
    const first = cairn.start(["upload", name]);
    await uploadIsUnderWay();
    first.kill("SIGINT");
    const { exitCode, out, err } = await first.result;
    expect({ exitCode, out }).toEqual({ exitCode: 130, out: "" });
    expect(err).toContain("resume with the same command");
    await cairn.ok(["upload", name]);
    await expectStored(`/${name}`, digest);
  });

  test("an upload that was told to end by SIGTERM ends with 143", async () => {
    const { name } = bigFile("terminated-upload");
    const first = cairn.start(["upload", name, "--json"]);
    await uploadIsUnderWay();
    first.kill("SIGTERM");
    const { exitCode, err } = await first.result;
    expect(exitCode).toBe(143);
    expect(JSON.parse(err.trimEnd().split("\n").at(-1) ?? "")).toMatchObject({ code: "E_INTERRUPTED", exit_code: 143 });
    await cairn.ok(["upload", name]);
  });

  test("a download whose client was killed", async () => {
    const { name, digest } = bigFile("killed-download");
    await cairn.ok(["upload", name]);
    const part = cairn.path("down.cairn-part");
    const first = cairn.start(["download", `/${name}`, "--output", "down"]);
    await eventually(() => existsSync(part) && statSync(part).size > 20 * MiB);
    first.kill("SIGKILL");
    expect((await first.result).signal).toBe("SIGKILL");
    expect(existsSync(cairn.path("down"))).toBe(false);

    // What the disk may have made of the end of the part does not matter: it is checked, and fetched again.
    const written = statSync(part).size;
    appendFileSync(part, "garbage");
    const { out } = await cairn.run(["download", `/${name}`, "--output", "down"]);
    expect(out).toContain("down");
    expect(digestOf(readFileSync(cairn.path("down")))).toBe(digest);
    expect(written).toBeGreaterThan(20 * MiB);
    expect(readdirSync(cairn.path(".")).filter((it) => it.includes("cairn-part"))).toEqual([]);
  });

  test("a file that is changed while it is read is not stored", async () => {
    const { name } = bigFile("changing");
    const upload = cairn.start(["upload", name]);
    await uploadIsUnderWay();
    appendFileSync(cairn.path(name), "x");
    const { exitCode, err } = await upload.result;
    expect(exitCode).toBe(1);
    expect(err).toContain("changed while it was read");
    expect((await cairn.run(["info", `/${name}`])).exitCode).toBe(4);
  });

  test("files are moved while a node is down, and the state of the cluster is told", async () => {
    const { name, digest } = bigFile("node-down");
    await cairn.ok(["upload", name]);
    expect((await cairn.run(["status", "--exit-code"])).exitCode).toBe(0);
    await cairn.ok(["local", "kill", "node-2"]);
    await expectStored(`/${name}`, digest);
    await cairn.ok(["upload", "-", "--name", "meanwhile"], { input: "still two copies" });
    expect(await cairn.ok(["cat", "/meanwhile"])).toBe("still two copies");
    await eventually(async () => (await cairn.run(["status", "--exit-code"])).exitCode === 11, 40_000);
    expect(await cairn.ok(["status"])).toMatch(/^▲ degraded (.|\n)*node-2 (suspect|down)/);
    expect(await cairn.ok(["file", "map", `/${name}`])).toMatch(/[▒░]/);
    await cairn.ok(["local", "revive", "node-2"]);
    await eventually(async () => (await cairn.run(["status", "--exit-code"])).exitCode === 0, 40_000);
  });
});

async function eventually(holds: () => boolean | Promise<boolean>, withinMs = 30_000): Promise<void> {
  const end = Date.now() + withinMs;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`it did not happen within ${withinMs} ms`);
    await pause(10);
  }
}
