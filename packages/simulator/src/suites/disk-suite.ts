import type { Disk } from "@cairn/env";
import { isKind } from "@cairn/protocol";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

/** An empty disk under test, and what puts it away. */
export interface DiskUnderTest {
  readonly disk: Disk;
  done(): Promise<void>;
}

/** What every Disk does, whatever it is made of. Durability is not looked at here: only a power cut can show that. */
export function describeDisk(name: string, make: () => Promise<DiskUnderTest>): void {
  describe(name, () => {
    let disk: Disk;
    let made: DiskUnderTest;
    beforeEach(async () => {
      made = await make();
      disk = made.disk;
    });
    afterEach(() => made.done());

    describe("a file", () => describeFile(() => disk));
    describe("names", () => describeNames(() => disk));

    test("a lock has one holder at a time, and another may take it once it is given back", async () => {
      const first = await disk.lock("lock");
      expect(await kindOf(disk.lock("lock"))).toBe("unavailable");
      expect(await kindOf(disk.lock("lock"))).toBe("unavailable");
      const other = await disk.lock("other");
      await first[Symbol.asyncDispose]();
      const second = await disk.lock("lock");
      expect(await kindOf(disk.lock("lock"))).toBe("unavailable");
      await second[Symbol.asyncDispose]();
      await other[Symbol.asyncDispose]();
    });

    test("it tells how much space there is", async () => {
      const { totalBytes, freeBytes } = await disk.space();
      expect(totalBytes).toBeGreaterThan(0);
      expect(freeBytes).toBeGreaterThan(0);
      expect(freeBytes).toBeLessThanOrEqual(totalBytes);
    });
  });
}

function describeFile(made: () => Disk): void {
  let disk: Disk;
  beforeEach(() => {
    disk = made();
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

  test("takes several buffers at an explicit position, empty ones among them", async () => {
    await write(disk, "a", "0123456789");
    const file = await disk.open("a", "write");
    const empty = new Uint8Array(0);
    await file.write([empty, bytes("AB"), empty, empty, bytes("C"), empty], 3);
    await file.write([], 0);
    await file.write([empty], 0);
    await file.write([empty, empty], 500);
    expect(await file.size()).toBe(10);
    expect(await readAll(disk, "a")).toBe("012ABC6789");
    await file.write([bytes("89"), bytes("ab")], 8);
    expect(await readAll(disk, "a")).toBe("012ABC6789ab");
    await file.close();
  });

  test("stores only what a buffer shows of a larger one, and leaves the buffer as it was", async () => {
    const large = bytes("xxhelloxx");
    const file = await disk.open("a", "create");
    await file.write([large.subarray(2, 7)], 0);
    large.fill(0);
    expect(await readAll(disk, "a")).toBe("hello");
    const target = bytes("..........");
    expect(await file.read(target.subarray(2, 4), 1)).toBe(2);
    expect(text(target)).toBe("..el......");
    await file.close();
  });

  test("is read up to its end, and not a byte behind it", async () => {
    await write(disk, "a", "abc");
    const file = await disk.open("a", "read");
    const buffer = new Uint8Array(10).fill(7);
    expect(await file.read(buffer, 1)).toBe(2);
    expect([...buffer]).toEqual([98, 99, 7, 7, 7, 7, 7, 7, 7, 7]);
    expect(await file.read(buffer, 3)).toBe(0);
    expect(await file.read(buffer, 100)).toBe(0);
    expect(await file.read(new Uint8Array(0), 0)).toBe(0);
    await file.close();
  });

  test("shows zeros in a gap, and is truncated both ways", async () => {
    const file = await disk.open("a", "create");
    await file.write([bytes("x")], 3);
    expect(await readAll(disk, "a")).toBe("\0\0\0x");
    await file.truncate(2);
    await file.truncate(5);
    expect(await readAll(disk, "a")).toBe("\0\0\0\0\0");
    await file.write([bytes("y")], 5);
    expect(await file.size()).toBe(6);
    await file.truncate(0);
    expect(await file.size()).toBe(0);
    await file.close();
  });

  test("takes thousands of buffers one after the other", async () => {
    const file = await disk.open("a", "create");
    const parts = Array.from({ length: 2500 }, (_, index) => new Uint8Array([index & 255, index >> 8]));
    await file.write(parts, 4);
    expect(await file.size()).toBe(5004);
    const all = new Uint8Array(5000);
    expect(await file.read(all, 4)).toBe(5000);
    expect(Buffer.from(all).equals(Buffer.concat(parts))).toBe(true);
    await file.close();
  });

  test("opened to read is not written to", async () => {
    await write(disk, "a", "abc");
    const file = await disk.open("a", "read");
    expect(await kindOf(file.write([bytes("x")], 0))).toBe("internal");
    expect(await kindOf(file.truncate(0))).toBe("internal");
    expect(await readAll(disk, "a")).toBe("abc");
    await file.close();
  });

  test("is of no use once it is closed", async () => {
    const file = await disk.open("a", "create");
    await file.close();
    expect(await kindOf(file.write([bytes("x")], 0))).toBe("internal");
    expect(await kindOf(file.read(new Uint8Array(1), 0))).toBe("internal");
    expect(await kindOf(file.syncData())).toBe("internal");
    expect(await kindOf(file.size())).toBe("internal");
  });
}

function describeNames(made: () => Disk): void {
  let disk: Disk;
  beforeEach(() => {
    disk = made();
  });

  test("a file is made once, and only what is there is opened", async () => {
    await write(disk, "a", "1");
    expect(await kindOf(disk.open("a", "create"))).toBe("conflict");
    expect(await readAll(disk, "a")).toBe("1");
    expect(await kindOf(disk.open("b", "read"))).toBe("not-found");
    expect(await kindOf(disk.open("b", "write"))).toBe("not-found");
    expect(await kindOf(disk.open("none/b", "create"))).toBe("not-found");
    expect(await disk.exists("a")).toBe(true);
    expect(await disk.exists("b")).toBe(false);
    expect(await disk.exists("a/b")).toBe(false);
  });

  test("folders are made with their parents and list what is in them", async () => {
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
    expect(await kindOf(disk.syncFolder("none"))).toBe("not-found");
  });

  test("a rename replaces what is there, while both are open", async () => {
    await write(disk, "a", "new");
    await write(disk, "b", "old");
    const from = await disk.open("a", "write");
    const replaced = await disk.open("b", "read");
    await disk.rename("a", "b");
    expect(await readAll(disk, "b")).toBe("new");
    expect(await disk.exists("a")).toBe(false);
    const buffer = new Uint8Array(3);
    await replaced.read(buffer, 0);
    expect(text(buffer)).toBe("old");
    await from.write([bytes("N")], 0);
    expect(await readAll(disk, "b")).toBe("New");
    await from.close();
    await replaced.close();
  });

  test("a folder moves with all that is in it", async () => {
    await disk.makeFolder("from/deep");
    await disk.makeFolder("to");
    await (await disk.open("from/deep/a", "create")).close();
    await disk.rename("from", "to/there");
    expect(await disk.exists("to/there/deep/a")).toBe(true);
    expect(await disk.exists("from")).toBe(false);
  });

  test("a rename moves to another folder, and fails without the file or the folder", async () => {
    await disk.makeFolder("x");
    await write(disk, "a", "1");
    await disk.rename("a", "x/a");
    expect(await readAll(disk, "x/a")).toBe("1");
    expect(await kindOf(disk.rename("a", "c"))).toBe("not-found");
    expect(await kindOf(disk.rename("x/a", "none/a"))).toBe("not-found");
    expect(await readAll(disk, "x/a")).toBe("1");
  });

  test("files are removed once, and folders with all that is in them", async () => {
    await disk.makeFolder("x/y");
    await write(disk, "x/y/a", "1");
    await write(disk, "xy", "1");
    await disk.remove("xy");
    expect(await kindOf(disk.remove("xy"))).toBe("not-found");
    await write(disk, "xy", "1");
    await disk.removeFolder("x");
    await disk.removeFolder("x");
    expect(await disk.exists("x/y/a")).toBe(false);
    expect([...(await disk.list("."))]).toEqual(["xy"]);
  });

  test("a removed file stays readable where it is open, and its name is free", async () => {
    await write(disk, "a", "old");
    const file = await disk.open("a", "read");
    await disk.remove("a");
    await write(disk, "a", "newer");
    const buffer = new Uint8Array(10);
    expect(await file.read(buffer, 0)).toBe(3);
    await file.close();
    expect(await readAll(disk, "a")).toBe("newer");
  });

  test("a path that leads out of the tree is refused everywhere", async () => {
    await write(disk, "a", "1");
    for (const path of ["../a", "..", "/etc/passwd", "a/../../b", "x/..", "a\0b", "a\\b", "..\\a"]) {
      const refusals = [
        disk.open(path, "read"),
        disk.open(path, "create"),
        disk.list(path),
        disk.makeFolder(path),
        disk.rename("a", path),
        disk.rename(path, "b"),
        disk.remove(path),
        disk.removeFolder(path),
        disk.syncFolder(path),
        disk.exists(path),
        disk.lock(path),
      ];
      expect(await Promise.all(refusals.map(kindOf)), JSON.stringify(path)).toEqual(refusals.map(() => "invalid"));
    }
    expect(await readAll(disk, "a")).toBe("1");
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

/** The kind of the failure; `ok` when there is none, `strange` when it is no StorageError. */
async function kindOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "ok";
  } catch (error) {
    if (!(error instanceof Error) || !("kind" in error)) return "strange";
    const kind = String(error.kind);
    return isKind(error, kind as Parameters<typeof isKind>[1]) ? kind : "strange";
  }
}
