import { chunkIdFromHash, type ManifestEntry, type StorageError } from "@cairn/protocol";
import { VirtualClock } from "@cairn/simulator";
import { describe, expect, test } from "vitest";
import { kindOf } from "../testing/memory-metadata.ts";
import { type MemoryNode, refused } from "../testing/memory-node.ts";
import { bytesOf, collect, TestDrive, target } from "../testing/test-drive.ts";

const kib = 1024;
const address = { drive: target("a").drive, path: "/a" };

function manifestOf(drive: TestDrive): readonly ManifestEntry[] {
  return drive.metadata.files.get("/a")?.chunks ?? [];
}

/** The nodes that have the n-th chunk, and those that do not. */
function holders(drive: TestDrive, chunk: number): MemoryNode[] {
  const group = drive.metadata.groupsNow().find(({ id }) => id === manifestOf(drive)[chunk]?.group);
  return drive.nodes.filter(({ id }) => group?.members.some(({ node }) => node === id));
}

async function written(length: number, options: ConstructorParameters<typeof TestDrive>[0] = {}): Promise<TestDrive> {
  const drive = new TestDrive(options);
  await drive.writer.write(target("a"), { bytes: bytesOf(length) });
  return drive;
}

describe("an ordinary read", () => {
  test("gives any range of a file, whatever the pages of its manifest", async () => {
    await using drive = await written(10 * kib + 17);
    drive.metadata.pageChunks = 3;
    const whole = bytesOf(10 * kib + 17);
    for (const [offset, length] of [
      [0, 10 * kib + 17],
      [0, 1],
      [kib - 1, 2],
      [kib, kib],
      [5000, 3000],
      [10 * kib, 17],
      [9 * kib, 99_999],
    ] as const) {
      const file = await drive.reader.open(address, { offset, length });
      expect(await collect(file.bytes)).toEqual(whole.slice(offset, offset + length));
      expect(file.length).toBe(Math.min(length, whole.length - offset));
    }
    expect(await kindOf(drive.reader.open(address, { offset: whole.length }))).toBe("range");
  });

  test("of a range asks the node for those bytes only", async () => {
    await using drive = await written(3 * kib);
    await collect((await drive.reader.open(address, { offset: kib + 100, length: 50 })).bytes);
    expect(drive.nodes.flatMap(({ ranges }) => ranges)).toEqual([{ offset: 100, length: 50 }]);
  });

  test("of an empty file gives nothing and asks no node", async () => {
    await using drive = await written(0);
    expect(await drive.readAll("a")).toEqual(new Uint8Array(0));
    expect(drive.nodes.map(({ gets }) => gets)).toEqual([0, 0, 0]);
  });

  test("of many small files at once shares requests to the nodes", async () => {
    await using drive = new TestDrive({ nodes: 2 });
    const names = Array.from({ length: 64 }, (_, index) => `f${index}`);
    await Promise.all(names.map((name, seed) => drive.writer.write(target(name), { bytes: bytesOf(99, seed + 1) })));
    const files = await Promise.all(names.map((name) => drive.readAll(name)));
    expect(files).toEqual(names.map((_, seed) => bytesOf(99, seed + 1)));
    expect(drive.nodes.flatMap(({ getBatches }) => getBatches).length).toBeLessThanOrEqual(8);
  });

  test("stops fetching soon after the caller leaves the loop, and reads no further ahead than its window", async () => {
    await using drive = await written(90 * 100 * kib, { chunkBytes: 100 * kib });
    const { bytes } = await drive.reader.open(address);
    for await (const _ of bytes) break;
    const asked = drive.nodes.reduce((sum, { gets }) => sum + gets, 0);
    expect(asked).toBeGreaterThanOrEqual(4);
    expect(asked).toBeLessThanOrEqual(42);
  });
});

describe("when copies fail", () => {
  test("a node that dies in the middle of a file is replaced by another copy", async () => {
    await using drive = await written(40 * kib);
    const { bytes } = await drive.reader.open(address);
    const pieces: Uint8Array[] = [];
    for await (const piece of bytes) {
      pieces.push(piece);
      const [first] = drive.nodes;
      if (pieces.length === 3 && first) first.fault = () => Promise.reject(refused("node-1"));
    }
    expect(Buffer.concat(pieces)).toEqual(Buffer.from(bytesOf(40 * kib)));
  });

  test("good bytes come from another copy when one is corrupt or missing, and the bad ones are reported", async () => {
    await using drive = await written(2 * kib, { nodes: 2 });
    const [first, second] = manifestOf(drive);
    if (first) drive.nodes[0]?.damage(first.id);
    if (second) drive.nodes[1]?.forget(second.id);
    for (let round = 0; round < 12; round++) expect(await drive.readAll("a")).toEqual(bytesOf(2 * kib));
    const reported = drive.metadata.badCopies.map(({ id, disk, what }) => ({ id, disk, what }));
    expect(reported).toEqual(
      expect.arrayContaining([
        { id: first?.id, disk: 1, what: "corrupt" },
        { id: second?.id, disk: 2, what: "missing" },
      ]),
    );
    expect(reported.length).toBe(2);
  });

  test("a chunk that has moved to another group is found by planning again", async () => {
    await using drive = await written(100);
    const file = drive.metadata.files.get("/a");
    const [chunk] = manifestOf(drive);
    const [lost] = holders(drive, 0);
    const { bytes } = await drive.reader.open(address);
    const elsewhere = drive.metadata.groupsNow().find(({ id }) => id !== chunk?.group);
    if (!file || !chunk || !lost || !elsewhere) throw new Error("the file has a chunk");
    for (const node of drive.nodes) {
      node.forget(chunk.id);
      if (!elsewhere.members.some((member) => member.node === node.id)) continue;
      node.chunks.set(`${elsewhere.id} ${chunk.id}`, bytesOf(100));
    }
    file.chunks = [{ ...chunk, group: elsewhere.id }];
    expect(await collect(bytes)).toEqual(bytesOf(100));
  });

  test("a chunk that no copy has any more is lost; while a copy is out of reach it is unavailable", async () => {
    await using drive = await written(100);
    const [chunk] = manifestOf(drive);
    const [one, other] = holders(drive, 0);
    if (!chunk || !one || !other) throw new Error("the chunk has two copies");
    one.forget(chunk.id);
    other.fault = () => Promise.reject(refused(other.id));
    const error = await drive.readAll("a").catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ kind: "unavailable", details: { nodes: [other.id] } });
    expect((error as StorageError).hint).toContain(other.id);
    other.fault = () => undefined;
    other.damage(chunk.id);
    expect(await kindOf(drive.readAll("a"))).toBe("lost");
  });

  test("a file that was removed for good while it was being read is not found, and nothing is called lost", async () => {
    await using drive = await written(100);
    const [chunk] = manifestOf(drive);
    const { bytes } = await drive.reader.open(address);
    if (chunk) for (const node of drive.nodes) node.forget(chunk.id);
    drive.metadata.files.delete("/a");
    const error = await collect(bytes).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ kind: "not-found", subject: "a was removed while it was being read" });
  });

  test("a node that is down by the metadata server's word is asked last, and still asked", async () => {
    await using drive = await written(100);
    const [one, other] = holders(drive, 0);
    if (!one || !other) throw new Error("the chunk has two copies");
    drive.metadata.health.set(one.id, "down");
    for (let round = 0; round < 10; round++) await drive.readAll("a");
    expect(one.gets).toBe(0);
    other.fault = () => Promise.reject(refused(other.id));
    expect(await drive.readAll("a")).toEqual(bytesOf(100));
  });
});

describe("a slow copy", () => {
  test("is raced by another after a while, and the loser is called off", async () => {
    const clock = new VirtualClock();
    await using drive = await written(100 * kib, { chunkBytes: 100 * kib, nodes: 2, clock });
    let calledOff = 0;
    let slow = true;
    for (const node of drive.nodes) {
      node.fault = async (_request, _id, signal) => {
        if (!slow) return;
        slow = false;
        signal?.addEventListener("abort", () => calledOff++);
        await clock.sleep(60_000);
      };
    }
    let done = false;
    const read = drive.readAll("a").then((bytes) => {
      done = true;
      return bytes;
    });
    await clock.advance(240);
    expect(done).toBe(false);
    await clock.advance(20);
    expect(done).toBe(true);
    expect((await read).length).toBe(100 * kib);
    expect(calledOff).toBe(1);
  });

  test("costs at most one extra request in twenty", async () => {
    const clock = new VirtualClock();
    await using drive = await written(100, { nodes: 2, clock });
    for (const node of drive.nodes) node.fault = () => clock.sleep(300);
    for (let round = 0; round < 100; round++) {
      const read = drive.readAll("a");
      await clock.advance(700);
      await read;
    }
    const asked = drive.nodes.reduce((sum, { gets }) => sum + gets, 0);
    expect(asked).toBeGreaterThan(100);
    expect(asked).toBeLessThanOrEqual(106);
  });
});

test("a check reads every copy and tells the state of each", async () => {
  await using drive = await written(3 * kib, { nodes: 2 });
  const [first, second] = manifestOf(drive);
  if (first) drive.nodes[0]?.damage(first.id);
  if (second) drive.nodes[1]?.forget(second.id);
  const checks = [];
  for await (const check of drive.reader.check(address)) checks.push(check);
  expect(checks.map(({ index, offset, length }) => [index, offset, length])).toEqual([
    [0, 0, kib],
    [1, kib, kib],
    [2, 2 * kib, kib],
  ]);
  expect(checks.map(({ copies }) => copies.map(({ state }) => state))).toEqual([
    ["corrupt", "ok"],
    ["ok", "missing"],
    ["ok", "ok"],
  ]);
  const [, node] = drive.nodes;
  if (node) node.fault = () => Promise.reject(refused("node-2"));
  for await (const { copies } of drive.reader.check(address)) expect(copies[1]?.state).toBe("unreachable");
});

test("a read that is stopped throws cancelled", async () => {
  await using drive = await written(10 * kib);
  const controller = new AbortController();
  const { bytes } = await drive.reader.open(address, { signal: controller.signal });
  for (const node of drive.nodes) node.fault = () => new Promise(() => undefined);
  setTimeout(() => controller.abort(), 10);
  expect(await kindOf(collect(bytes))).toBe("cancelled");
});

test("whole chunks are verified against their names, whoever delivers them", async () => {
  await using drive = await written(100, { nodes: 2 });
  const [chunk] = manifestOf(drive);
  for (const node of drive.nodes) node.chunks.set(`${chunk?.group} ${chunk?.id}`, bytesOf(100, 9));
  expect(chunk?.id).not.toBe(chunkIdFromHash(await drive.env.hasher.sha256(bytesOf(100, 9))));
  expect(await kindOf(drive.readAll("a"))).toBe("lost");
});
