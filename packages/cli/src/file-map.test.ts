import type { ChunkPlacement, Entry, NodeId } from "@cairn/protocol";
import picocolors from "picocolors";
import { expect, test } from "vitest";
import { FileMap } from "./file-map.ts";

const nodes = ["node-1", "node-2", "node-3"] as unknown as readonly NodeId[];
const entry = { path: "/video.mov", size: 3_000_000, chunks: 3, copies: 2 } as Entry;

function chunk(index: number, copies: Readonly<Record<string, string>>): ChunkPlacement {
  return {
    index,
    offset: index * 1_048_576,
    length: 1_048_576,
    id: `${index}f2a`.padEnd(64, "0"),
    copies: Object.entries(copies).map(([node, state]) => ({ disk: 1, node, state })),
  } as unknown as ChunkPlacement;
}

test("rows are chunks, columns are nodes, marks are copies", () => {
  const map = new FileMap(entry, nodes, picocolors.createColors(false));
  const lines = [
    ...map.heading().split("\n"),
    map.row(chunk(0, { "node-1": "ok", "node-2": "ok" })),
    map.row(chunk(1, { "node-2": "corrupt", "node-3": "down" })),
    ...map.ending(false),
  ];
  expect(lines).toEqual([
    "/video.mov   2.9 MiB · 3 chunks · 2 copies of each",
    "",
    "  chunk     offset       size  id         node-1  node-2  node-3",
    "      0        0 B      1 MiB  0f2a0000   ███     ███      ·",
    "      1      1 MiB      1 MiB  1f2a0000    ·      ✕✕✕     ░░░",
    "",
    "█ ok   ░ down   ✕ corrupt   · none",
    "2 chunks, 1 of 2 with every copy readable",
  ]);
});

test("a large file says how many rows it leaves out", () => {
  const map = new FileMap(entry, nodes, picocolors.createColors(false));
  for (let index = 0; index < 100; index++) map.row(chunk(index, { "node-1": "ok", "node-2": "ok" }));
  expect(map.ending(false)[0]).toContain("60 more chunks: --all");
  expect(map.ending(true)[0]).toBe("");
});
