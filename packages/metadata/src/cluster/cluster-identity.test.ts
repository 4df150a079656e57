import type { SqlDatabase } from "@cairn/env";
import { openSqlite } from "@cairn/env-node";
import { SeededRandom, VirtualClock } from "@cairn/simulator";
import { beforeEach, expect, test } from "vitest";
import { newMetadataKeys } from "../service/metadata-keys.ts";
import { failureOf } from "../service/testing/test-cluster.ts";
import { migrate } from "../sql/migrate.ts";
import { adoptCluster } from "./cluster-identity.ts";

const random = new SeededRandom(1);
const keys = newMetadataKeys(random);
let database: SqlDatabase;
beforeEach(async () => {
  database = await openSqlite(":memory:");
  await migrate({ database, clock: new VirtualClock(), random }, { copies: 2, chunkBytes: 4096 });
});

test("a new database is tied to the new keys and opens with them ever after", async () => {
  expect(await adoptCluster(database, keys, true)).toEqual({ cluster: keys.cluster, incarnation: 1 });
  expect(await adoptCluster(database, keys, false)).toEqual({ cluster: keys.cluster, incarnation: 1 });
});

test("a database of another cluster is refused", async () => {
  await adoptCluster(database, keys, true);
  expect((await failureOf(adoptCluster(database, newMetadataKeys(random), true))).kind).toBe("conflict");
});

test("an empty database is refused by a cluster that has run before", async () => {
  const failure = await failureOf(adoptCluster(database, keys, false));
  expect([failure.kind, failure.hint]).toEqual(["conflict", expect.stringContaining("backup")]);
});
