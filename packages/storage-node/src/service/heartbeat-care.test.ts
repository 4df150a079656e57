import {
  type ChunkId,
  type DiskId,
  type DiskState,
  type GroupDigest,
  type GroupId,
  type HeartbeatRequest,
  limits,
  StorageError,
} from "@cairn/protocol";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { DiskEngine, QuarantinedPlace } from "../engine/index.ts";
import { DamageLedger } from "./damage-ledger.ts";
import { HeartbeatLoop } from "./heartbeat-loop.ts";
import type { NodeRegistration } from "./node-registration.ts";
import { CareFixture, settings } from "./testing/care-fixture.ts";
import { ScriptedMembership } from "./testing/node-fixture.ts";
import { ScriptedDisk } from "./testing/scripted-disk.ts";

/** A disk as heartbeats see it. */
class ReportedDisk extends ScriptedDisk {
  changedSince(mark: number): { mark: number; groups: readonly GroupDigest[] } {
    return { mark: 5, groups: mark === 0 ? this.digests() : [] };
  }
  health(seen: DiskState): DiskState {
    return seen;
  }
}

let fixture: CareFixture;
let disk: ReportedDisk;
let membership: ScriptedMembership;
let loop: HeartbeatLoop;
let state: DiskState;
let scrubbed: (DiskId | undefined)[];

beforeEach(async () => {
  fixture = new CareFixture();
  disk = new ReportedDisk();
  membership = new ScriptedMembership();
  membership.heartbeatMs = 3000;
  state = "ok";
  scrubbed = [];
  const { clock, random, log, metrics } = fixture;
  const register = () => membership.register({ secret: "s", bootNonce: "b", url: "u", version: "v", disks: [] });
  const scrub = { disk: 1 as DiskId, passStartedAt: 5, passFinishedAt: undefined, checkedBytes: 1, totalBytes: 2 };
  const care = {
    settings: fixture.settings,
    verified: fixture.verified,
    damage: new DamageLedger([disk]),
    scrubStatus: () => [scrub],
    startScrub: (of?: DiskId) => void scrubbed.push(of),
  };
  const engine = Object.assign(disk, { state: () => state }) as unknown as DiskEngine;
  const registration = { renew: register } as unknown as NodeRegistration;
  const nothing = (): void => undefined;
  loop = new HeartbeatLoop(
    {
      ...{ clock, random, log, metrics, membership, registration, care },
      ...{ engines: [engine], bootNonce: "nonce", renewed: nothing, displaced: nothing },
    },
    await register(),
  );
});
afterEach(async () => {
  const stopped = loop[Symbol.asyncDispose]();
  await fixture.clock.advance(1000);
  await stopped;
});

const lost = async (): Promise<never> => {
  throw new StorageError("unavailable", "request", "lost");
};
const last = (): HeartbeatRequest => membership.heartbeats.at(-1) as HeartbeatRequest;

function damage(group: number, count: number, from = 0): void {
  const place = (at: number): QuarantinedPlace => ({
    ...{ segment: 1, offset: at * 8, end: at * 8 + 8, why: "bad" },
    ...{ hash: at.toString(16).padStart(64, "0"), generation: at + 1 },
  });
  disk.places.set(
    group as GroupId,
    Array.from({ length: count }, (_, index) => place(from + index)),
  );
}

test("damaged copies are told until a heartbeat with them was answered, and then no more", async () => {
  disk.put(3, 10);
  damage(3, 2);
  membership.onHeartbeat = lost;
  loop.start();
  await fixture.clock.advance(100);
  expect(last().damaged).toHaveLength(2);
  membership.onHeartbeat = async () => ({});
  await fixture.clock.advance(3000);
  expect(last().damaged).toEqual([
    { group: 3, disk: 1, id: "0".repeat(64) as ChunkId, generation: 1 },
    { group: 3, disk: 1, id: `${"0".repeat(63)}1` as ChunkId, generation: 2 },
  ]);
  await fixture.clock.advance(3000);
  expect(last().damaged).toEqual([]);
  damage(3, 3);
  await fixture.clock.advance(3000);
  expect(last().damaged?.map(({ generation }) => generation)).toEqual([3]);
});

test("what was replaced and is damaged again is told again", async () => {
  disk.put(3, 10);
  damage(3, 1);
  loop.start();
  await fixture.clock.advance(100);
  disk.places.clear();
  await fixture.clock.advance(3000);
  damage(3, 1);
  await fixture.clock.advance(3000);
  expect(last().damaged).toHaveLength(1);
});

test("much damage comes in many heartbeats, one soon after the other, and each copy once", async () => {
  disk.put(3, 10);
  damage(3, 600);
  loop.start();
  await fixture.clock.advance(1000);
  const told = membership.heartbeats.flatMap(({ damaged = [] }) => damaged);
  expect(membership.heartbeats.map(({ damaged }) => damaged?.length)).toEqual([256, 256, 88]);
  expect(new Set(told.map(({ id }) => id)).size).toBe(600);
  expect(limits.badCopiesPerHeartbeatMax).toBe(256);
});

test("damage that names no chunk is nothing to tell", async () => {
  disk.put(3, 10);
  disk.places.set(3 as GroupId, [
    { segment: 1, offset: 0, end: 8, why: "no header" },
    { segment: 1, offset: 8, end: 16, why: "no lease", hash: "a".repeat(64), generation: 0 },
  ]);
  loop.start();
  await fixture.clock.advance(100);
  expect(last().damaged).toEqual([]);
});

test("a server that knows the node no more is told of all damage anew", async () => {
  disk.put(3, 10);
  damage(3, 2);
  loop.start();
  await fixture.clock.advance(100);
  membership.onHeartbeat = async () => {
    membership.onHeartbeat = async () => ({});
    throw new StorageError("stale", "heartbeat", "register again");
  };
  await fixture.clock.advance(3000);
  expect(last().damaged).toHaveLength(2);
});

test("verified groups are told until they were heard, the newest time of each", async () => {
  fixture.verified.note(3 as GroupId, 1 as DiskId, 100);
  membership.onHeartbeat = lost;
  loop.start();
  await fixture.clock.advance(100);
  expect(last().verified).toEqual([{ group: 3, disk: 1, at: 100 }]);
  membership.onHeartbeat = async () => {
    fixture.verified.note(3 as GroupId, 1 as DiskId, 200);
    membership.onHeartbeat = async () => ({});
    return {};
  };
  await fixture.clock.advance(3000);
  await fixture.clock.advance(3000);
  expect(last().verified).toEqual([{ group: 3, disk: 1, at: 200 }]);
  await fixture.clock.advance(3000);
  expect(last().verified).toEqual([]);
  expect(last().scrub).toHaveLength(1);
});

test("the first heartbeat names every group, and so does one that was asked for, until it was heard", async () => {
  disk.put(3, 10);
  loop.start();
  await fixture.clock.advance(3100);
  expect(membership.heartbeats.map(({ everything }) => everything)).toEqual([true, undefined]);
  membership.onHeartbeat = async () => ({ everything: true });
  await fixture.clock.advance(3000);
  expect(last().groups).toEqual([]);
  membership.onHeartbeat = lost;
  await fixture.clock.advance(3000);
  membership.onHeartbeat = async () => ({});
  await fixture.clock.advance(3000);
  expect(membership.heartbeats.slice(-2).map(({ everything, groups }) => [everything, groups.length])).toEqual([
    [true, 1],
    [true, 1],
  ]);
  loop.tellEverything();
  await fixture.clock.advance(3000);
  expect(last().everything).toBe(true);
  await fixture.clock.advance(3000);
  expect(last().everything).toBeUndefined();
});

test("settings count at once; none, or such as make no sense, change nothing", async () => {
  membership.onHeartbeat = async () => ({ settings });
  loop.start();
  await fixture.clock.advance(100);
  expect(fixture.settings.current).toEqual(settings);
  for (const bad of [undefined, null, 5, {}, { ...settings, trashMs: -1 }, { ...settings, scrubEveryMs: "x" }]) {
    membership.onHeartbeat = async () => ({ settings: bad as never });
    await fixture.clock.advance(3000);
    expect(fixture.settings.current).toEqual(settings);
  }
  membership.onHeartbeat = async () => ({ settings: { ...settings, trashMs: 5 } });
  await fixture.clock.advance(3000);
  expect(fixture.settings.current?.trashMs).toBe(5);
});

test("a disk that fails a write is read from end to end at once, and once", async () => {
  loop.start();
  await fixture.clock.advance(100);
  expect(scrubbed).toEqual([]);
  state = "suspect";
  await fixture.clock.advance(10_000);
  expect(scrubbed).toEqual([disk.identity.disk]);
});
