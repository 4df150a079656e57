import { type GroupId, StorageError } from "@cairn/protocol";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Compactable } from "./cared-disk.ts";
import { CompactionLoop, CompactionMeters } from "./compaction-loop.ts";
import { CareFixture } from "./testing/care-fixture.ts";
import { ScriptedDisk } from "./testing/scripted-disk.ts";

let fixture: CareFixture;
let disk: ScriptedDisk;
let loop: CompactionLoop;

beforeEach(() => {
  fixture = new CareFixture();
  disk = new ScriptedDisk();
  const { clock, log, bell, settings, latency } = fixture;
  const meters = new CompactionMeters(fixture.metrics);
  loop = new CompactionLoop(disk, { clock, log, bell, settings, latency, meters });
  loop.start();
});
afterEach(async () => {
  await loop[Symbol.asyncDispose]();
  expect(fixture.clock.pending).toBe(0);
});

const segment = (number: number, deadBytes = 600, liveBytes = 400): Compactable => ({
  ...{ group: number as GroupId, segment: number, deadBytes, liveBytes },
});

test("segments that are worth it are rewritten at the pace, as the engine ranks them", async () => {
  disk.candidates = [segment(4), segment(2), segment(9)];
  fixture.tell({ compactionBytesPerSecond: 100 });
  await fixture.clock.advance(5000);
  expect(disk.compacted.map((it) => it.segment)).toEqual([4, 2]);
  await fixture.clock.advance(5000);
  expect(disk.compacted.map((it) => it.segment)).toEqual([4, 2, 9]);
  expect(disk.wishes[0]).toEqual({ trashMs: 600_000, urgent: false });
  expect(disk.compacted[0]).toMatchObject({ trashMs: 600_000 });
  expect(await fixture.measured("cairn_compaction_freed_bytes_total")).toBe(1800);
});

test("half the pace while reads of clients are slow", async () => {
  disk.candidates = [segment(4), segment(2)];
  for (let read = 0; read < 20; read++) fixture.latency.note(80);
  fixture.tell({ compactionBytesPerSecond: 100 });
  await fixture.clock.advance(5000);
  expect(disk.compacted.map((it) => it.segment)).toEqual([4]);
  await fixture.clock.advance(4000);
  expect(disk.compacted.map((it) => it.segment)).toEqual([4, 2]);
});

test("nothing is freed before the leader has told how long the trash is kept", async () => {
  disk.candidates = [segment(4)];
  disk.trash = [{ name: "3", droppedAt: 0, bytes: 5 }];
  disk.freeBytes = 1;
  loop.order();
  await fixture.clock.advance(24 * 3600_000);
  expect(disk.wishes).toEqual([]);
  expect(disk.trash).toHaveLength(1);
  fixture.tell();
  await fixture.clock.advance(10);
  expect(disk.compacted).toHaveLength(1);
  expect(disk.trash).toHaveLength(0);
});

test("dropped groups stay for the trash time, and go one by one, the oldest first", async () => {
  const now = fixture.clock.now();
  disk.trash = [
    { name: "young", droppedAt: now - 100_000, bytes: 5 },
    { name: "old", droppedAt: now - 700_000, bytes: 7 },
    { name: "of tomorrow", droppedAt: now + 10 ** 9, bytes: 9 },
  ];
  fixture.tell();
  await fixture.clock.advance(60_000);
  expect(disk.trash.map(({ name }) => name)).toEqual(["young", "of tomorrow"]);
  await fixture.clock.advance(500_000);
  expect(disk.trash.map(({ name }) => name)).toEqual(["of tomorrow"]);
  expect(await fixture.measured("cairn_trash_freed_bytes_total")).toBe(12);
});

test("a disk that is more than 90 % full keeps nothing in its trash, and no longer than it is full", async () => {
  const now = fixture.clock.now();
  disk.trash = [
    { name: "second", droppedAt: now - 1000, bytes: 5 },
    { name: "first", droppedAt: now - 2000, bytes: 5 },
  ];
  disk.freeBytes = 9;
  disk.before = async (what) => {
    if (what === "empty") disk.freeBytes += 5;
  };
  fixture.tell();
  await fixture.clock.advance(10);
  expect(disk.trash.map(({ name }) => name)).toEqual(["second"]);
  disk.freeBytes = 9;
  disk.before = async () => undefined;
  await fixture.clock.advance(60_000);
  expect(disk.wishes.at(-1)).toEqual({ trashMs: 0, urgent: true });
});

test("an order frees at once what may be freed, worth it or not", async () => {
  fixture.tell();
  await fixture.clock.advance(1000);
  disk.candidates = [segment(4)];
  loop.order();
  await fixture.clock.advance(10);
  expect(disk.compacted).toHaveLength(1);
  expect(disk.wishes.at(-1)).toEqual({ trashMs: 600_000, urgent: true });
});

test("a segment that cannot be rewritten does not keep the others from it, and is tried again", async () => {
  disk.candidates = [segment(4), segment(2)];
  let failures = 0;
  disk.before = async (what) => {
    if (what === "compact" && failures++ === 0) throw new StorageError("corrupt", "compact", "a record is unreadable");
  };
  fixture.tell();
  await fixture.clock.advance(1000);
  expect(disk.compacted.map((it) => it.segment)).toEqual([2]);
  expect(await fixture.measured("cairn_compaction_failures_total")).toBe(1);
  await fixture.clock.advance(60_000);
  expect(disk.compacted.map((it) => it.segment)).toEqual([2, 4]);
});

test("the end does not wait for the pace", async () => {
  disk.candidates = [segment(4, 600, 10 ** 9), segment(2)];
  fixture.tell({ compactionBytesPerSecond: 1 });
  await fixture.clock.advance(1000);
  await loop[Symbol.asyncDispose]();
  expect(disk.compacted.map((it) => it.segment)).toEqual([4]);
});
