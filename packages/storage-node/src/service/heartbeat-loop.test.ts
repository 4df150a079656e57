import { PrometheusMetrics } from "@cairn/env-node";
import { type DiskState, type GroupDigest, type GroupId, type HeartbeatRequest, StorageError } from "@cairn/protocol";
import { SeededRandom, VirtualClock } from "@cairn/simulator";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { DiskEngine } from "../engine/index.ts";
import { Bell } from "./bell.ts";
import { DamageLedger } from "./damage-ledger.ts";
import { type HeartbeatCare, HeartbeatLoop } from "./heartbeat-loop.ts";
import { LiveSettings } from "./live-settings.ts";
import type { NodeRegistration } from "./node-registration.ts";
import { QuietLog } from "./testing/care-fixture.ts";
import { ScriptedMembership } from "./testing/node-fixture.ts";
import { VerifiedGroups } from "./verified-groups.ts";

/** An engine as heartbeats see it: groups that change, a state, seals. */
class ScriptedEngine {
  readonly identity = { disk: 1 };
  readonly sealed: GroupId[] = [];
  state_: DiskState = "ok";
  sealFails = false;
  #change = 1;
  readonly #groups = new Map<GroupId, number>();

  change(group: number): void {
    this.#groups.set(group as GroupId, ++this.#change);
  }
  changedSince(mark: number): { mark: number; groups: GroupDigest[] } {
    const groups = [...this.#groups].filter(([, changed]) => mark === 0 || changed > mark);
    return { mark: this.#change, groups: groups.map(([group]) => ({ group, records: 1, bytes: 5 }) as GroupDigest) };
  }
  digests(): GroupDigest[] {
    return this.changedSince(0).groups;
  }
  async space(): Promise<{ totalBytes: number; freeBytes: number }> {
    return { totalBytes: 100, freeBytes: 50 };
  }
  state(): DiskState {
    return this.state_;
  }
  health(seen: DiskState): DiskState {
    return this.state_ === "ok" ? seen : this.state_;
  }
  async seal(group: GroupId): Promise<void> {
    if (this.sealFails) throw new StorageError("internal", "seal", "the disk failed");
    this.sealed.push(group);
  }
}

/** The upkeep of disks on which nothing happens. */
function careOf(time: VirtualClock): HeartbeatCare {
  const settings = new LiveSettings({ bell: new Bell(time), log: new QuietLog() });
  return {
    settings,
    verified: new VerifiedGroups(),
    damage: new DamageLedger([]),
    scrubStatus: () => [],
    startScrub: () => undefined,
  };
}

let clock: VirtualClock;
let engine: ScriptedEngine;
let membership: ScriptedMembership;
let loop: HeartbeatLoop;
let displaced: number;
let renewals: number;
const groupsOf = (heartbeat: HeartbeatRequest | undefined): number[] =>
  (heartbeat?.groups ?? []).map(({ group }) => group);

beforeEach(async () => {
  clock = new VirtualClock();
  engine = new ScriptedEngine();
  membership = new ScriptedMembership();
  membership.heartbeatMs = 3000;
  displaced = 0;
  renewals = 0;
  const register = () => membership.register({ secret: "s", bootNonce: "b", url: "u", version: "v", disks: [] });
  const parts = {
    clock,
    random: new SeededRandom(1),
    log: new QuietLog(),
    metrics: new PrometheusMetrics(),
    membership,
    registration: { renew: register } as unknown as NodeRegistration,
    engines: [engine as unknown as DiskEngine],
    bootNonce: "nonce",
    care: careOf(clock),
    renewed: () => void renewals++,
    displaced: () => void displaced++,
  };
  loop = new HeartbeatLoop(parts, await register());
});
afterEach(async () => {
  const stopped = loop[Symbol.asyncDispose]();
  await clock.advance(1000);
  await stopped;
});

test("all groups are told first, then only those that changed since a heartbeat that was answered", async () => {
  engine.change(1);
  engine.change(2);
  loop.start();
  await clock.advance(100);
  expect(groupsOf(membership.heartbeats[0])).toEqual([1, 2]);
  engine.change(2);
  await clock.advance(3000);
  expect(groupsOf(membership.heartbeats[1])).toEqual([2]);
  await clock.advance(3000);
  expect(groupsOf(membership.heartbeats[2])).toEqual([]);
  expect(membership.heartbeats.map(({ sequence }) => sequence)).toEqual([1, 2, 3]);

  engine.change(1);
  membership.onHeartbeat = async () => {
    throw new StorageError("unavailable", "request", "lost");
  };
  await clock.advance(3000);
  membership.onHeartbeat = async () => ({});
  await clock.advance(3000);
  expect(groupsOf(membership.heartbeats[3])).toEqual([1]);
  expect(groupsOf(membership.heartbeats[4])).toEqual([1]);
  await clock.advance(3000);
  expect(groupsOf(membership.heartbeats.at(-1))).toEqual([]);
});

test("a change that comes while a heartbeat is under way is told with the next one", async () => {
  loop.start();
  await clock.advance(100);
  engine.change(1);
  membership.onHeartbeat = async () => {
    engine.change(2);
    membership.onHeartbeat = async () => ({});
    return {};
  };
  await clock.advance(6000);
  expect(groupsOf(membership.heartbeats[1])).toEqual([1]);
  expect(groupsOf(membership.heartbeats[2])).toEqual([2]);
});

test("a disk's new state is told at once", async () => {
  loop.start();
  await clock.advance(100);
  engine.state_ = "suspect";
  await clock.advance(300);
  expect(membership.heartbeats.map(({ disks }) => disks[0]?.state)).toEqual(["ok", "suspect"]);
  await clock.advance(2000);
  expect(membership.heartbeats).toHaveLength(2);
});

test("groups are sealed as told, and one that cannot be sealed keeps nothing else from happening", async () => {
  membership.onHeartbeat = async () => ({ seal: [4 as GroupId] });
  engine.sealFails = true;
  loop.start();
  await clock.advance(100);
  await clock.advance(3000);
  expect(membership.heartbeats).toHaveLength(2);
  engine.sealFails = false;
  await clock.advance(3000);
  expect(engine.sealed).toEqual([4]);
});

test("a server that has forgotten the node is told everything anew", async () => {
  engine.change(1);
  loop.start();
  await clock.advance(100);
  membership.onHeartbeat = async () => {
    membership.onHeartbeat = async () => ({});
    throw new StorageError("stale", "heartbeat", "register again");
  };
  await clock.advance(3000);
  expect(renewals).toBe(1);
  expect(groupsOf(membership.heartbeats.at(-1))).toEqual([1]);
  expect(membership.heartbeats.at(-1)?.sequence).toBe(1);
});

test("a server that does not know the node's credential any more is asked to register the node", async () => {
  loop.start();
  await clock.advance(100);
  membership.onHeartbeat = async () => {
    membership.onHeartbeat = async () => ({});
    throw new StorageError("unauthenticated", "heartbeat", "another credential");
  };
  await clock.advance(3000);
  expect(renewals).toBe(1);
});

test("a name that another process has is told to the node, which keeps trying", async () => {
  membership.onHeartbeat = async () => {
    throw new StorageError("stale", "heartbeat", "register again");
  };
  membership.onRegister = async () => {
    throw new StorageError("conflict", "register", "taken");
  };
  loop.start();
  await clock.advance(30_000);
  expect(displaced).toBeGreaterThan(1);
  expect(renewals).toBe(0);
});

test("while the server is away the tries become rare, but never rarer than every ten seconds", async () => {
  membership.onHeartbeat = async () => {
    throw new StorageError("unavailable", "request", "away");
  };
  loop.start();
  await clock.advance(600_000);
  const tries = membership.heartbeats.length;
  expect(tries).toBeGreaterThan(60);
  expect(tries).toBeLessThan(200);
});

test("a server that never answers does not keep the node from stopping", async () => {
  membership.onHeartbeat = () => new Promise(() => undefined);
  loop.start();
  await clock.advance(100);
  await loop[Symbol.asyncDispose]();
  expect(membership.heartbeats).toHaveLength(1);
});
