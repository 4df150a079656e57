import { openSqlite } from "@cairn/env-node";
import { StorageError } from "@cairn/protocol";
import { beforeEach, expect, test } from "vitest";
import { CountingDatabase, failureOf } from "../service/testing/test-cluster.ts";
import { GroupedWrites } from "./grouped-writes.ts";

let database: CountingDatabase;
let writes: GroupedWrites;
beforeEach(async () => {
  database = new CountingDatabase(await openSqlite(":memory:"));
  writes = new GroupedWrites(database);
  await database.write((sql) => sql.run("CREATE TABLE item (id BIGINT PRIMARY KEY)"));
  database.writes = 0;
});

const add = (id: number) => writes.run((sql) => sql.run("INSERT INTO item (id) VALUES (?)", id));
const items = () => database.read<unknown[]>((sql) => sql.all("SELECT id FROM item ORDER BY id"));

test("what arrives while a transaction runs shares the next one", async () => {
  await Promise.all(Array.from({ length: 50 }, (_, id) => add(id)));
  expect(await items()).toHaveLength(50);
  expect(database.writes).toBe(2);
});

test("work that fails takes nothing else with it and leaves nothing behind", async () => {
  const failing = failureOf(
    writes.run(async (sql) => {
      await sql.run("INSERT INTO item (id) VALUES (99)");
      throw new StorageError("conflict", "test", "no");
    }),
  );
  const others = Promise.all([add(1), add(2), failureOf(add(2)), add(3)]);
  expect((await failing).kind).toBe("conflict");
  await others;
  expect(await items()).toEqual([{ id: 1 }, { id: 2 }, { id: 3 }]);
});

test("a transaction that fails tells everybody in it, and the next one goes on", async () => {
  database.failure = new StorageError("unavailable", "test", "no database");
  const outcomes = await Promise.all([failureOf(add(1)), failureOf(add(2))]);
  expect(outcomes.map((failure) => failure.kind)).toEqual(["unavailable", "unavailable"]);
  database.failure = undefined;
  await add(3);
  expect(await items()).toEqual([{ id: 3 }]);
});

test("too many waiting writes are refused instead of piling up", async () => {
  const outcomes = await Promise.allSettled(Array.from({ length: 5000 }, (_, id) => add(id)));
  const refused = outcomes.filter((outcome) => outcome.status === "rejected");
  expect(refused.length).toBeGreaterThan(800);
  expect(refused.every((outcome) => (outcome.reason as StorageError).kind === "overloaded")).toBe(true);
});
