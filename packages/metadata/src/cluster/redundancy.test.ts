import { type DiskId, type GroupId, type NodeHealth, parseDiskId, parseGroupId, parseNodeId } from "@cairn/protocol";
import { SeededRandom } from "@cairn/simulator";
import { expect, test } from "vitest";
import { type DamagedChunk, type HeldGroup, redundancyOf } from "./redundancy.ts";

/** Members are given as node → health; disk n is on node n. */
function group(chunks: number, members: Readonly<Record<number, NodeHealth>>, copies?: number): HeldGroup {
  const entries = Object.entries(members);
  return {
    copies: copies ?? entries.length,
    held: { chunks, bytes: chunks * 100 },
    members: entries.map(([number, health], slot) => ({
      slot,
      disk: parseDiskId(Number(number)),
      node: parseNodeId(`node-${number}`),
      url: "",
      health,
    })),
  };
}

function groupsOf(...groups: readonly HeldGroup[]): Map<GroupId, HeldGroup> {
  return new Map(groups.map((held, index) => [parseGroupId(index + 1), held]));
}

function bad(of: number, ...disks: readonly number[]): DamagedChunk {
  return { group: parseGroupId(of), bad: disks.map(parseDiskId) as DiskId[] };
}

test("with all nodes online every chunk is full, and two copies survive one node", () => {
  const groups = groupsOf(group(10, { 1: "online", 2: "online" }), group(5, { 2: "online", 3: "online" }));
  expect(redundancyOf(groups, [], 1)).toEqual({
    full: 15,
    reduced: 0,
    unreachable: 0,
    canLoseNodes: 1,
    waitingFor: [],
  });
});

test("a node that is down reduces its chunks, and nothing more may be lost", () => {
  const groups = groupsOf(group(10, { 1: "online", 2: "down" }), group(5, { 1: "online", 3: "online" }));
  expect(redundancyOf(groups, [], 1)).toEqual({
    full: 5,
    reduced: 10,
    unreachable: 0,
    canLoseNodes: 0,
    waitingFor: ["node-2"],
  });
});

test("when a group has nobody left, some data cannot be read and both nodes are waited for", () => {
  const groups = groupsOf(group(10, { 1: "suspect", 2: "down" }), group(5, { 3: "online", 4: "online" }));
  expect(redundancyOf(groups, [], 1)).toEqual({
    full: 5,
    reduced: 0,
    unreachable: 10,
    canLoseNodes: -1,
    waitingFor: ["node-1", "node-2"],
  });
});

test("groups without chunks say nothing", () => {
  const groups = groupsOf(group(0, { 1: "down", 2: "down" }), group(5, { 3: "online", 4: "online" }));
  expect(redundancyOf(groups, [], 1)).toMatchObject({ full: 5, unreachable: 0, canLoseNodes: 1, waitingFor: [] });
});

test("without data the answer is what the next chunk would survive", () => {
  expect(redundancyOf(new Map(), [], 1)).toMatchObject({ full: 0, canLoseNodes: 1 });
});

test("a bad copy counts as none: the chunk is reduced, its neighbours are not", () => {
  const groups = groupsOf(group(10, { 1: "online", 2: "online" }));
  expect(redundancyOf(groups, [bad(1, 2)], 1)).toMatchObject({ full: 9, reduced: 1, canLoseNodes: 0, waitingFor: [] });
});

test("a good copy on a node that is away is waited for, a bad one is not", () => {
  const groups = groupsOf(group(1, { 1: "online", 2: "down", 3: "down" }));
  expect(redundancyOf(groups, [bad(1, 1, 2)], 1)).toEqual({
    full: 0,
    reduced: 0,
    unreachable: 1,
    canLoseNodes: -1,
    waitingFor: ["node-3"],
  });
});

test("three copies with one away still survive one more", () => {
  const groups = groupsOf(group(4, { 1: "online", 2: "online", 3: "down" }));
  expect(redundancyOf(groups, [], 2)).toMatchObject({ reduced: 4, canLoseNodes: 1 });
});

test("a group that has lost a member for good is reduced although all who are left are online", () => {
  expect(redundancyOf(groupsOf(group(4, { 1: "online" }, 2)), [], 1)).toMatchObject({ reduced: 4, canLoseNodes: 0 });
});

test("canLoseNodes agrees with trying out every set of nodes", () => {
  for (let seed = 1; seed <= 100; seed++) {
    const random = new SeededRandom(seed);
    const groups = groupsOf(
      ...Array.from({ length: 1 + random.integer(5) }, () => {
        const members: Record<number, NodeHealth> = {};
        const copies = 2 + random.integer(2);
        while (Object.keys(members).length < copies) {
          members[1 + random.integer(6)] = random.fraction() < 0.8 ? "online" : "down";
        }
        return group(1 + random.integer(9), members);
      }),
    );
    expect(redundancyOf(groups, [], 1).canLoseNodes, `seed ${seed}`).toBe(canLoseByTrying(groups));
  }
});

function canLoseByTrying(groups: ReadonlyMap<GroupId, HeldGroup>): number {
  const readable = (lost: number): boolean =>
    [...groups.values()].every((held) =>
      held.members.some((member) => member.health === "online" && (lost & (1 << member.disk)) === 0),
    );
  let most = 6;
  for (let lost = 0; lost < 1 << 7; lost++) {
    const size = lost.toString(2).replaceAll("0", "").length;
    if (!readable(lost)) most = Math.min(most, size - 1);
  }
  return most;
}
