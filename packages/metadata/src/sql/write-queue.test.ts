import type { SqlDatabase } from "@cairn/env";
import { openSqlite } from "@cairn/env-node";
import { StorageError } from "@cairn/protocol";
import { SeededRandom, VirtualClock } from "@cairn/simulator";
import { expect, test } from "vitest";
import { CountingDatabase, failureOf, noMetrics } from "../service/testing/test-cluster.ts";
import { migrate } from "./migrate.ts";
import { WriteQueue } from "./write-queue.ts";

const clock = new VirtualClock();
const random = new SeededRandom(7);

async function openQueue() {
  const inner = await openSqlite(":memory:");
  const database = new CountingDatabase(inner);
  await migrate({ clock, random, database }, { copies: 1, chunkBytes: 65_536 });
  await database.write((sql) => sql.run("CREATE TABLE item (name TEXT PRIMARY KEY)"));
  const queue = new WriteQueue({ clock, random, database, metrics: noMetrics }, { gather: async () => undefined });
  database.writes = 0;
  return { database, inner, queue };
}

async function items(database: SqlDatabase): Promise<unknown[]> {
  const rows = await database.read((sql) => sql.all<{ name: string }>("SELECT name FROM item ORDER BY name"));
  return rows.map((row) => row.name);
}

function insert(queue: WriteQueue, name: string): Promise<number> {
  return queue.submit((tx) => tx.run("INSERT INTO item (name) VALUES (?)", name));
}

test("jobs that wait together share one transaction, and a batch closes when the one before has finished", async () => {
  const { database, queue } = await openQueue();
  await Promise.all([insert(queue, "a"), insert(queue, "b"), insert(queue, "c")]);
  expect(database.writes).toBe(1);
  const first = insert(queue, "d");
  const rest = Promise.resolve().then(() => Promise.all(["e", "f", "g"].map((name) => insert(queue, name))));
  await Promise.all([first, rest]);
  expect(database.writes).toBeLessThanOrEqual(3);
  expect(await items(database)).toEqual(["a", "b", "c", "d", "e", "f", "g"]);
});

test("at most commitGroupMax jobs, and not too heavy ones, share a transaction", async () => {
  const { database, queue } = await openQueue();
  await Promise.all(Array.from({ length: 300 }, (_, index) => insert(queue, `light-${index}`)));
  expect(database.writes).toBe(3);
  database.writes = 0;
  await Promise.all(Array.from({ length: 10 }, () => queue.submit(async () => undefined, 2000)));
  expect(database.writes).toBe(5);
});

test("a job that fails before its first write fails alone, without a second run of the others", async () => {
  const { database, queue } = await openQueue();
  const refusal = new StorageError("conflict", "test", "no");
  let runs = 0;
  const counted = queue.submit(async (tx) => {
    runs++;
    return await tx.run("INSERT INTO item (name) VALUES ('a')");
  });
  const failing = queue.submit(async () => {
    throw refusal;
  });
  const [, error] = await Promise.all([counted, failureOf(failing), insert(queue, "b")]);
  expect(error).toBe(refusal);
  expect(runs).toBe(1);
  expect(database.writes).toBe(1);
  expect(await items(database)).toEqual(["a", "b"]);
});

test("a job that fails after a write is undone alone, with its counters and its line in the change feed", async () => {
  const { database, inner, queue } = await openQueue();
  const drive = await inner.read((sql) => sql.get<{ scope: string }>("SELECT scope FROM usage LIMIT 1"));
  const failing = queue.submit(async (tx) => {
    await tx.run("INSERT INTO item (name) VALUES ('x')");
    tx.addUsage(drive!.scope, { files: 100 });
    tx.addChange({ operation: "create", entry: tx.newEntryId() });
    tx.memory.set(Symbol("cache"), "of what is undone");
    throw new StorageError("invalid", "test", "late");
  });
  const counting = queue.submit(async (tx) => {
    expect(tx.memory.size).toBe(0);
    tx.addUsage(drive!.scope, { files: 1 });
    tx.addChange({ operation: "create", entry: tx.newEntryId() });
  });
  const duplicate = insert(queue, "a");
  const [error] = await Promise.all([failureOf(failing), counting, duplicate]);
  expect(error.kind).toBe("invalid");
  expect(await items(database)).toEqual(["a"]);
  const sums = await inner.read((sql) =>
    sql.get("SELECT (SELECT SUM(files) FROM usage) AS files, (SELECT COUNT(*) FROM change) AS changes"),
  );
  expect({ ...sums }).toEqual({ files: 1, changes: 1 });
});

test("the order of the change feed is the order of the jobs, without a gap", async () => {
  const { inner, queue } = await openQueue();
  for (let batch = 0; batch < 3; batch++) {
    await Promise.all(
      Array.from({ length: 4 }, (_, index) =>
        queue.submit(async (tx) =>
          tx.addChange({ operation: "create", entry: tx.newEntryId(), name: `${batch}-${index}` }),
        ),
      ),
    );
  }
  const rows = await inner.read((sql) =>
    sql.all<{ sequence: number; body: string }>("SELECT sequence, body FROM change ORDER BY sequence"),
  );
  expect(rows.map((row) => row.sequence)).toEqual(Array.from({ length: 12 }, (_, index) => index + 1));
  const names = rows.map((row) => (JSON.parse(row.body) as { name: string }).name);
  expect(names).toEqual([...names].sort());
});

test("a database that cannot commit tells every job of the batch, and serves again when it can", async () => {
  const { database, queue } = await openQueue();
  database.failure = new StorageError("no-space", "change database", "disk full");
  const errors = await Promise.all([failureOf(insert(queue, "a")), failureOf(insert(queue, "b"))]);
  expect(errors.map((error) => error.kind)).toEqual(["no-space", "no-space"]);
  database.failure = undefined;
  await insert(queue, "a");
  expect(await items(database)).toEqual(["a"]);
});

test("when too many jobs wait, more are refused instead of remembered", async () => {
  const { queue } = await openQueue();
  const all = await Promise.allSettled(Array.from({ length: 5000 }, () => queue.submit(async () => undefined)));
  const refused = all.filter((one) => one.status === "rejected");
  expect(refused.length).toBe(5000 - 4096);
  expect(refused[0]).toMatchObject({ reason: { kind: "overloaded" } });
  await queue.idle();
});
