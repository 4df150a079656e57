import { expect, test } from "vitest";
import { failureOf, TestCluster } from "../service/testing/test-cluster.ts";

const event = { severity: "info", kind: "test", subject: "cluster", message: "it happened" } as const;

test("a background write and its event are there together", async () => {
  const { core } = await TestCluster.open();
  const waiting = core.events.after(0, { limit: 10, waitMs: 1000 });
  await core.leaderWrites.run(async (_sql, tell) => tell(event));
  expect(await waiting).toMatchObject([{ kind: "test" }]);
});

test("a write that fails leaves no event behind", async () => {
  const { core } = await TestCluster.open();
  const failure = core.leaderWrites.run(async (_sql, tell) => {
    await tell(event);
    throw new Error("no");
  });
  await expect(failure).rejects.toThrow("no");
  expect(await core.events.last()).toBe(0);
});

test("a leader that was overtaken changes nothing", async () => {
  const cluster = await TestCluster.open();
  const { core } = cluster;
  await cluster.start();
  const failure = core.leaderWrites.run(async (sql, tell) => {
    await sql.run("INSERT INTO setting (name, value, changed_at) VALUES ('x', 1, 1)");
    await tell(event);
  });
  expect((await failureOf(failure)).kind).toBe("stale");
  expect(await cluster.database.read((sql) => sql.all("SELECT * FROM setting"))).toEqual([]);
  expect(await core.events.last()).toBe(0);
});
