import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describeSql } from "../../simulator/src/suites/sql-suite.ts";
import { openSqlite } from "./sqlite.ts";

describeSql("SQLite in a file", async () => {
  const folder = await mkdtemp(join(tmpdir(), "cairn-sqlite-"));
  const database = await openSqlite(join(folder, "test.db"));
  return {
    database,
    async done(): Promise<void> {
      await database[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
});

describeSql("SQLite in memory", async () => {
  const database = await openSqlite(":memory:");
  return { database, done: async () => database[Symbol.asyncDispose]() };
});
