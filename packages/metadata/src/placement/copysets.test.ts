import { type NodeId, parseNodeId } from "@cairn/protocol";
import { expect, test } from "vitest";
import { copysetsOf, scatterWidthMax } from "./copysets.ts";

function nodesOf(count: number): NodeId[] {
  return Array.from({ length: count }, (_, index) => parseNodeId(`node-${index + 1}`));
}

function partnersOf(sets: readonly (readonly NodeId[])[]): Map<NodeId, Set<NodeId>> {
  const partners = new Map<NodeId, Set<NodeId>>();
  for (const set of sets) {
    for (const node of set) {
      const of = partners.get(node) ?? new Set<NodeId>();
      for (const other of set) if (other !== node) of.add(other);
      partners.set(node, of);
    }
  }
  return partners;
}

test("three nodes with two copies make all three pairs", () => {
  expect(copysetsOf(nodesOf(3), 2)).toEqual([
    ["node-1", "node-2"],
    ["node-1", "node-3"],
    ["node-2", "node-3"],
  ]);
});

test("every set has its copies on distinct nodes, every node is in a set, and none has more partners than allowed", () => {
  for (let copies = 2; copies <= 6; copies++) {
    for (let count = copies; count <= 60; count++) {
      const nodes = nodesOf(count);
      const sets = copysetsOf(nodes, copies);
      const partners = partnersOf(sets);
      for (const set of sets) expect(new Set(set).size, `${count} nodes, ${copies} copies`).toBe(copies);
      expect([...partners.keys()].sort(), `${count} nodes, ${copies} copies`).toEqual([...nodes].sort());
      for (const [node, of] of partners) {
        expect(of.size, `${node} of ${count}, ${copies} copies`).toBeLessThanOrEqual(
          Math.min(count - 1, scatterWidthMax),
        );
      }
    }
  }
});

test("with so many copies that partners run out, every node is in a set all the same", () => {
  for (const copies of [7, 8]) {
    for (let count = copies; count <= 60; count++) {
      const nodes = nodesOf(count);
      expect([...partnersOf(copysetsOf(nodes, copies)).keys()].sort(), `${count} nodes`).toEqual([...nodes].sort());
    }
  }
});

test("a large cluster has far fewer copysets than pairs, and nodes carry even shares", () => {
  const sets = copysetsOf(nodesOf(100), 2);
  expect(sets.length).toBeLessThanOrEqual(500);
  expect(sets.length).toBeGreaterThan(450);
  const shares = nodesOf(100).map((node) => sets.filter((set) => set.includes(node)).length);
  expect(Math.min(...shares)).toBeGreaterThanOrEqual(8);
});

test("the same nodes give the same sets in whatever order they are named", () => {
  const nodes = nodesOf(23);
  expect(copysetsOf([...nodes].reverse(), 3)).toEqual(copysetsOf(nodes, 3));
});

test("fewer nodes than copies make no set; one copy needs no partner", () => {
  expect(copysetsOf(nodesOf(2), 3)).toEqual([]);
  expect(copysetsOf(nodesOf(2), 1)).toEqual([["node-1"], ["node-2"]]);
});
