import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Disk } from "@cairn/env";
import { NodeDisk } from "@cairn/env-node";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { CrashDisk } from "./crash-disk.ts";
import { FaultyDisk } from "./faulty-disk.ts";
import { MemoryDisk } from "./memory-disk.ts";

const folders: string[] = [];
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

async function nodeDisk(): Promise<Disk> {
  const folder = await mkdtemp(join(tmpdir(), "cairn-disk-"));
  folders.push(folder);
  return new NodeDisk(folder);
}

describeDisk("the disk of Node", nodeDisk);
describeDisk("a disk in memory", async () => new MemoryDisk());
describeDisk("a disk that crashes", async () => new CrashDisk());
describeDisk("a disk that could fail", async () => new FaultyDisk(new MemoryDisk()));

/** What every Disk does, whatever it is made of. */
function describeDisk(name: string, make: () => Promise<Disk>): void {
  describe(name, () => {
    let disk: Disk;
    beforeEach(async () => {
      disk = await make();
    });

    test("gives back what was written, at any position", async () => {
      const file = await disk.open("a", "create");
      await file.write([bytes("hello "), new Uint8Array(0), bytes("world")], 0);
      await file.write([bytes("J")], 0);
      await file.syncData();
      expect(await file.size()).toBe(11);
      expect(await readAll(disk, "a")).toBe("Jello world");
      const part = new Uint8Array(5);
      expect(await file.read(part, 6)).toBe(5);
      expect(text(part)).toBe("world");
      await file.close();
    });

    test("reads up to the end of a file, and nothing behind it", async () => {
      await write(disk, "a", "abc");
      const file = await disk.open("a", "read");
      const buffer = new Uint8Array(10).fill(7);
      expect(await file.read(buffer, 1)).toBe(2);
      expect([...buffer]).toEqual([98, 99, 7, 7, 7, 7, 7, 7, 7, 7]);
      expect(await file.read(buffer, 3)).toBe(0);
      expect(await file.read(buffer, 100)).toBe(0);
      await file.close();
    });

    test("fills a gap with zeros, and truncates both ways", async () => {
      const file = await disk.open("a", "create");
      await file.write([bytes("x")], 3);
      expect(await readAll(disk, "a")).toBe("\0\0\0x");
      await file.truncate(2);
      await file.truncate(5);
      expect(await readAll(disk, "a")).toBe("\0\0\0\0\0");
      await file.write([bytes("y")], 5);
      expect(await file.size()).toBe(6);
      await file.close();
    });

    test("writes hundreds of buffers one after the other", async () => {
      const file = await disk.open("a", "create");
      const parts = Array.from({ length: 1500 }, (_, index) => new Uint8Array([index & 255, index >> 8]));
      await file.write(parts, 0);
      expect(await file.size()).toBe(3000);
      const end = new Uint8Array(2);
      await file.read(end, 2998);
      expect(end).toEqual(parts.at(-1));
      await file.close();
    });

    test("makes a file once, and opens only what is there", async () => {
      await write(disk, "a", "1");
      expect(await kindOf(disk.open("a", "create"))).toBe("conflict");
      expect(await kindOf(disk.open("b", "read"))).toBe("not-found");
      expect(await kindOf(disk.open("b", "write"))).toBe("not-found");
      expect(await kindOf(disk.open("none/b", "create"))).toBe("not-found");
      expect(await disk.exists("a")).toBe(true);
      expect(await disk.exists("b")).toBe(false);
      expect(await disk.exists("a/b")).toBe(false);
    });

    test("makes folders with their parents and lists what is in them", async () => {
      await disk.makeFolder("x/y/z");
      await disk.makeFolder("x/y/z");
      await write(disk, "x/y/a", "1");
      await write(disk, "x/b", "1");
      expect([...(await disk.list("x/y"))].sort()).toEqual(["a", "z"]);
      expect([...(await disk.list("x"))].sort()).toEqual(["b", "y"]);
      expect([...(await disk.list("."))].sort()).toEqual(["x"]);
      expect(await disk.list("x/y/z")).toEqual([]);
      expect(await kindOf(disk.list("none"))).toBe("not-found");
      expect(await disk.exists("x/y")).toBe(true);
      await disk.syncFolder("x/y");
      await disk.syncFolder(".");
    });

    test("renames over what is there, while both are open", async () => {
      await write(disk, "a", "new");
      await write(disk, "b", "old");
      const open = await disk.open("b", "read");
      await disk.rename("a", "b");
      expect(await readAll(disk, "b")).toBe("new");
      expect(await disk.exists("a")).toBe(false);
      const buffer = new Uint8Array(3);
      await open.read(buffer, 0);
      expect(text(buffer)).toBe("old");
      await open.close();
      expect(await kindOf(disk.rename("a", "c"))).toBe("not-found");
    });

    test("removes files once and folders with all that is in them", async () => {
      await disk.makeFolder("x/y");
      await write(disk, "x/y/a", "1");
      await write(disk, "xy", "1");
      await disk.remove("xy");
      expect(await kindOf(disk.remove("xy"))).toBe("not-found");
      await write(disk, "xy", "1");
      await disk.removeFolder("x");
      await disk.removeFolder("x");
      expect([...(await disk.list("."))]).toEqual(["xy"]);
    });

    test("refuses paths that lead out of it", async () => {
      for (const path of ["../a", "/etc/passwd", "a/../../b", "a\0b", "a\\b"]) {
        expect(await kindOf(disk.open(path, "read"))).toBe("invalid");
        expect(await kindOf(disk.makeFolder(path))).toBe("invalid");
      }
    });

    test("locks a name for one holder at a time", async () => {
      const first = await disk.lock("lock");
      expect(await kindOf(disk.lock("lock"))).toBe("unavailable");
      await first[Symbol.asyncDispose]();
      await (await disk.lock("lock"))[Symbol.asyncDispose]();
    });

    test("tells how much space there is", async () => {
      const { totalBytes, freeBytes } = await disk.space();
      expect(totalBytes).toBeGreaterThan(0);
      expect(freeBytes).toBeGreaterThan(0);
      expect(freeBytes).toBeLessThanOrEqual(totalBytes);
    });
  });
}

function bytes(of: string): Uint8Array {
  return new TextEncoder().encode(of);
}

function text(of: Uint8Array): string {
  return new TextDecoder().decode(of);
}

async function write(disk: Disk, path: string, content: string): Promise<void> {
  const file = await disk.open(path, "create");
  await file.write([bytes(content)], 0);
  await file.close();
}

async function readAll(disk: Disk, path: string): Promise<string> {
  const file = await disk.open(path, "read");
  const buffer = new Uint8Array(await file.size());
  await file.read(buffer, 0);
  await file.close();
  return text(buffer);
}

async function kindOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => "ok",
    (error) => error.kind,
  );
}
