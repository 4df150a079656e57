import type { NodeStatus } from "@cairn/protocol";
import { expect, test } from "vitest";
import { usableBytes } from "./usable-space.ts";

function node(
  name: string,
  freeBytes: number,
  changes: Partial<NodeStatus> & { state?: string; totalBytes?: number } = {},
): NodeStatus {
  const { state = "ok", totalBytes = 1000, ...rest } = changes;
  const disk = { disk: 1, uuid: name, state, totalBytes, freeBytes, chunks: 0, chunkBytes: 0 };
  return {
    node: name,
    url: `http://${name}:1`,
    health: "online",
    silentForMs: 0,
    version: "1",
    disks: [disk],
    ...rest,
  } as NodeStatus;
}

test("each byte takes room on as many nodes as it has copies", () => {
  expect(usableBytes([node("a", 600), node("b", 600), node("c", 600)], 2)).toBe(900);
  expect(usableBytes([node("a", 600), node("b", 600), node("c", 600)], 3)).toBe(600);
  expect(usableBytes([node("a", 600)], 1)).toBe(600);
});

test("a large node holds one copy of anything, so its room beyond the others' is of no use", () => {
  expect(usableBytes([node("a", 100), node("b", 100), node("c", 10_000)], 2)).toBe(200);
  expect(usableBytes([node("a", 0), node("b", 10_000)], 2)).toBe(0);
});

test("with fewer nodes than copies nothing fits", () => {
  expect(usableBytes([node("a", 600)], 2)).toBe(0);
  expect(usableBytes([], 1)).toBe(0);
});

test("only nodes that answer and disks that take data count", () => {
  expect(usableBytes([node("a", 600), node("b", 600, { health: "down" }), node("c", 600)], 2)).toBe(600);
  expect(usableBytes([node("a", 600), node("b", 600, { state: "full" })], 2)).toBe(0);
});

test("folders on one medium share its room", () => {
  const local = ["a", "b", "c"].map((name, index) => node(name, 900, { url: `http://127.0.0.1:${index + 1}` }));
  expect(usableBytes(local, 2)).toBe(450);
});
