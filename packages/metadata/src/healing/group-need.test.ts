import {
  type DiskId,
  type DiskState,
  type GroupId,
  type NodeDuty,
  type NodeHealth,
  parseNodeId,
} from "@cairn/protocol";
import { expect, test } from "vitest";
import type { GroupRecord } from "../cluster/cluster-map.ts";
import type { DiskStanding } from "./disk-standing.ts";
import { compareNeeds, hasSource, needOf } from "./group-need.ts";
import { chooseTarget } from "./target-choice.ts";

const delays = { usualMs: 600_000, singleMs: 300_000 };

interface Told {
  readonly health?: NodeHealth;
  readonly awayMs?: number;
  readonly duty?: NodeDuty;
  readonly state?: DiskState;
  readonly freeBytes?: number;
}

function standings(told: Readonly<Record<number, Told>>): Map<DiskId, DiskStanding> {
  return new Map(
    Object.entries(told).map(
      ([key, { health = "online", awayMs = 0, duty = "active", state = "ok", freeBytes = 100 }]) => {
        const disk = Number(key) as DiskId;
        const node = parseNodeId(`node-${key}`);
        const record = { disk, uuid: key, node, state, totalBytes: 1000, freeBytes, chunks: 0, chunkBytes: 0 };
        return [disk, { disk: record, node, health, duty, awayMs }];
      },
    ),
  );
}

function group(disks: readonly number[], changes: Partial<GroupRecord> = {}): GroupRecord {
  return {
    id: 1 as GroupId,
    copies: 2,
    epoch: 1,
    state: "sealed",
    bytes: 10,
    records: 1,
    bytesMax: 100,
    sealedAt: 0,
    slots: disks.map((disk, slot) => ({ slot, disk: disk as DiskId, state: "ok" })),
    ...changes,
  };
}

test("a whole group needs nothing", () => {
  expect(needOf(group([1, 2]), standings({ 1: {}, 2: {} }), delays)).toBeUndefined();
});

test("a silent node is waited for: shorter when a single good copy is left", () => {
  const away = { health: "down", awayMs: 100_000 } as const;
  expect(needOf(group([1, 2]), standings({ 1: {}, 2: away }), delays)).toMatchObject({ from: 2, dueInMs: 200_000 });
  const three = group([1, 2, 3], { copies: 3 });
  expect(needOf(three, standings({ 1: {}, 2: away, 3: {} }), delays)).toMatchObject({ from: 2, dueInMs: 500_000 });
});

test("a failed disk and a removed node are lost at once", () => {
  expect(needOf(group([1, 2]), standings({ 1: {}, 2: { state: "failed" } }), delays)).toMatchObject({ dueInMs: 0 });
  expect(needOf(group([1, 2]), standings({ 1: {}, 2: { duty: "removed" } }), delays)).toMatchObject({ dueInMs: 0 });
});

test("maintenance excuses silence, and failed disks too", () => {
  const away = { health: "down", awayMs: 10 ** 9, duty: "maintenance", state: "failed" } as const;
  expect(needOf(group([1, 2]), standings({ 1: {}, 2: away }), delays)).toBeUndefined();
});

test("what is lost comes before what drains, and that before more copies", () => {
  const lost = { health: "down", awayMs: 10 ** 9 } as const;
  const told = standings({ 1: { duty: "draining" }, 2: lost, 3: {} });
  expect(needOf(group([1, 2, 3], { copies: 4 }), told, delays)).toMatchObject({ from: 2, reason: "lost" });
  const calm = standings({ 1: { duty: "draining" }, 3: {} });
  expect(needOf(group([1, 3], { copies: 3 }), calm, delays)).toMatchObject({ from: 1, reason: "drain" });
  expect(needOf(group([1, 3], { copies: 3 }), standings({ 1: {}, 3: {} }), delays)).toMatchObject({
    reason: "more-copies",
  });
});

test("a group without a copy that can be reached has no source", () => {
  expect(hasSource(group([1, 2]), standings({ 1: { health: "down" }, 2: { state: "failed" } }))).toBe(false);
  expect(hasSource(group([1, 2]), standings({ 1: { health: "suspect" }, 2: { state: "failed" } }))).toBe(true);
});

test("fewest good copies first, then what was lost, then the small ones", () => {
  const need = (goodCopies: number, reason: "lost" | "drain", bytes: number) =>
    ({ group: group([1, 2], { bytes }), from: 1 as DiskId, reason, goodCopies, dueInMs: 0 }) as const;
  const sorted = [need(2, "drain", 1), need(2, "lost", 5), need(1, "lost", 9), need(2, "lost", 2)].sort(compareNeeds);
  expect(sorted.map(({ goodCopies, reason, group: { bytes } }) => [goodCopies, reason, bytes])).toEqual([
    [1, "lost", 9],
    [2, "lost", 2],
    [2, "lost", 5],
    [2, "drain", 1],
  ]);
});

function choose(told: Readonly<Record<number, Told>>, changes: Partial<Parameters<typeof chooseTarget>[0]> = {}) {
  return chooseTarget({
    group: group([1, 2]),
    from: 1 as DiskId,
    standings: standings(told),
    holders: new Set(),
    incomingBytes: () => 0,
    isBusy: () => false,
    copysets: [],
    ...changes,
  });
}

test("a copy goes to the emptiest disk of a node that has none of the group", () => {
  const told = { 1: { freeBytes: 990 }, 2: { freeBytes: 980 }, 3: { freeBytes: 500 }, 4: { freeBytes: 700 } };
  expect(choose(told)).toBe(4);
  expect(choose(told, { incomingBytes: (disk) => (disk === 4 ? 300 : 0) })).toBe(3);
  expect(choose(told, { isBusy: (disk) => disk === 4 })).toBe(3);
});

test.each([
  ["is silent", { health: "suspect" }],
  ["is full", { state: "full" }],
  ["is suspect", { state: "suspect" }],
  ["drains", { duty: "draining" }],
  ["is in maintenance", { duty: "maintenance" }],
  ["has no room", { freeBytes: 105 }],
] as const)("a disk that %s gets no copy", (_why, told) => {
  expect(choose({ 1: {}, 2: {}, 3: { freeBytes: 900, ...told } })).toBeUndefined();
});

test("copysets come before free space, and an old copy before both", () => {
  const told = { 1: {}, 2: {}, 3: { freeBytes: 500 }, 4: { freeBytes: 900 }, 5: { freeBytes: 200 } };
  const copysets = [[parseNodeId("node-2"), parseNodeId("node-3")]];
  expect(choose(told, { copysets })).toBe(3);
  expect(choose(told, { copysets, holders: new Set([5 as DiskId]) })).toBe(5);
});
