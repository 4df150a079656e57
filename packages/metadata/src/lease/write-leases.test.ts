import { type DriveId, generationOf, leaseOfGeneration, limits, parseLeaseId, verifyToken } from "@cairn/protocol";
import { beforeEach, expect, test } from "vitest";
import { failureOf, TestCluster, type TestNode } from "../service/testing/test-cluster.ts";

let cluster: TestCluster;
let nodes: TestNode[];
beforeEach(async () => {
  cluster = await TestCluster.open();
  nodes = await cluster.addNodes(3);
});

const gate = (lease: number) =>
  cluster.database.write((sql) => cluster.core.leases.assertOpen(sql, parseLeaseId(lease)));

test("a lease comes with the drive's policy, writable groups and a write token for each", async () => {
  const lease = await cluster.core.leases.open(cluster.drive, "cli");
  expect(lease).toMatchObject({ id: 1, expiresInMs: limits.leaseTtlMs, chunkBytes: 1_048_576, copies: 2 });
  expect(lease.groups).toHaveLength(3);
  const mac = (message: Uint8Array) => cluster.hasher.hmac(cluster.keys.tokenKey, message);
  for (const group of lease.groups) {
    expect(group.members.map((member) => member.health)).toEqual(["online", "online"]);
    expect(verifyToken(cluster.keys.cluster, group.writeToken, mac, cluster.clock.now())).toEqual({
      kind: "write",
      group: group.id,
      epoch: 1,
      lease: 1,
      chunkBytesMax: 1_048_576,
      disks: group.members.map((member) => member.disk),
      expiresAt: cluster.clock.now() + limits.writeTokenTtlMs,
    });
    const foreign = () => verifyToken("cl_other", group.writeToken, mac, cluster.clock.now());
    expect(foreign).toThrow(/signature/);
  }
});

test("lease ids are never given twice, whatever is deleted and whoever restarts", async () => {
  const first = await cluster.core.leases.open(cluster.drive, "a");
  await cluster.database.write((sql) => sql.run("DELETE FROM lease"));
  await cluster.start();
  await cluster.beatAll(nodes);
  const second = await cluster.core.leases.open(cluster.drive, "b");
  expect(second.id).toBe(first.id + 1);
  expect(leaseOfGeneration(generationOf(second.id, 7))).toBe(second.id);
});

test("many leases that are opened together share transactions", async () => {
  await cluster.core.leases.open(cluster.drive, "warm");
  const before = cluster.database.writes;
  const leases = await Promise.all(
    Array.from({ length: 100 }, (_, index) => cluster.core.leases.open(cluster.drive, `s${index}`)),
  );
  expect(new Set(leases.map((lease) => lease.id)).size).toBe(100);
  expect(cluster.database.writes - before).toBeLessThan(60);
});

test("closed is final: neither commit nor renewal nor time opens it again", async () => {
  const { id } = await cluster.core.leases.open(cluster.drive, "cli");
  await gate(id);
  await cluster.core.leases.close(id);
  await cluster.core.leases.close(id);
  expect((await failureOf(gate(id))).kind).toBe("stale");
  expect((await failureOf(cluster.core.leases.renew(id))).kind).toBe("stale");
  await cluster.clock.advance(30_000);
  await cluster.start();
  await cluster.beatAll(nodes);
  expect((await failureOf(gate(id))).kind).toBe("stale");
  expect((await failureOf(cluster.core.leases.renew(id))).kind).toBe("stale");
});

test("a lease that was never given does not commit and cannot be closed", async () => {
  expect((await failureOf(gate(99))).kind).toBe("stale");
  expect((await failureOf(cluster.core.leases.close(parseLeaseId(99)))).kind).toBe("not-found");
});

test("a lease that is not renewed ends after its time, for commits and for renewals", async () => {
  const { id } = await cluster.core.leases.open(cluster.drive, "cli");
  await cluster.clock.advance(limits.leaseTtlMs - 1);
  await gate(id);
  await cluster.clock.advance(1);
  expect((await failureOf(gate(id))).kind).toBe("stale");
  expect((await failureOf(cluster.core.leases.renew(id))).kind).toBe("stale");
});

test("the job closes what has expired and nothing else, for good", async () => {
  const old = await cluster.core.leases.open(cluster.drive, "old");
  await cluster.advance(30_000, nodes);
  const young = await cluster.core.leases.open(cluster.drive, "young");
  await cluster.advance(30_000, nodes);
  expect(await cluster.core.leases.closeExpired()).toBe(1);
  expect(await cluster.core.leases.closeExpired()).toBe(0);
  cluster.clock.jump(-3600_000);
  expect((await failureOf(gate(old.id))).kind).toBe("stale");
  await gate(young.id);
});

test("a lease that nobody renews ends in due time although the clock was put back meanwhile", async () => {
  const lease = await cluster.core.leases.open(cluster.drive, "cli");
  cluster.clock.jump(-7_200_000);
  expect(await cluster.core.leases.closeExpired()).toBe(0);
  await gate(lease.id);
  await cluster.advance(limits.leaseTtlMs, nodes);
  expect(await cluster.core.leases.closeExpired()).toBe(1);
});

test("a renewed lease lives on, with groups as they are now", async () => {
  const [first, second] = nodes as [TestNode, TestNode];
  const lease = await cluster.core.leases.open(cluster.drive, "cli");
  await cluster.advance(45_000, [first, second]);
  const renewed = await cluster.core.leases.renew(lease.id);
  expect(renewed.id).toBe(lease.id);
  for (const group of renewed.groups)
    expect(group.members.map((member) => member.node).sort()).toEqual(["node-1", "node-2"]);
  await cluster.advance(45_000, [first, second]);
  await gate(lease.id);
});

test("a renewal without enough nodes says so and still keeps the lease", async () => {
  const lease = await cluster.core.leases.open(cluster.drive, "cli");
  await cluster.advance(48_000, nodes.slice(0, 1));
  expect((await failureOf(cluster.core.leases.renew(lease.id))).kind).toBe("unavailable");
  await cluster.advance(48_000, nodes.slice(0, 1));
  await gate(lease.id);
});

test("leases outlive the time the metadata server was away", async () => {
  const { id } = await cluster.core.leases.open(cluster.drive, "cli");
  await cluster.clock.advance(600_000);
  await cluster.start();
  await cluster.beatAll(nodes);
  await gate(id);
  await cluster.core.leases.renew(id);
});

test("without enough nodes no lease is opened and none is left behind", async () => {
  await cluster.clock.advance(30_000);
  expect((await failureOf(cluster.core.leases.open(cluster.drive, "cli"))).kind).toBe("unavailable");
  expect(await cluster.database.read((sql) => sql.get("SELECT id FROM lease"))).toBeUndefined();
});

test("an unknown drive is not found, and an endless holder is refused", async () => {
  const unknown = "dr_01j00000000000000000000000" as DriveId;
  expect((await failureOf(cluster.core.leases.open(unknown, "cli"))).kind).toBe("not-found");
  expect((await failureOf(cluster.core.leases.open(cluster.drive, "x".repeat(201)))).kind).toBe("invalid");
});
