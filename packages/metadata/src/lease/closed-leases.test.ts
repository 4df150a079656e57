import { type LeaseId, limits } from "@cairn/protocol";
import { beforeEach, expect, test } from "vitest";
import { failureOf, TestCluster, type TestNode } from "../service/testing/test-cluster.ts";
import { closedLeases, pruneClosedLeases } from "./closed-leases.ts";

let cluster: TestCluster;
let nodes: TestNode[];
beforeEach(async () => {
  cluster = await TestCluster.open();
  nodes = await cluster.addNodes(3);
});

const open = async (): Promise<LeaseId> => (await cluster.core.leases.open(cluster.drive, "test")).id;
const closed = async (...leases: LeaseId[]): Promise<LeaseId[]> => [
  ...(await cluster.database.read<ReadonlySet<LeaseId>>((sql) => closedLeases(sql, leases))),
];
const prune = (before: number): Promise<number> => cluster.database.write((sql) => pruneClosedLeases(sql, before));

test("only a lease that was closed is closed: not an open one, not one that has expired, not one never given", async () => {
  const [one, two] = [await open(), await open()];
  await cluster.core.leases.close(one);
  await cluster.clock.advance(limits.leaseTtlMs + 1);
  expect(await closed(one, two, 3 as LeaseId, 4000 as LeaseId)).toEqual([one]);
});

test("pruning takes closed leases alone, and what was pruned stays closed for commits, renewals and the sweep", async () => {
  const leases = [await open(), await open(), await open()];
  await cluster.core.leases.close(leases[0]!);
  await cluster.core.leases.close(leases[2]!);
  expect(await prune(cluster.clock.now())).toBe(0);
  await cluster.clock.advance(limits.leaseTtlMs + 1);
  expect(await prune(cluster.clock.now())).toBe(2);
  expect(await closed(...leases)).toEqual([leases[0], leases[2]]);
  for (const lease of [leases[0]!, leases[2]!]) {
    const use = cluster.database.write((sql) => cluster.core.leases.assertOpen(sql, lease));
    expect((await failureOf(use)).kind).toBe("stale");
    expect((await failureOf(cluster.core.leases.renew(lease))).kind).toBe("stale");
  }
  await cluster.beatAll(nodes);
  expect(await open()).toBe(4);
  expect(await closed(4 as LeaseId)).toEqual([]);
});

test("more leases than one statement takes are told apart", async () => {
  const leases: LeaseId[] = [];
  for (let index = 0; index < 150; index++) leases.push(await open());
  for (const lease of leases.filter((id) => id % 3 === 0)) await cluster.core.leases.close(lease);
  expect(await closed(...leases)).toEqual(leases.filter((id) => id % 3 === 0));
});
