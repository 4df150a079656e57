import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSqlite } from "@cairn/env-node";
import { SeededRandom, VirtualClock } from "@cairn/simulator";
import { expect, test } from "vitest";
import { failureOf } from "../service/testing/test-cluster.ts";
import { usageShards } from "./make-drive.ts";
import { migrate } from "./migrate.ts";
import { migrations } from "./schema.ts";

const options = { copies: 3, chunkBytes: 65_536 };
const world = { clock: new VirtualClock(), random: new SeededRandom(1) };

test("a new database gets the schema, the cluster and the drive main; a second start changes nothing", async () => {
  const folder = await mkdtemp(join(tmpdir(), "cairn-migrate-"));
  try {
    let first: unknown;
    for (let start = 0; start < 2; start++) {
      await using database = await openSqlite(join(folder, "metadata.db"));
      await migrate({ ...world, database }, start === 0 ? options : { copies: 1, chunkBytes: 4096 });
      const state = await database.read(async (sql) => ({
        cluster: await sql.all("SELECT name, value FROM cluster ORDER BY name"),
        drives: await sql.all("SELECT name, copies, chunk_bytes FROM drive"),
        entries: await sql.all("SELECT COUNT(*) AS entries FROM entry"),
        usage: await sql.all("SELECT COUNT(*) AS shards FROM usage"),
      }));
      first ??= state;
      expect(state).toEqual(first);
      expect(state.drives).toMatchObject([{ name: "main", copies: 3, chunk_bytes: 65_536 }]);
      expect(state.entries).toMatchObject([{ entries: 2 }]);
      expect(state.usage).toMatchObject([{ shards: usageShards }]);
      expect(state.cluster).toMatchObject([
        { name: "created_at" },
        { name: "id" },
        { name: "incarnation", value: "1" },
        { name: "schema", value: String(migrations.length) },
      ]);
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("a database of a newer version is refused and left as it is", async () => {
  await using database = await openSqlite(":memory:");
  await migrate({ ...world, database }, options);
  const newer = String(migrations.length + 1);
  await database.write((sql) => sql.run("UPDATE cluster SET value = ? WHERE name = 'schema'", newer));
  const error = await failureOf(migrate({ ...world, database }, options));
  expect(error.kind).toBe("conflict");
  expect(error.hint).toContain("newer version");
  const row = await database.read((sql) => sql.get("SELECT value FROM cluster WHERE name = 'schema'"));
  expect(row).toMatchObject({ value: newer });
});

test("a start that is cut off in the middle leaves an empty database, and the next one succeeds", async () => {
  await using database = await openSqlite(":memory:");
  const cutOff = { fraction: () => 0, bytes: () => expect.fail("power cut") };
  await expect(migrate({ ...world, random: cutOff, database }, options)).rejects.toThrow("power cut");
  expect(await database.read((sql) => sql.all("SELECT name FROM sqlite_master"))).toEqual([]);
  await migrate({ ...world, database }, options);
});

test("statements keep to what SQLite and PostgreSQL share, with the engine's words filled in", () => {
  for (const statement of migrations.flat()) {
    const rest = statement.replaceAll("{blob}", "").replaceAll("{clustered}", "");
    expect(rest).not.toMatch(/[{}]|\b(AUTOINCREMENT|ROWID|BLOB|BYTEA|DATETIME|PRAGMA|GLOB)\b/i);
  }
});
