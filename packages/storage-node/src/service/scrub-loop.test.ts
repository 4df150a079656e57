import { type GroupId, StorageError } from "@cairn/protocol";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ScrubLoop, ScrubMeters } from "./scrub-loop.ts";
import { firstPosition, nextPosition, type ScrubPosition } from "./scrub-position.ts";
import { CareFixture } from "./testing/care-fixture.ts";
import { ScriptedDisk } from "./testing/scripted-disk.ts";

let fixture: CareFixture;
let disk: ScriptedDisk;
let loop: ScrubLoop;

beforeEach(() => {
  fixture = new CareFixture(5);
  disk = new ScriptedDisk();
  loop = begin();
});
afterEach(async () => {
  await loop[Symbol.asyncDispose]();
  expect(fixture.clock.pending).toBe(0);
});

function begin(): ScrubLoop {
  const made = new ScrubLoop(disk, { ...parts(), meters: new ScrubMeters(fixture.metrics) });
  made.start();
  return made;
}

function parts(): Omit<CareFixture, "tell" | "measured"> {
  const { clock, random, log, metrics, bell, settings, latency, verified } = fixture;
  return { clock, random, log, metrics, bell, settings, latency, verified };
}

const visited = (): number[] => [...new Set(disk.steps.map(({ group }) => group))];

test("every record of every group is read at the pace, and each group is told as verified", async () => {
  for (const group of [3, 4, 9]) disk.put(group, 1000, 1000);
  fixture.tell();
  await fixture.clock.advance(3000);
  expect(loop.status()).toMatchObject({ totalBytes: 6000, passFinishedAt: undefined });
  await fixture.clock.advance(3000);
  const { passStartedAt, passFinishedAt } = loop.status();
  expect((passFinishedAt ?? 0) - (passStartedAt ?? 0)).toBeGreaterThan(3500);
  expect(visited().sort()).toEqual([3, 4, 9]);
  expect(
    fixture.verified
      .next()
      .groups.map(({ group }) => group)
      .sort(),
  ).toEqual([3, 4, 9]);
  expect(await fixture.measured("cairn_scrub_bytes_total")).toBe(6000);
  expect(await fixture.measured("cairn_scrub_pass_ratio")).toBe(1);
});

test("nothing is read before the leader has told its settings, nor while the rate is 0", async () => {
  disk.put(3, 1000, 1000);
  await fixture.clock.advance(3600_000);
  expect(disk.steps).toHaveLength(0);
  fixture.tell({ scrubBytesPerSecond: 0 });
  await fixture.clock.advance(3600_000);
  expect(loop.status().passFinishedAt).toBeUndefined();
  fixture.tell();
  await fixture.clock.advance(5000);
  expect(loop.status().passFinishedAt).toBeDefined();
});

test("the next pass begins when its time has come, and one that is ordered at once", async () => {
  disk.put(3, 100);
  fixture.tell();
  await fixture.clock.advance(1000);
  const first = loop.status().passStartedAt ?? 0;
  await fixture.clock.advance(3590_000);
  expect(loop.status().passStartedAt).toBe(first);
  await fixture.clock.advance(10_000);
  expect(loop.status().passStartedAt).toBe(first + 3600_000);
  await fixture.clock.advance(60_000);
  loop.restart();
  await fixture.clock.advance(10);
  expect(loop.status().passStartedAt).toBe(fixture.clock.now() - 10);
  expect(loop.status().passFinishedAt).toBeGreaterThan(first + 3600_000);
});

test("an order in mid-pass begins the pass anew", async () => {
  disk.put(3, ...Array(10).fill(1_048_576));
  fixture.tell({ scrubBytesPerSecond: 1_048_576 });
  await fixture.clock.advance(5000);
  expect(loop.status().checkedBytes).toBeGreaterThan(3 * 1_048_576);
  loop.restart();
  await fixture.clock.advance(2000);
  expect(loop.status().checkedBytes).toBeLessThan(4 * 1_048_576);
  expect(loop.status().passStartedAt).toBeGreaterThan(fixture.clock.now() - 3000);
});

test("a pass goes on after a restart where it was kept last, at most a minute back", async () => {
  for (const group of [1, 2, 3]) disk.put(group, ...Array(100).fill(1_048_576));
  fixture.tell({ scrubBytesPerSecond: 1_048_576 });
  await fixture.clock.advance(150_000);
  const before = loop.status();
  // The process ends without a word: only what was kept counts.
  const kept = disk.state;
  await loop[Symbol.asyncDispose]();
  disk.state = kept;
  disk.steps.length = 0;
  loop = begin();
  await fixture.clock.advance(1000);
  const { passStartedAt, checkedBytes } = loop.status();
  expect(passStartedAt).toBe(before.passStartedAt);
  expect(checkedBytes).toBeGreaterThan(before.checkedBytes - 62 * 1_048_576);
  await fixture.clock.advance(220_000);
  expect(loop.status().passFinishedAt).toBeDefined();
  expect(visited().length).toBeGreaterThan(1);
});

test("a state that makes no sense lets the pass begin anew", async () => {
  await loop[Symbol.asyncDispose]();
  for (const state of [null, 5, "x", { position: 5 }, { startedAt: "x" }, { position: { from: 1, group: -1 } }]) {
    disk = new ScriptedDisk();
    disk.put(3, 100);
    disk.state = state;
    loop = begin();
    fixture.tell();
    await fixture.clock.advance(1000);
    expect([state, loop.status().passFinishedAt !== undefined]).toEqual([state, true]);
    await loop[Symbol.asyncDispose]();
  }
});

test("half the pace while reads of clients are slow", async () => {
  disk.put(3, ...Array(1000).fill(1_048_576));
  fixture.tell({ scrubBytesPerSecond: 1_048_576 });
  await fixture.clock.advance(20_000);
  const quick = loop.status().checkedBytes;
  for (let second = 0; second < 20; second++) {
    for (let read = 0; read < 20; read++) fixture.latency.note(80);
    await fixture.clock.advance(1000);
  }
  const slow = loop.status().checkedBytes - quick;
  expect(quick / slow).toBeGreaterThan(1.6);
  expect(quick / slow).toBeLessThan(2.5);
});

test("a disk that cannot be read is tried again after a minute, and nothing counts as verified", async () => {
  disk.put(3, 100);
  let fails = true;
  disk.before = async () => {
    if (fails) throw new StorageError("unavailable", "read", "the disk fails");
  };
  fixture.tell();
  await fixture.clock.advance(200_000);
  expect(fixture.verified.next().groups).toEqual([]);
  expect(fixture.log.warnings).toBe(1);
  fails = false;
  await fixture.clock.advance(61_000);
  expect(fixture.verified.next().groups).toHaveLength(1);
});

test("a disk without groups is done at once, and again each time", async () => {
  fixture.tell();
  await fixture.clock.advance(10);
  expect(loop.status().passFinishedAt).toBeDefined();
  await fixture.clock.advance(3600_000);
  expect(fixture.clock.now() - (loop.status().passFinishedAt ?? 0)).toBeLessThan(1000);
});

test("a wall clock that was put back by years does not stop the scrub", async () => {
  disk.put(3, 100);
  fixture.tell();
  await fixture.clock.advance(1000);
  fixture.clock.jump(-(10 ** 11));
  const steps = disk.steps.length;
  await fixture.clock.advance(2 * 3600_000 + 1000);
  expect(disk.steps.length).toBeGreaterThan(steps);
});

describe("the way of a pass", () => {
  const ids = (...numbers: number[]): GroupId[] => numbers as GroupId[];
  const walk = (groups: GroupId[], fraction: number, change?: (at: ScrubPosition) => GroupId[]): number[] => {
    const seen: number[] = [];
    for (let at = firstPosition(groups, fraction); at; at = nextPosition(change?.(at) ?? groups, at))
      seen.push(at.group);
    return seen;
  };

  test("begins anywhere and comes round once", () => {
    expect(walk(ids(9, 4, 7), 0)).toEqual([4, 7, 9]);
    expect(walk(ids(9, 4, 7), 0.5)).toEqual([7, 9, 4]);
    expect(walk(ids(9, 4, 7), 0.99)).toEqual([9, 4, 7]);
    expect(walk(ids(5), 0.5)).toEqual([5]);
    expect(walk([], 0.5)).toEqual([]);
  });

  test("groups that come and go meanwhile are read or left out, and the pass ends", () => {
    expect(walk(ids(4, 7, 9), 0.5, () => ids(2, 4, 9, 11))).toEqual([7, 9, 11, 2, 4]);
    expect(walk(ids(4, 7, 9), 0.5, () => [])).toEqual([7]);
  });
});
