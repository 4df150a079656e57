import type { ClusterHealth, ClusterStatus, Job, NodeStatus, RepairStatus } from "@cairn/protocol";
import picocolors from "picocolors";
import { expect, test } from "vitest";
import { describeStatus, wellnessOf } from "./cluster-health.ts";

const GiB = 1024 ** 3;

function node(name: string, changes: Partial<NodeStatus> = {}): NodeStatus {
  const disk = {
    disk: 1,
    uuid: name,
    state: "ok",
    totalBytes: 100 * GiB,
    freeBytes: 60 * GiB,
    chunks: 8,
    chunkBytes: 1,
  };
  return {
    node: name,
    url: `http://${name}:1`,
    health: "online",
    duty: "active",
    silentForMs: 100,
    version: "1",
    disks: [disk],
    ...changes,
  } as NodeStatus;
}

function cluster(changes: Partial<ClusterStatus> = {}): ClusterStatus {
  return {
    cluster: "c",
    version: "1",
    startedAt: 0,
    copies: 2,
    files: 1204,
    folders: 3,
    trashed: 0,
    logicalBytes: 12 * GiB,
    chunks: 8412,
    chunkBytes: 10 * GiB,
    redundancy: { full: 8412, reduced: 0, unreachable: 0, canLoseNodes: 1, waitingFor: [] },
    nodes: [node("node-1"), node("node-2"), node("node-3")],
    ...changes,
  };
}

const idle: RepairStatus = {
  state: "idle",
  reason: "every group has its copies",
  startsInMs: undefined,
  groupsWaiting: 0,
  groupsMoving: 0,
  chunksWaiting: 0,
  doneBytes: 0,
  totalBytes: 0,
  bytesPerSecond: 0,
  etaMs: undefined,
  moves: [],
};

function shown(status: ClusterStatus, changes: Partial<ClusterHealth> = {}): string {
  const connection = { url: "http://127.0.0.1:7070", token: undefined, profile: "local" };
  const { canLoseNodes } = status.redundancy;
  const health = {
    safe: "yes",
    canLoseNodes,
    freeBytes: 90 * GiB,
    fullInDays: undefined,
    claims: [],
    repair: idle,
    scrub: [],
    collection: {},
    jobs: [],
    status,
    ...changes,
  } as unknown as ClusterHealth;
  return describeStatus(health, { connection, colors: picocolors.createColors(false) }).join("\n");
}

test("a healthy cluster in five lines", () => {
  expect(shown(cluster())).toBe(
    [
      "● healthy   all data safe · can lose 1 node   http://127.0.0.1:7070  (profile local)",
      "  data    1,204 files · 8,412 chunks · all with 2 copies",
      "  space   12 GiB of files · 20 GiB on disks · room for 90 GiB more",
      "  nodes   node-1 online 40 %   node-2 online 40 %   node-3 online 40 %",
      "  runs    nothing",
    ].join("\n"),
  );
});

test("a node that is down makes it degraded, chunks out of reach make it unavailable", () => {
  const down = node("node-2", { health: "down", silentForMs: 42_000 });
  const reduced = { full: 8000, reduced: 412, unreachable: 0, canLoseNodes: 0, waitingFor: ["node-2"] } as never;
  const degraded = cluster({ nodes: [node("node-1"), down, node("node-3")], redundancy: reduced });
  expect(wellnessOf(degraded)).toBe("degraded");
  expect(shown(degraded)).toContain("all data readable · 412 chunks short of copies · can lose no node ");
  expect(shown(degraded)).toContain("8000 of 8412 with 2 copies · waiting for node-2");
  expect(shown(degraded)).toContain("node-2 down for 42 s");
  const gone = { full: 8000, reduced: 0, unreachable: 412, canLoseNodes: -1, waitingFor: ["node-2"] } as never;
  expect(wellnessOf(cluster({ redundancy: gone }))).toBe("unavailable");
});

test("a node that has missed a heartbeat is shown as silent before anybody draws a conclusion from it", () => {
  const nodes = [node("node-1", { silentForMs: 2900 }), node("node-2", { silentForMs: 7000 })];
  expect(shown(cluster({ nodes }))).toContain("node-1 online 40 %   node-2 silent for 7.0 s");
});

test("a node or disk in trouble is never called healthy", () => {
  expect(wellnessOf(cluster({ nodes: [node("node-1", { health: "suspect" })] }))).toBe("degraded");
  const [disk] = node("node-1").disks;
  const failed = node("node-1", { disks: [{ ...disk, state: "failed" }] as never });
  expect(wellnessOf(cluster({ nodes: [failed] }))).toBe("degraded");
});

test("it stays within twelve lines however many nodes there are, and shows those in trouble", () => {
  const many = Array.from({ length: 200 }, (_, index) => node(`node-${index}`));
  const status = cluster({ nodes: [...many, node("node-bad", { health: "down" })] });
  expect(shown(status).split("\n").length).toBeLessThanOrEqual(12);
  expect(shown(status)).toContain("node-bad");
  expect(shown(status)).toContain("and 193 more");
});

test("it says when the cluster is full, as far as that can be told", () => {
  const space = (fullInDays: number | undefined) => /room for.*/.exec(shown(cluster(), { fullInDays }))?.[0];
  expect(space(undefined)).toBe("room for 90 GiB more");
  expect(space(0.4)).toBe("room for 90 GiB more · full within a day");
  expect(space(12.7)).toBe("room for 90 GiB more · full in about 12 days");
  expect(space(200)).toBe("room for 90 GiB more · full in about 7 months");
  expect(space(99_999)).toBe("room for 90 GiB more · not full for years");
});

test("it says what runs and what keeps repair from running", () => {
  const waiting: RepairStatus = {
    ...idle,
    state: "waiting",
    startsInMs: 480_000,
    chunksWaiting: 412,
    reason: "node-2 is silent",
  };
  const job = {
    id: 3,
    kind: "drain",
    state: "running",
    subject: "node-3",
    doneItems: 1,
    totalItems: 4,
    doneBytes: GiB,
    totalBytes: 4 * GiB,
    bytesPerSecond: 100 * 1024 ** 2,
    etaMs: 30_000,
    message: "",
  } as Job;
  expect(
    shown(cluster(), { repair: waiting, jobs: [job] })
      .split("\n")
      .slice(-2),
  ).toEqual([
    "  runs    repair waiting · starts in 8 min 0 s · 412 chunks to copy · node-2 is silent",
    "          drain node-3  25 % · 1 GiB of 4 GiB · 100 MiB/s · about 30 s left",
  ]);
});
