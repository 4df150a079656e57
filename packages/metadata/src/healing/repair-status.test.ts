import type { DiskId, GroupId, RepairStatus } from "@cairn/protocol";
import { expect, test } from "vitest";
import type { GroupRecord } from "../cluster/cluster-map.ts";
import type { GroupNeed } from "./group-need.ts";
import type { MoveRecord } from "./moves/move-table.ts";
import { repairStatusOf, type StatusFacts } from "./repair-status.ts";

function status(facts: Partial<StatusFacts>): RepairStatus {
  return repairStatusOf({
    hold: undefined,
    paused: false,
    found: { due: [], later: [], stuck: [] },
    homeless: 0,
    moves: [],
    chunksWaiting: 0,
    rate: 0,
    doneBytes: 0,
    ...facts,
  });
}

function need(bytes: number, dueInMs = 0): GroupNeed {
  return { group: { bytes } as GroupRecord, from: 1 as DiskId, reason: "lost", goodCopies: 1, dueInMs };
}

const move: MoveRecord = {
  group: 1 as GroupId,
  from: 1 as DiskId,
  to: 2 as DiskId,
  reason: "lost",
  job: undefined,
  cursor: new Uint8Array(32),
  doneBytes: 400,
  totalBytes: 1000,
  startedAt: 0,
};

test("nothing to do is idle", () => {
  expect(status({})).toMatchObject({ state: "idle", groupsWaiting: 0, etaMs: undefined });
});

test("a node that is silent but not lost yet is waited for, and it is told how long", () => {
  const told = status({ found: { due: [], later: [need(10, 42_000), need(10, 9000)], stuck: [] } });
  expect(told).toMatchObject({ state: "waiting", startsInMs: 9000, groupsWaiting: 2 });
  expect(told.reason).toBe("new copies of 2 groups in 9 s if the node stays away");
});

test("the estimate follows from what is left and from what really moved", () => {
  const facts = { found: { due: [need(1400)], later: [], stuck: [] }, moves: [move], rate: 100, doneBytes: 400 };
  expect(status(facts)).toMatchObject({
    state: "running",
    doneBytes: 400,
    totalBytes: 2400,
    bytesPerSecond: 100,
    etaMs: 20_000,
  });
  expect(status({ ...facts, rate: 0 }).etaMs).toBeUndefined();
});

test("a move is shown without what only the server needs", () => {
  expect(status({ moves: [move] }).moves[0]).not.toHaveProperty("cursor");
});

test.each([
  ["safe-mode", { hold: { state: "safe-mode", reason: "3 of 9 copies", since: 0 }, moves: [move] }],
  ["storm-brake", { hold: { state: "storm-brake", reason: "2 of 5 disks", since: 0 }, moves: [move] }],
  ["paused", { paused: true, moves: [move] }],
] as const)("%s comes before anything that is under way, and nothing is estimated", (state, facts) => {
  expect(status({ ...facts, rate: 100 })).toMatchObject({ state, etaMs: undefined });
});

test("what cannot go on says why", () => {
  const found = { due: [need(1)], later: [], stuck: [] };
  expect(status({ found, homeless: 1 })).toMatchObject({
    state: "waiting",
    reason: "no other node has room for 1 group",
  });
  expect(status({ found: { due: [], later: [], stuck: [need(1)] } })).toMatchObject({
    state: "waiting",
    reason: "no copy of 1 group can be reached",
  });
});

test("single copies that wait are work too", () => {
  expect(status({ chunksWaiting: 5 })).toMatchObject({ state: "running", chunksWaiting: 5 });
});
