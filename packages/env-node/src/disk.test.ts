import { execFileSync } from "node:child_process";
import { mkdtempSync, rmdirSync } from "node:fs";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isKind, type StorageError } from "@cairn/protocol";
import { afterEach, beforeEach, expect, test } from "vitest";
import { describeDisk } from "../../simulator/src/suites/disk-suite.ts";
import { NodeDisk } from "./disk.ts";
import { openSqlite } from "./sqlite.ts";
import { ChildProgram } from "./testing/child-program.ts";

describeDisk("the machine's disk", async () => {
  const folder = await mkdtemp(join(tmpdir(), "cairn-disk-"));
  return { disk: new NodeDisk(folder), done: () => rm(folder, { recursive: true, force: true }) };
});

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "cairn-disk-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test("files belong to their owner alone, whatever makes them", async () => {
  const disk = new NodeDisk(join(folder, "root"));
  await disk.makeFolder("a/b");
  await (await disk.open("a/b/file", "create")).close();
  const lock = await disk.lock("a/lock");
  const database = await openSqlite(join(folder, "root/metadata.db"));
  await database.write((sql) => sql.run("CREATE TABLE t (id INTEGER)"));
  const modes: string[] = [];
  for (const path of ["", "a", "a/b", "a/b/file", "a/lock", "metadata.db", "metadata.db-wal", "metadata.db-shm"]) {
    modes.push(`${path} ${((await stat(join(folder, "root", path))).mode & 0o777).toString(8)}`);
  }
  await lock[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
  expect(modes).toEqual([
    " 700",
    "a 700",
    "a/b 700",
    "a/b/file 600",
    "a/lock 600",
    "metadata.db 600",
    "metadata.db-wal 600",
    "metadata.db-shm 600",
  ]);
});

test("a lock holds against another process until that process is gone", async () => {
  const disk = new NodeDisk(folder);
  await using child = holdLock(folder);
  expect(await child.linesReach(1)).toEqual(["held"]);
  const error = await failure(disk.lock("lock"));
  expect(error).toMatchObject({ kind: "unavailable", details: { locked: true } });
  expect((error as StorageError).hint).toContain("--data");
  await child.kill();
  await (await disk.lock("lock"))[Symbol.asyncDispose]();
});

test("a failed attempt to lock twice in one process does not give the lock to another", async () => {
  const disk = new NodeDisk(folder);
  const lock = await disk.lock("lock");
  expect(isKind(await failure(disk.lock("lock")), "unavailable")).toBe(true);
  await using refused = holdLock(folder);
  expect(await refused.linesReach(1)).toEqual(["unavailable"]);
  await lock[Symbol.asyncDispose]();
  await using child = holdLock(folder);
  expect(await child.linesReach(1)).toEqual(["held"]);
});

test("a failure of the system keeps its cause and code", async () => {
  const disk = new NodeDisk(folder);
  await disk.makeFolder("a");
  const error = await failure(disk.remove("none"));
  expect(error).toMatchObject({
    kind: "not-found",
    operation: "remove file",
    subject: "none",
    details: { code: "ENOENT" },
  });
  expect((error as Error).cause).toBeInstanceOf(Error);
  await (await disk.open("file", "create")).close();
  expect(isKind(await failure(disk.makeFolder("file")), "conflict")).toBe(true);
  expect(isKind(await failure(disk.open("file/below", "create")), "not-found")).toBe(true);
});

const mounts = canMount();
const full = "a disk that fills up while a write is on its way fails with no-space, and keeps what stood there";
test.runIf(mounts)(mounts ? full : `${full} (NOT RUN HERE: it needs root and a tmpfs)`, async () => {
  const size = 1024 * 1024;
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", folder]);
  try {
    const disk = new NodeDisk(folder);
    const file = await disk.open("a", "create");
    const block = new Uint8Array(100_000).fill(1);
    await file.write([block], 0);
    const { totalBytes, freeBytes } = await disk.space();
    expect(totalBytes).toBe(size);
    expect(freeBytes).toBeLessThanOrEqual(size - block.length);
    // Eleven more do not fit; the system takes a part of them and says so by a short count.
    const error = await failure(
      file.write(
        Array.from({ length: 11 }, () => block),
        block.length,
      ),
    );
    expect(error).toMatchObject({ kind: "no-space", operation: "write file", subject: "a" });
    const back = new Uint8Array(block.length);
    expect(await file.read(back, 0)).toBe(block.length);
    expect(Buffer.from(back).equals(block)).toBe(true);
    await file.truncate(block.length);
    await file.write([block], block.length);
    await file.close();
    await disk.remove("a");
    await expectFullDatabase(folder);
  } finally {
    execFileSync("umount", ["-l", folder]);
  }
});

/** A database on a full disk refuses what does not fit, keeps what it has acknowledged, and goes on when there is room. */
async function expectFullDatabase(folder: string): Promise<void> {
  const database = await openSqlite(join(folder, "test.db"));
  await database.write((sql) => sql.run("CREATE TABLE item (id INTEGER PRIMARY KEY, body BLOB)"));
  const insert = (id: number, bytes: number): Promise<number> =>
    database.write((sql) => sql.run("INSERT INTO item VALUES (?, ?)", id, new Uint8Array(bytes)));
  await insert(1, 1000);
  expect(isKind(await failure(insert(2, 2_000_000)), "no-space")).toBe(true);
  await insert(3, 1000);
  expect(await database.read((sql) => sql.all("SELECT id FROM item ORDER BY id"))).toEqual([{ id: 1 }, { id: 3 }]);
  await database[Symbol.asyncDispose]();
}

function holdLock(folder: string): ChildProgram {
  return new ChildProgram(`
    import { NodeDisk } from "@cairn/env-node";
    const disk = new NodeDisk(${JSON.stringify(folder)});
    try {
      globalThis.lock = await disk.lock("lock");
      console.log("held");
      setInterval(() => undefined, 1000);
    } catch (error) {
      console.log(error.kind);
    }
  `);
}

/** Tells whether this process may mount a small file system of its own. */
function canMount(): boolean {
  const place = mkdtempSync(join(tmpdir(), "cairn-mount-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", place], { stdio: "ignore" });
    execFileSync("umount", [place]);
    return true;
  } catch {
    return false;
  } finally {
    rmdirSync(place);
  }
}

async function failure(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  );
}
