import { mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Entry } from "@cairn/protocol";
import { afterEach, beforeEach, expect, test } from "vitest";
import { PartFile, partPath } from "./part-file.ts";

const entry = { id: "f_1", version: "v_1", etag: "sha256-1", size: 10 } as unknown as Entry;
const nothing = async (): Promise<number> => 0;
const everything = async (path: string): Promise<number> => (await stat(path)).size;
let folder = "";
let output = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "cairn-part-"));
  output = join(folder, "out.bin");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test("the output appears whole, with its time, and nothing else is left", async () => {
  await using part = await PartFile.open(output, entry, nothing);
  await part.append(Buffer.from("01234"));
  expect(await readdir(folder)).not.toContain("out.bin");
  await part.append(Buffer.from("56789"));
  await part.complete(1_700_000_000_000);
  expect(await readFile(output, "utf8")).toBe("0123456789");
  expect((await stat(output)).mtimeMs).toBe(1_700_000_000_000);
  expect(await readdir(folder)).toEqual(["out.bin"]);
});

test("bytes of the same content are kept, and what could not be proven is cut off", async () => {
  {
    await using part = await PartFile.open(output, entry, nothing);
    await part.append(Buffer.from("0123xx"));
  }
  await using part = await PartFile.open(output, entry, async () => 4);
  expect(part.position).toBe(4);
  await part.append(Buffer.from("456789"));
  await part.complete(0);
  expect(await readFile(output, "utf8")).toBe("0123456789");
});

test("bytes of another content are thrown away", async () => {
  {
    await using part = await PartFile.open(output, entry, nothing);
    await part.append(Buffer.from("01234"));
  }
  await using part = await PartFile.open(output, { ...entry, etag: "sha256-2" }, everything);
  expect(part.position).toBe(0);
  expect((await stat(partPath(output))).size).toBe(0);
});

test("a stranger's file that is in the way is left alone", async () => {
  await writeFile(partPath(output), "precious");
  await expect(PartFile.open(output, entry, everything)).rejects.toMatchObject({ exitCode: 7 });
  expect(await readFile(partPath(output), "utf8")).toBe("precious");
});

test("a note without bytes, as a kill can leave it, is harmless", async () => {
  {
    await using part = await PartFile.open(output, entry, nothing);
    await part.append(Buffer.from("01234"));
  }
  await rm(partPath(output));
  await using part = await PartFile.open(output, entry, everything);
  expect(part.position).toBe(0);
});

test("a part that another download has replaced is not given the output's name", async () => {
  await using part = await PartFile.open(output, entry, nothing);
  await part.append(Buffer.from("0123456789"));
  await rename(partPath(output), join(folder, "elsewhere"));
  await writeFile(partPath(output), "other");
  await expect(part.complete(0)).rejects.toThrow("taken away meanwhile");
  expect(await readdir(folder)).not.toContain("out.bin");
});

test("the longest name that a file can have leaves room for its part", async () => {
  const longest = join(folder, "é".repeat(127));
  await using part = await PartFile.open(longest, { ...entry, size: 1 } as Entry, nothing);
  await part.append(Buffer.from("1"));
  await part.complete(0);
  expect(await readdir(folder)).toEqual(["é".repeat(127)]);
});

test("a folder that does not exist is told before anything is fetched", async () => {
  await expect(PartFile.open(join(folder, "no", "out"), entry, nothing)).rejects.toMatchObject({
    exitCode: 1,
    hint: expect.stringContaining("--output"),
  });
});

test("a path through a file is told", async () => {
  await writeFile(output, "x");
  await expect(PartFile.open(join(output, "below"), entry, nothing)).rejects.toThrow(/not a folder|ENOTDIR/);
});
