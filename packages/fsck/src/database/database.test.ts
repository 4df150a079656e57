import { copyFileSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { DatabaseSync } from "@photostructure/sqlite";
import { afterAll, expect, test } from "vitest";
import { FsckError } from "../fsck-error.ts";
import { MetadataDatabase } from "./database.ts";

const folder = mkdtempSync(join(tmpdir(), "cairn-fsck-"));
afterAll(() => rmSync(folder, { recursive: true }));

function written(name: string): { file: string; writer: InstanceType<typeof DatabaseSync> } {
  const file = join(folder, name);
  const writer = new DatabaseSync(file);
  writer.exec("PRAGMA journal_mode=WAL; CREATE TABLE number (n INTEGER)");
  for (let n = 0; n < 300; n++) writer.prepare("INSERT INTO number VALUES (?)").run(n);
  return { file, writer };
}

/** Ends as a server does. */
function settle(writer: InstanceType<typeof DatabaseSync>): void {
  writer.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  writer.close();
}

const count = "SELECT COUNT(*) AS n FROM number";

test("one read sees one moment, whatever a server writes meanwhile", async () => {
  const { file, writer } = written("one");
  const database = await MetadataDatabase.at(file);
  await database.read((snapshot) => {
    expect(snapshot.get(count)).toEqual({ n: 300 });
    writer.exec("DELETE FROM number");
    expect(snapshot.get(count)).toEqual({ n: 300 });
  });
  expect(await database.read((snapshot) => snapshot.get(count))).toEqual({ n: 0 });
  writer.close();
});

test("a database that no server has open is read without making a log beside it", async () => {
  const { file, writer } = written("two");
  settle(writer);
  copyFileSync(file, join(folder, "alone"));
  const before = readdirSync(folder);
  const database = await MetadataDatabase.at(join(folder, "alone"));
  expect(await database.read((snapshot) => snapshot.get(count))).toEqual({ n: 300 });
  expect(readdirSync(folder)).toEqual(before);
});

test("a server that begins to use it meanwhile is noticed", async () => {
  const { file, writer } = written("three");
  settle(writer);
  for (const log of ["-wal", "-shm"]) rmSync(file + log, { force: true });
  const database = await MetadataDatabase.at(file);
  const begun: InstanceType<typeof DatabaseSync>[] = [];
  const read = database.read(() => {
    const other = new DatabaseSync(file);
    begun.push(other);
    other.exec("DELETE FROM number");
  });
  await expect(read).rejects.toMatchObject({ name: "FsckError", again: true });
  expect(existsSync(`${file}-wal`)).toBe(true);
  for (const other of begun) other.close();
});

test("rows can be walked for long, and inside of one another, though memory is collected meanwhile", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const { file, writer } = written("four");
  const database = await MetadataDatabase.at(file);
  await database.read(async (snapshot) => {
    let sum = 0;
    for (const { n } of snapshot.rows<{ n: number }>("SELECT n FROM number")) {
      for (const inner of snapshot.rows<{ n: number }>("SELECT n FROM number WHERE n < ? LIMIT 3", n)) sum += inner.n;
      if (n % 50 === 0) collect();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(sum).toBe(3 * 297 + 1);
  });
  writer.close();
});

test("nothing can be written, and what is no database says so", async () => {
  const { file, writer } = written("five");
  const database = await MetadataDatabase.at(file);
  await expect(database.read((snapshot) => snapshot.all("DELETE FROM number"))).rejects.toThrow(
    /readonly|read-only|query_only/i,
  );
  writer.close();
  writeFileSync(join(folder, "text"), "this is no database, and long enough to be taken for one ".repeat(20));
  const text = await MetadataDatabase.at(join(folder, "text"));
  await expect(text.read((snapshot) => snapshot.get(count))).rejects.toBeInstanceOf(FsckError);
  await expect(MetadataDatabase.at(join(folder, "nothing"))).rejects.toBeInstanceOf(FsckError);
});
