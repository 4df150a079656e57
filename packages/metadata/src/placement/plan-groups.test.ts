import { type DiskId, limits, type NodeId, parseDiskId, parseNodeId } from "@cairn/protocol";
import { SeededRandom } from "@cairn/simulator";
import { expect, test } from "vitest";
import { copysetsOf } from "./copysets.ts";
import { type EligibleDisk, groupBytesMax, planGroups } from "./plan-groups.ts";

const tebibyte = 2 ** 40;

function disk(id: number, node: number, freeBytes: number = tebibyte): EligibleDisk {
  return { disk: parseDiskId(id), node: parseNodeId(`node-${node}`), totalBytes: tebibyte, freeBytes };
}

function nodesOf(disks: readonly EligibleDisk[]): NodeId[] {
  return [...new Set(disks.map((item) => item.node))];
}

function countOf(planned: readonly (readonly DiskId[])[], id: number): number {
  return planned.filter((disks) => disks.includes(parseDiskId(id))).length;
}

test("three nodes with two copies get two groups per disk, on all pairs", () => {
  const eligible = [disk(1, 1), disk(2, 2), disk(3, 3)];
  const planned = planGroups({ copies: 2, nodes: nodesOf(eligible), eligible, usable: [] });
  expect(planned.map((disks) => [...disks].sort()).sort()).toEqual([
    [1, 2],
    [1, 3],
    [2, 3],
  ]);
});

test("nothing is planned when enough groups are writable, or when too few nodes are eligible", () => {
  const eligible = [disk(1, 1), disk(2, 2)];
  const nodes = nodesOf(eligible);
  const usable = planGroups({ copies: 2, nodes, eligible, usable: [] });
  expect(usable).toHaveLength(2);
  expect(planGroups({ copies: 2, nodes, eligible, usable })).toEqual([]);
  expect(planGroups({ copies: 3, nodes, eligible, usable: [] })).toEqual([]);
});

test("two disks of one node are never in one group", () => {
  const eligible = [disk(1, 1), disk(2, 1), disk(3, 1), disk(4, 2)];
  const planned = planGroups({ copies: 2, nodes: nodesOf(eligible), eligible, usable: [] });
  for (const disks of planned) expect(disks).toContain(4);
});

test("a disk with more free space gets more groups", () => {
  const eligible = [disk(1, 1, 4 * tebibyte), disk(2, 2), disk(3, 3), disk(4, 4)];
  const planned = planGroups({ copies: 2, nodes: nodesOf(eligible), eligible, usable: [] });
  expect(countOf(planned, 1)).toBeGreaterThan(Math.max(...[2, 3, 4].map((id) => countOf(planned, id))));
});

test("a new node gets its groups although there are enough in all", () => {
  const old = [disk(1, 1), disk(2, 2), disk(3, 3)];
  const usable = planGroups({ copies: 2, nodes: nodesOf(old), eligible: old, usable: [] });
  const eligible = [...old, disk(4, 4)];
  const planned = planGroups({ copies: 2, nodes: nodesOf(eligible), eligible, usable });
  expect(countOf(planned, 4)).toBe(limits.writableGroupsPerDisk);
});

test("nodes that are away do not change the copysets: groups stay on those of the whole membership", () => {
  const nodes = Array.from({ length: 30 }, (_, index) => parseNodeId(`node-${index + 1}`));
  const listed = new Set(copysetsOf(nodes, 2).map((set) => set.join(" ")));
  const eligible = nodes.slice(3).map((_, index) => disk(index + 1, index + 4));
  const planned = planGroups({ copies: 2, nodes, eligible, usable: [] });
  expect(planned.length).toBeGreaterThan(20);
  for (const disks of planned) {
    const set = disks.map((id) => eligible.find((item) => item.disk === id)?.node).sort();
    expect(listed.has(set.join(" "))).toBe(true);
  }
});

test("when no copyset is whole, the eligible nodes make their own: writes go on while enough nodes are there", () => {
  const nodes = Array.from({ length: 40 }, (_, index) => parseNodeId(`node-${index + 1}`));
  for (let other = 2; other <= 40; other++) {
    const eligible = [disk(1, 1), disk(2, other)];
    const planned = planGroups({ copies: 2, nodes, eligible, usable: [] });
    expect(planned[0], `node-1 and node-${other}`).toBeDefined();
  }
});

test("whatever the cluster, every group has its copies on distinct eligible nodes and the number of groups is bounded", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const random = new SeededRandom(seed);
    const nodeCount = 1 + random.integer(20);
    const eligible: EligibleDisk[] = [];
    for (let node = 1; node <= nodeCount; node++) {
      const disks = random.integer(4);
      for (let index = 0; index < disks; index++) {
        eligible.push(disk(eligible.length + 1, node, random.integer(2 ** 31)));
      }
    }
    const copies = 1 + random.integer(5);
    const nodes = Array.from({ length: nodeCount }, (_, index) => parseNodeId(`node-${index + 1}`));
    const planned = planGroups({ copies, nodes, eligible, usable: [] });
    const nodeOf = new Map(eligible.map((item) => [item.disk, item.node]));
    for (const disks of planned) {
      expect(disks, `seed ${seed}`).toHaveLength(copies);
      const distinct = new Set(disks.map((id) => nodeOf.get(id)));
      expect(distinct.size, `seed ${seed}`).toBe(copies);
      expect(distinct.has(undefined), `seed ${seed}`).toBe(false);
    }
    const wanted = Math.ceil((limits.writableGroupsPerDisk * eligible.length) / copies);
    expect(planned.length, `seed ${seed}`).toBeLessThanOrEqual(2 * wanted);
    if (nodesOf(eligible).length >= copies) expect(planned.length, `seed ${seed}`).toBeGreaterThan(0);
  }
});

test("a group's limit follows the smallest disk between 256 MiB and 8 GiB", () => {
  expect(groupBytesMax([{ totalBytes: 100 * 10 ** 9 }])).toBe(limits.groupBytesMin);
  expect(groupBytesMax([{ totalBytes: tebibyte }, { totalBytes: 16 * tebibyte }])).toBe(tebibyte / 512);
  expect(groupBytesMax([{ totalBytes: 16 * tebibyte }])).toBe(limits.groupBytesMax);
});
