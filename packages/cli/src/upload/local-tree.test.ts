import { execFileSync } from "node:child_process";
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type LocalItem, localRoots, walkLocal } from "./local-tree.ts";

let folder = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "cairn-tree-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function walked(...paths: string[]): Promise<readonly LocalItem[]> {
  const items: LocalItem[] = [];
  for await (const item of walkLocal(await localRoots(paths, folder), "/to")) items.push(item);
  return items;
}

function describeItem(item: LocalItem): string {
  switch (item.kind) {
    case "folder":
      return `folder ${item.remotePath}`;
    case "file":
      return `file ${item.remoteFolder} ${item.name} ${item.size}`;
    case "link":
      return "link";
    case "failed":
      return `failed ${item.failure.exitCode}`;
  }
}

test("a folder comes before what is in it, empty ones too, in order of names", async () => {
  await mkdir(join(folder, "photos", "empty"), { recursive: true });
  await mkdir(join(folder, "photos", "2026"));
  await writeFile(join(folder, "photos", "2026", "a b.jpg"), "12345");
  await writeFile(join(folder, "photos", "z"), "");
  expect((await walked("photos")).map(describeItem)).toEqual([
    "folder /to/photos",
    "folder /to/photos/2026",
    "file /to/photos/2026 a b.jpg 5",
    "folder /to/photos/empty",
    "file /to/photos z 0",
  ]);
});

test("links below a folder are told and not followed, so a loop does no harm", async () => {
  await mkdir(join(folder, "loop"));
  await symlink(join(folder, "loop"), join(folder, "loop", "again"));
  expect((await walked("loop")).map(describeItem)).toEqual(["folder /to/loop", "link"]);
});

test("a link that the person names is followed", async () => {
  await writeFile(join(folder, "real"), "123");
  await symlink("real", join(folder, "link"));
  expect((await walked("link")).map(describeItem)).toEqual(["file /to link 3"]);
});

if (process.platform !== "win32")
  test("a pipe is refused, at the top at once and below as one failed item", async () => {
    await mkdir(join(folder, "dir"));
    execFileSync("mkfifo", [join(folder, "dir", "pipe")]);
    await expect(walked(join("dir", "pipe"))).rejects.toMatchObject({ exitCode: 1 });
    expect((await walked("dir")).map(describeItem)).toEqual(["folder /to/dir", "failed 1"]);
  });

test("a path that does not exist stops the run before anything is done", async () => {
  await writeFile(join(folder, "a"), "");
  await expect(localRoots(["a", "nope"], folder)).rejects.toMatchObject({ code: "ENOENT" });
});

test(". has the name of the folder, / has none", async () => {
  const [root] = await localRoots(["."], folder);
  expect(folder.endsWith(root?.name ?? "?")).toBe(true);
  await expect(localRoots(["/"], folder)).rejects.toMatchObject({ exitCode: 2 });
  expect((await localRoots(["/"], folder, "machine"))[0]?.name).toBe("machine");
});

if (process.getuid?.() !== 0 && process.platform !== "win32")
  test("a folder that cannot be read is one failed item", async () => {
    await mkdir(join(folder, "dir", "secret"), { recursive: true });
    await chmod(join(folder, "dir", "secret"), 0);
    expect((await walked("dir")).map(describeItem)).toEqual(["folder /to/dir", "folder /to/dir/secret", "failed 1"]);
    await chmod(join(folder, "dir", "secret"), 0o700);
  });

if (process.platform === "linux")
  test("a name that is no UTF-8 is told, not silently left out", async () => {
    await mkdir(join(folder, "dir"));
    await writeFile(Buffer.concat([Buffer.from(join(folder, "dir", "bad-")), Buffer.from([0xff])]), "x");
    const items = await walked("dir");
    expect(items.map(describeItem)).toEqual(["folder /to/dir", "failed 1"]);
    expect(items[1]?.kind === "failed" && items[1].failure.message).toContain("not valid UTF-8");
  });
