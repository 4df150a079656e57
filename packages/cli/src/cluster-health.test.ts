import type { ClusterStatus, NodeStatus } from "@cairn/protocol";
import picocolors from "picocolors";
import { expect, test } from "vitest";
import { describeStatus, freeBytes, healthOf } from "./cluster-health.ts";

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

function shown(status: ClusterStatus): string {
  const connection = { url: "http://127.0.0.1:7070", token: undefined, profile: "local" };
  return describeStatus(status, { connection, colors: picocolors.createColors(false) }).join("\n");
}

test("a healthy cluster in four lines", () => {
  expect(shown(cluster())).toBe(
    [
      "● healthy   all data safe · can lose 1 node   http://127.0.0.1:7070  (profile local)",
      "  data    1,204 files · 8,412 chunks · all with 2 copies",
      "  space   12 GiB of files · 20 GiB on disks · room for 90 GiB more",
      "  nodes   node-1 online 40 %   node-2 online 40 %   node-3 online 40 %",
    ].join("\n"),
  );
});

test("a node that is down makes it degraded, chunks out of reach make it unavailable", () => {
  const down = node("node-2", { health: "down", silentForMs: 42_000 });
  const reduced = { full: 8000, reduced: 412, unreachable: 0, canLoseNodes: 0, waitingFor: ["node-2"] } as never;
  const degraded = cluster({ nodes: [node("node-1"), down, node("node-3")], redundancy: reduced });
  expect(healthOf(degraded)).toBe("degraded");
  expect(shown(degraded)).toContain("all data readable · 412 chunks short of copies · can lose no node ");
  expect(shown(degraded)).toContain("8000 of 8412 with 2 copies · waiting for node-2");
  expect(shown(degraded)).toContain("node-2 down for 42 s");
  const gone = { full: 8000, reduced: 0, unreachable: 412, canLoseNodes: -1, waitingFor: ["node-2"] } as never;
  expect(healthOf(cluster({ redundancy: gone }))).toBe("unavailable");
});

test("a node or disk in trouble is never called healthy", () => {
  expect(healthOf(cluster({ nodes: [node("node-1", { health: "suspect" })] }))).toBe("degraded");
  const [disk] = node("node-1").disks;
  const failed = node("node-1", { disks: [{ ...disk, state: "failed" }] as never });
  expect(healthOf(cluster({ nodes: [failed] }))).toBe("degraded");
});

test("it stays within twelve lines however many nodes there are, and shows those in trouble", () => {
  const many = Array.from({ length: 200 }, (_, index) => node(`node-${index}`));
  const status = cluster({ nodes: [...many, node("node-bad", { health: "down" })] });
  expect(shown(status).split("\n").length).toBeLessThanOrEqual(11);
  expect(shown(status)).toContain("node-bad");
  expect(shown(status)).toContain("and 193 more");
});

test("folders on the same medium are not counted several times", () => {
  const local = ["a", "b", "c"].map((name, index) => node(name, { url: `http://127.0.0.1:${index + 1}` }));
  expect(freeBytes(local)).toBe(60 * GiB);
  expect(freeBytes([node("a"), node("b")])).toBe(120 * GiB);
  expect(freeBytes([node("a"), node("b", { health: "down" })])).toBe(60 * GiB);
});
