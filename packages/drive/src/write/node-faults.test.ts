import { StorageError } from "@cairn/protocol";
import { VirtualClock } from "@cairn/simulator";
import { expect, test } from "vitest";
import { kindOf } from "../testing/memory-metadata.ts";
import { MemoryNode, refused } from "../testing/memory-node.ts";
import { bytesOf, TestDrive, target } from "../testing/test-drive.ts";

const kib = 1024;

test("the chunk leaves the group and goes to one without that node, under a new generation", async () => {
  await using drive = new TestDrive();
  const [, , third] = drive.nodes;
  if (third) third.fault = () => Promise.reject(refused("node-3"));
  const bytes = bytesOf(20 * kib);
  await drive.writer.write(target("a"), { bytes });
  expect(await drive.readAll("a")).toEqual(bytes);
  expect(third?.chunks.size).toBe(0);
  const [first, second] = drive.nodes;
  expect(new Set([...(first?.chunks.keys() ?? [])].map((key) => key.split(" ")[1])).size).toBe(20);
  const both = [...(first?.generations ?? [])].filter((generation) => second?.generations.has(generation));
  expect(both.length).toBe(20);
});

test("it is avoided by the chunks that follow", async () => {
  await using drive = new TestDrive();
  const [, , third] = drive.nodes;
  if (third) third.fault = () => Promise.reject(refused("node-3"));
  for (let file = 0; file < 30; file++) await drive.writer.write(target(`f${file}`), { bytes: bytesOf(100, file) });
  expect(third?.puts).toBeLessThanOrEqual(2);
});

test("a node that hangs costs a timeout, not the write", async () => {
  const clock = new VirtualClock();
  await using drive = new TestDrive({ clock });
  const [, , third] = drive.nodes;
  if (third) third.fault = () => new Promise(() => undefined);
  const written = Promise.all(
    Array.from({ length: 8 }, (_, index) => drive.writer.write(target(`f${index}`), { bytes: bytesOf(100, index) })),
  );
  await clock.advance(25_000);
  expect((await written).length).toBe(8);
});

test("with too few nodes left the write fails and names who failed and why", async () => {
  const clock = new VirtualClock();
  await using drive = new TestDrive({ clock });
  for (const node of drive.nodes.slice(1)) node.fault = () => Promise.reject(refused(node.id));
  const failing = drive.writer.write(target("a"), { bytes: bytesOf(10) }).catch((thrown: unknown) => thrown);
  await clock.advance(20_000);
  const error = await failing;
  expect(error).toMatchObject({ kind: "unavailable", operation: "write chunk" });
  expect((error as StorageError).message).toMatch(/node-[23]: unavailable: node-[23] \(ECONNREFUSED\)/);
  expect((error as StorageError).details["nodes"]).toEqual(expect.arrayContaining(["node-2", "node-3"]));
  expect(drive.metadata.files.size).toBe(0);
});

test("two nodes that fail in one moment and are back soon after cost the write some time, and no more", async () => {
  const clock = new VirtualClock();
  await using drive = new TestDrive({ clock });
  for (const node of drive.nodes.slice(1)) node.fault = () => Promise.reject(refused(node.id));
  const written = drive.writer.write(target("a"), { bytes: bytesOf(3 * kib) });
  await clock.advance(1500);
  for (const node of drive.nodes) node.fault = () => undefined;
  await clock.advance(10_000);
  await written;
  expect(await drive.readAll("a")).toEqual(bytesOf(3 * kib));
});

test("one that was started again somewhere else is found there before a write fails", async () => {
  await using drive = new TestDrive();
  await drive.writer.write(target("before"), { bytes: bytesOf(100) });
  for (const node of drive.nodes.slice(1)) node.fault = () => Promise.reject(refused(node.id));
  (drive.nodes as MemoryNode[])[1] = new MemoryNode(2, "http://node-2-again");
  const bytes = bytesOf(20 * kib);
  await drive.writer.write(target("a"), { bytes });
  expect(await drive.readAll("a")).toEqual(bytes);
});

test("a receipt of another disk or epoch does not count", async () => {
  await using drive = new TestDrive();
  const [first] = drive.nodes;
  if (first) first.receipt = () => ({ disk: first.disk, epoch: 2, mac: "genuine" });
  await drive.writer.write(target("a"), { bytes: bytesOf(10) });
  const manifest = drive.metadata.files.get("/a");
  const group = drive.metadata.groupsNow().find(({ id }) => id === manifest?.chunks[0]?.group);
  expect(group?.members.map(({ node }) => node)).toEqual(["node-2", "node-3"]);
});

test.each(["stale", "unavailable"] as const)(
  "groups that were sealed (%s) are left for fresh ones at once",
  async (kind) => {
    await using drive = new TestDrive();
    await drive.writer.write(target("a"), { bytes: bytesOf(10) });
    drive.metadata.firstGroup = 10;
    for (const node of drive.nodes) node.sealedBelow = { group: 10, kind };
    const files = Array.from({ length: 20 }, (_, index) => `f${index}`);
    await Promise.all(
      files.map((name, seed) => drive.writer.write(target(name), { bytes: bytesOf(3 * kib, seed + 5) })),
    );
    expect(drive.metadata.files.size).toBe(21);
    expect(drive.metadata.calls.get("renewLease")).toBeLessThanOrEqual(2);
  },
);

test("full disks end in no-space, and an overloaded node is given time", async () => {
  await using full = new TestDrive();
  for (const node of full.nodes) {
    node.fault = () => Promise.reject(new StorageError("no-space", "put chunk", "the disk is full"));
  }
  expect(await kindOf(full.writer.write(target("a"), { bytes: bytesOf(10) }))).toBe("no-space");
  await using busy = new TestDrive();
  let refusals = 8;
  for (const node of busy.nodes) {
    node.fault = () => {
      if (refusals-- > 0) throw new StorageError("overloaded", "put chunk", "the queue is full");
    };
  }
  await busy.writer.write(target("a"), { bytes: bytesOf(10) });
  expect(busy.metadata.files.size).toBe(1);
});

test("a node that finds a request too large, damaged as it arrived, does not end the write", async () => {
  const clock = new VirtualClock();
  await using drive = new TestDrive({ clock });
  const tooLarge = () => Promise.reject(new StorageError("too-large", "read batch", "4294967296 items"));
  for (const node of drive.nodes.slice(0, 1)) node.fault = tooLarge;
  await drive.writer.write(target("a"), { bytes: bytesOf(10) });
  expect(drive.metadata.files.size).toBe(1);
  for (const node of drive.nodes) node.fault = tooLarge;
  const second = drive.writer.write(target("b"), { bytes: bytesOf(10) });
  await clock.advance(1000);
  for (const node of drive.nodes) node.fault = () => undefined;
  await clock.advance(10_000);
  await second;
  expect(drive.metadata.files.size).toBe(2);
});
