import type { ClusterStatus, CollectionStatus, NodeId, NodeStatus, RepairStatus } from "@cairn/protocol";
import { expect, test } from "vitest";
import { claimsOf, type Evidence } from "./claims.ts";

const now = 1_800_000_000_000;
const day = 86_400_000;

function node(name: string, changes: Partial<NodeStatus> = {}, disk: object = {}): NodeStatus {
  const one = {
    disk: Number(name.slice(5)),
    uuid: name,
    state: "ok",
    totalBytes: 1000,
    freeBytes: 600,
    chunks: 1,
    chunkBytes: 1,
    ...disk,
  };
  return {
    node: name,
    url: "",
    health: "online",
    silentForMs: 900,
    version: "1",
    disks: [one],
    ...changes,
  } as NodeStatus;
}

function evidence(changes: Partial<Evidence> = {}, status: Partial<ClusterStatus> = {}): Evidence {
  return {
    now,
    status: {
      version: "1",
      copies: 2,
      redundancy: { full: 10, reduced: 0, unreachable: 0, canLoseNodes: 1, waitingFor: [] },
      nodes: [node("node-1"), node("node-2")],
      ...status,
    } as unknown as ClusterStatus,
    groups: 3,
    damagedChunks: 0,
    duties: new Map(),
    freeBytes: 600,
    fullInDays: undefined,
    repair: { state: "idle", reason: "every group has its copies", groupsWaiting: 0, groupsMoving: 0 } as RepairStatus,
    collection: { state: "idle", reason: "nothing to do", condemnedChunks: 0, inGraceChunks: 0 } as CollectionStatus,
    scrub: [1, 2].map((disk) => ({
      node: `node-${disk}`,
      disk,
      passFinishedAt: now - day,
      passStartedAt: now - 2 * day,
      checkedBytes: 0,
      totalBytes: 0,
    })) as unknown as Evidence["scrub"],
    scrubEveryMs: 30 * day,
    scrubPaused: false,
    copies: { copies: 6, verified: 6, oldestAt: now - 3 * day },
    leader: { epoch: 4, held: true, renewedAt: now - 1000 },
    clockDriftMs: 12,
    durability: { durable: true, words: "SQLite: journal_mode=wal, synchronous=FULL" },
    ...changes,
  };
}

const claim = (name: string, of: Evidence) => claimsOf(of).find((one) => one.name === name);
const verdicts = (of: Evidence) => Object.fromEntries(claimsOf(of).map(({ name, verdict }) => [name, verdict]));

test("when all is well every claim is good, tells what it rests on, and how old that is", () => {
  for (const one of claimsOf(evidence())) {
    expect([one.name, one.verdict]).toEqual([one.name, "good"]);
    expect(one.evidence).not.toBe("");
    expect(one.asOf).toBeLessThanOrEqual(now);
  }
  expect(claim("scrub", evidence())?.asOf).toBe(now - day);
  expect(claim("verified", evidence())?.asOf).toBe(now - 3 * day);
  expect(claim("leader", evidence())?.asOf).toBe(now - 1000);
});

test.each([
  [
    "redundancy",
    "attention",
    evidence({}, { redundancy: { full: 9, reduced: 1, unreachable: 0, canLoseNodes: 0, waitingFor: [] } }),
  ],
  [
    "redundancy",
    "bad",
    evidence(
      {},
      { redundancy: { full: 9, reduced: 0, unreachable: 1, canLoseNodes: -1, waitingFor: ["node-2" as NodeId] } },
    ),
  ],
  ["nodes", "attention", evidence({}, { nodes: [node("node-1", { health: "down", silentForMs: undefined })] })],
  ["nodes", "bad", evidence({}, { nodes: [] })],
  ["disks", "bad", evidence({}, { nodes: [node("node-1", {}, { state: "failed" })] })],
  ["disks", "attention", evidence({}, { nodes: [node("node-1", {}, { state: "suspect" })] })],
  ["space", "attention", evidence({ fullInDays: 12 })],
  ["space", "attention", evidence({}, { nodes: [node("node-1", {}, { freeBytes: 140 })] })],
  ["space", "bad", evidence({ freeBytes: 0 })],
  ["repair", "attention", evidence({ repair: { ...evidence().repair, state: "safe-mode" } })],
  ["repair", "bad", evidence({ repair: { ...evidence().repair, state: "storm-brake" } })],
  ["scrub", "attention", evidence({ scrub: [] })],
  ["scrub", "attention", evidence({ scrubPaused: true })],
  ["scrub", "attention", evidence({ scrubEveryMs: day / 2 })],
  ["verified", "attention", evidence({ copies: { copies: 6, verified: 5, oldestAt: now - 46 * day } })],
  ["collection", "attention", evidence({ collection: { ...evidence().collection, state: "no-delete" } })],
  ["versions", "attention", evidence({}, { nodes: [node("node-1", { version: "2" })] })],
  ["clock", "attention", evidence({ clockDriftMs: -3_600_000 })],
  ["database", "bad", evidence({ durability: { durable: false, words: "synchronous=OFF" } })],
  ["database", "attention", evidence({ durability: undefined })],
  ["leader", "bad", evidence({ leader: { epoch: 5, held: false, renewedAt: now } })],
] as const)("the claim %s is %s when what it rests on says so", (name, verdict, of) => {
  expect(verdicts(of)).toMatchObject({ [name]: verdict });
});

test("a node that was removed is missed by nobody", () => {
  const nodes = [node("node-1"), node("node-2", { health: "down" }, { state: "failed" })];
  const duties = new Map([["node-2" as NodeId, "removed" as const]]);
  expect(verdicts(evidence({ duties }, { nodes }))).toMatchObject({ nodes: "good", disks: "good" });
});
