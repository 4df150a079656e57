import { appendFile, mkdtemp, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileSource } from "@cairn/client";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { LocalFile } from "./local-tree.ts";
import { type OpenFile, steadyFile } from "./steady-file.ts";

const MiB = 1024 * 1024;
let folder = "";
let path = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "cairn-steady-"));
  path = join(folder, "file");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function found(content: string | Buffer): Promise<{ file: LocalFile; open: OpenFile }> {
  await writeFile(path, content);
  const { size, mtimeMs } = await stat(path);
  const file = { kind: "file", path, remoteFolder: "/", name: "file", size, modifiedAt: Math.trunc(mtimeMs) } as const;
  const source = await fileSource(path);
  if (!("open" in source)) throw new Error("a file can be opened");
  return { file, open: source.open };
}

async function read(
  { file, open }: { file: LocalFile; open: OpenFile },
  options: { offset?: number; between?: () => Promise<void> } = {},
): Promise<Buffer> {
  const source = steadyFile(file, open);
  if (!("open" in source)) throw new Error("a steady file can be opened");
  const parts: Uint8Array[] = [];
  for await (const part of source.open(options.offset ?? 0)) {
    parts.push(part);
    await options.between?.();
  }
  return Buffer.concat(parts);
}

test("a file that nobody touches is read whole, or from a byte on", async () => {
  const content = Buffer.alloc(3 * MiB + 5, "abc");
  const it = await found(content);
  expect((await read(it)).equals(content)).toBe(true);
  expect((await read(it, { offset: 3 * MiB })).equals(content.subarray(3 * MiB))).toBe(true);
});

test("an empty file is read as nothing", async () => {
  expect((await read(await found(""))).length).toBe(0);
});

test("a file that grows while it is read fails", async () => {
  const it = await found(Buffer.alloc(3 * MiB));
  await expect(read(it, { between: () => appendFile(path, "x") })).rejects.toThrow("changed while it was read");
});

test("a file that is cut while it is read fails", async () => {
  const it = await found(Buffer.alloc(3 * MiB));
  await expect(read(it, { between: () => writeFile(path, "short") })).rejects.toThrow("changed while it was read");
});

test("a file that is overwritten in place fails, before its last bytes are handed over", async () => {
  const it = await found(Buffer.alloc(2 * MiB));
  let parts = 0;
  const overwrite = async (): Promise<void> => {
    parts++;
    await writeFile(path, Buffer.alloc(2 * MiB, 1));
    await utimes(path, 1, 1);
  };
  await expect(read(it, { between: overwrite })).rejects.toMatchObject({ exitCode: 1 });
  expect(parts).toBe(1);
});

test("a file that changed between finding and reading fails", async () => {
  const it = await found("abc");
  await utimes(path, 5, 5);
  await expect(read(it)).rejects.toThrow("nothing of it was stored");
});
