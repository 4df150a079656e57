import { StorageError } from "@cairn/protocol";
import { expect, test } from "vitest";
import { startMaintenance } from "./maintenance.ts";
import { failureOf, TestCluster } from "./testing/test-cluster.ts";

test("jobs run again and again at their own pace, and none overlaps itself", async () => {
  const cluster = await TestCluster.open();
  const rounds: number[] = [];
  let slow = 0;
  const running = startMaintenance(cluster.env, [
    { name: "quick", everyMs: 1000, run: async () => void rounds.push(cluster.clock.monotonic()) },
    {
      name: "slow",
      everyMs: 1000,
      run: async (signal) => {
        slow++;
        await cluster.clock.sleep(10_000, signal);
      },
    },
  ]);
  await cluster.clock.advance(3500);
  expect(rounds).toEqual([0, 1000, 2000, 3000]);
  expect(slow).toBe(1);
  await running[Symbol.asyncDispose]();
  await cluster.clock.advance(10_000);
  expect(rounds).toHaveLength(4);
  expect(cluster.clock.pending).toBe(0);
});

test("a round that fails is logged and tried again", async () => {
  const cluster = await TestCluster.open();
  let round = 0;
  await using _running = startMaintenance(cluster.env, [
    {
      name: "shaky",
      everyMs: 1000,
      run: async () => {
        if (++round === 1) throw new StorageError("unavailable", "test", "once");
      },
    },
  ]);
  await cluster.clock.advance(1500);
  expect(round).toBe(2);
  expect(cluster.log.lines.filter((line) => line.level === "error").map((line) => line.fields["job"])).toEqual([
    "shaky",
  ]);
});

test("the jobs of the cluster close leases, renew the lead, tell of silent nodes and forget old commits", async () => {
  const cluster = await TestCluster.open();
  const nodes = await cluster.addNodes(2);
  const lease = await cluster.core.leases.open(cluster.drive, "test");
  await cluster.database.write(async (sql) => {
    const old = cluster.clock.now() - 86_400_000;
    for (let index = 0; index < 20; index++) {
      const id = new Uint8Array(16).fill(index);
      await sql.run(
        "INSERT INTO commit_log (id, result, at) VALUES (?, '{}', ?)",
        id,
        index < 15 ? old - 1 : old + 600_000,
      );
    }
  });
  await using _running = startMaintenance(cluster.env, cluster.core.jobs());
  await cluster.clock.advance(1);
  expect(await cluster.database.read((sql) => sql.get("SELECT count(*) AS n FROM commit_log"))).toEqual({ n: 5 });
  await cluster.advance(70_000, nodes.slice(0, 1));
  expect(await cluster.database.read((sql) => sql.get("SELECT state FROM lease WHERE id = ?", lease.id))).toEqual({
    state: 1,
  });
  const leader = await cluster.database.read<{ expires_at: number } | undefined>((sql) =>
    sql.get("SELECT expires_at FROM job_lease"),
  );
  expect(leader?.expires_at).toBeGreaterThan(cluster.clock.now());
  const warned = cluster.log.lines.filter((line) => line.level === "warn").map((line) => line.fields["health"]);
  expect(warned).toEqual(["suspect", "down"]);
});

test("a server that lets the lead lapse does not overtake another one that holds it", async () => {
  const cluster = await TestCluster.open();
  const { LeaderLease } = await import("../membership/leader-lease.ts");
  const world = { ...cluster.env, database: cluster.database };
  expect((await failureOf(LeaderLease.take(world, { overtake: false }))).kind).toBe("unavailable");
  await cluster.clock.advance(15_000);
  expect((await LeaderLease.take(world, { overtake: false })).epoch).toBe(2);
});
