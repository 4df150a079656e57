import type { Disk } from "@cairn/env";
import { describe, expect, test } from "vitest";
import { CrashDisk } from "./crash-disk.ts";
import { FaultyDisk } from "./faulty-disk.ts";
import { MemoryDisk } from "./memory-disk.ts";

const text = (bytes: Uint8Array | undefined): string | undefined =>
  bytes ? new TextDecoder().decode(bytes) : undefined;
const bytes = (of: string): Uint8Array => new TextEncoder().encode(of);

async function write(disk: Disk, path: string, content: string, { sync = true } = {}): Promise<void> {
  const file = await disk.open(path, (await disk.exists(path)) ? "write" : "create");
  await file.write([bytes(content)], 0);
  if (sync) await file.syncData();
  await file.close();
}

/** All that a power cut may leave of a file now; `undefined`: it is not there. */
function leftovers(disk: CrashDisk, path: string): Set<string | undefined> {
  const states = [...disk.crashStates({ first: disk.operations.length })];
  return new Set(states.map(({ image }) => text(image.files.get(path))));
}

describe("what a power cut may leave", () => {
  test("of a file that was never synced, nor its folder: nothing, an empty name, or some of its bytes", async () => {
    const disk = new CrashDisk();
    await write(disk, "a", "0123456789", { sync: false });
    const left = leftovers(disk, "a");
    for (const possible of [undefined, "", "0123456789", "0", "012345678", "\0".repeat(10), "0\0\0\0\0\0\0\0\0\0"]) {
      expect(left).toContain(possible);
    }
  });

  test("of bytes that were synced under a name that was not: all or nothing", async () => {
    const disk = new CrashDisk();
    await write(disk, "a", "x");
    expect(leftovers(disk, "a")).toEqual(new Set([undefined, "x"]));
    await disk.syncFolder(".");
    expect(leftovers(disk, "a")).toEqual(new Set(["x"]));
  });

  test("of a name that was synced with bytes that were not: the old bytes, too", async () => {
    const disk = new CrashDisk();
    await write(disk, "a", "old");
    await disk.syncFolder(".");
    await write(disk, "a", "new", { sync: false });
    expect(leftovers(disk, "a")).toContain("old");
    expect(leftovers(disk, "a")).toContain("new");
    expect(leftovers(disk, "a")).toContain("nld");
  });

  test("of a rename whose folder was not synced: either name, and never both or neither", async () => {
    const disk = new CrashDisk();
    await write(disk, "a", "new");
    await write(disk, "b", "old");
    await disk.syncFolder(".");
    await disk.rename("a", "b");
    const states = [...disk.crashStates({ first: disk.operations.length })].map(({ image }) =>
      [...image.files].map(([path, content]) => `${path}=${text(content)}`).sort(),
    );
    expect(states).toEqual([["a=new", "b=old"], ["b=new"]]);
  });

  test("of a rename of bytes that were never synced: a good name on an empty file", async () => {
    const disk = new CrashDisk();
    await write(disk, "b", "old");
    await disk.syncFolder(".");
    await write(disk, "b.new", "new", { sync: false });
    await disk.rename("b.new", "b");
    expect(leftovers(disk, "b")).toContain("");
  });

  test("of a file in a folder whose own name was not synced: nothing", async () => {
    const disk = new CrashDisk();
    await disk.makeFolder("x/y");
    await write(disk, "x/y/a", "1");
    await disk.syncFolder("x/y");
    await disk.syncFolder("x");
    expect(leftovers(disk, "x/y/a")).toEqual(new Set([undefined, "1"]));
    await disk.syncFolder(".");
    expect(leftovers(disk, "x/y/a")).toEqual(new Set(["1"]));
  });

  test("of a removed file whose folder was not synced: the file", async () => {
    const disk = new CrashDisk();
    await write(disk, "a", "1");
    await disk.syncFolder(".");
    await disk.remove("a");
    expect(leftovers(disk, "a")).toEqual(new Set([undefined, "1"]));
  });

  test("of a removed folder: as of a file", async () => {
    const disk = new CrashDisk();
    await disk.makeFolder("x");
    await write(disk, "x/a", "1");
    await disk.syncFolder("x");
    await disk.syncFolder(".");
    await disk.removeFolder("x");
    expect(leftovers(disk, "x/a")).toEqual(new Set([undefined, "1"]));
  });

  test("is told for every moment, and the last one includes what is there", async () => {
    const disk = new CrashDisk();
    await write(disk, "a", "1");
    await disk.syncFolder(".");
    const states = [...disk.crashStates()];
    expect(new Set(states.map(({ after }) => after))).toEqual(new Set([0, 1, 2, 3, 4]));
    expect(states.at(-1)?.image.files).toEqual(disk.image().files);
    expect(states[0]?.image.files.size).toBe(0);
  });

  test("can be opened again, and crash again", async () => {
    const disk = new CrashDisk();
    await write(disk, "a", "1");
    await disk.syncFolder(".");
    const again = new CrashDisk({ image: disk.image() });
    await write(again, "a", "2", { sync: false });
    expect(leftovers(again, "a")).toEqual(new Set(["1", "2"]));
  });
});

describe("syncs that do not sync", () => {
  test("a failed sync loses its bytes although reads show them and the next sync succeeds", async () => {
    const disk = new CrashDisk({ failSync: (_, count) => count === 1 });
    const file = await disk.open("a", "create");
    await disk.syncFolder(".");
    await file.write([bytes("lost")], 0);
    await expect(file.syncData()).rejects.toMatchObject({ kind: "internal" });
    await file.syncData();
    expect(text(disk.image().files.get("a"))).toBe("lost");
    expect(leftovers(disk, "a")).toEqual(new Set([""]));
    await file.write([bytes("kept")], 0);
    await file.syncData();
    expect(leftovers(disk, "a")).toEqual(new Set(["kept"]));
  });

  test("an ignored sync leaves everything in the balance", async () => {
    const disk = new CrashDisk({ ignores: "sync-data" });
    await write(disk, "a", "x");
    await disk.syncFolder(".");
    expect(leftovers(disk, "a")).toContain("");
    const other = new CrashDisk({ ignores: "sync-folder" });
    await write(other, "a", "x");
    await other.syncFolder(".");
    expect(leftovers(other, "a")).toContain(undefined);
  });
});

test("a full disk keeps what fitted of a write, and says so", async () => {
  for (const disk of [new MemoryDisk({ totalBytes: 10 }), new CrashDisk({ totalBytes: 10 })]) {
    const file = await disk.open("a", "create");
    await file.write([bytes("12345678")], 0);
    await expect(file.write([bytes("ab"), bytes("cdef")], 8)).rejects.toMatchObject({ kind: "no-space" });
    expect(text(disk.image().files.get("a"))).toBe("12345678ab");
    await file.write([bytes("XY")], 0);
    await file.truncate(4);
    await file.write([bytes("zz")], 4);
    expect(text(disk.image().files.get("a"))).toBe("XY34zz");
    if (disk instanceof CrashDisk) expect(leftovers(disk, "a")).toContain("XY34zz");
  }
});

test("planned faults hit the call they are meant for, and are counted", async () => {
  const disk = new FaultyDisk(new MemoryDisk());
  await write(disk, "a", "abcdef");
  const file = await disk.open("a", "write");
  const buffer = new Uint8Array(6);
  const next = (plan: FaultyDisk["plan"]): void => {
    disk.plan = plan;
  };
  next(({ operation }) => (operation === "read" ? { fault: "short", missingBytes: 2 } : undefined));
  expect(await file.read(buffer, 0)).toBe(4);
  next(() => ({ fault: "flip", bit: 8 }));
  await file.read(buffer, 0);
  expect(text(buffer)).toBe("accdef");
  next(() => ({ fault: "misdirect", byBytes: 1 }));
  expect(await file.read(buffer, 0)).toBe(5);
  await file.write([bytes("Z")], 0);
  next(() => ({ fault: "no-space", keepBytes: 1 }));
  await expect(file.write([bytes("YY")], 4)).rejects.toMatchObject({ kind: "no-space" });
  next(() => ({ fault: "io-error" }));
  for (const call of [
    () => file.syncData(),
    () => file.truncate(0),
    () => file.size(),
    () => disk.list("."),
    () => disk.open("a", "read"),
  ]) {
    await expect(call()).rejects.toMatchObject({ kind: "internal" });
  }
  expect(disk.hits).toBe(10);
  next(() => undefined);
  await file.read(buffer, 0);
  expect(text(buffer)).toBe("aZcdYf");
});

test("the end of a process frees its locks", async () => {
  const disk = new MemoryDisk();
  await disk.lock("lock");
  await expect(disk.lock("lock")).rejects.toMatchObject({ kind: "unavailable" });
  disk.endProcess();
  await disk.lock("lock");
});
