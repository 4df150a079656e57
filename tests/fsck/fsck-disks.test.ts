import { appendFileSync, cpSync, existsSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { CairnClient } from "@cairn/client";
import { crc32c } from "@node-rs/crc32";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WrittenSegment } from "../../packages/fsck/src/testing/written-segment.ts";
import { seededBytes } from "../support/content.ts";
import { TestCluster, temporaryFolder } from "../support/processes.ts";
import { hashOf, StoredCluster } from "./stored-cluster.ts";

const contents = Array.from({ length: 12 }, (_, index) => seededBytes(`content ${index}`, 20_000 * (index + 1)));

describe("fsck of the files of disks", { timeout: 60_000 }, () => {
  const folder = temporaryFolder();
  const data = join(folder.path, "cluster");
  const hash = hashOf(contents[5] ?? new Uint8Array());

  beforeAll(async () => {
    await using cluster = await TestCluster.start(data);
    await using client = new CairnClient(cluster.profile);
    for (const [index, bytes] of contents.entries()) await client.upload({ bytes }, { name: `file-${index}` });
  });

  afterAll(() => folder[Symbol.dispose]());

  /** The folder of one copy of the group that has the chunk, and where the chunk's record stands. */
  function copyIn(stored: StoredCluster) {
    const [first, second] = stored.places(hash);
    if (!first || !second) throw new Error("the chunk has no two copies");
    const file = join(stored.data, first.file);
    const bytes = readFileSync(file);
    const generation = Number(bytes.readBigUInt64LE(first.record + 32));
    const group = Number(bytes.readBigUInt64LE(first.record + 24));
    const end = first.record + recordLength(bytes, first.record);
    return {
      first,
      second,
      file,
      group: dirname(file),
      id: group,
      record: bytes.subarray(first.record, end),
      generation,
    };
  }

  /** A file of tombstones for the disk that has this segment. */
  function tombstones(
    segment: string,
    group: number,
    writes: readonly { hash: Uint8Array; generation: number }[],
  ): Buffer {
    const header = readFileSync(segment);
    const written = new WrittenSegment({
      cluster: header.toString("hex", 12, 28),
      disk: header.toString("hex", 28, 44),
      group,
      number: 0,
    });
    for (const write of writes) written.record({ type: 2, payload: Buffer.alloc(0), group, ...write });
    return written.bytes;
  }

  test("a record that its node has set aside is no copy, be it sound or not", async () => {
    using stored = new StoredCluster(data);
    const { group, first, record } = copyIn(stored);
    const place = { segment: 1, offset: first.record, end: first.record + record.length, why: "a reader said so" };
    writeFileSync(join(group, "quarantine.json"), JSON.stringify([place]));
    const { findings } = await stored.check();
    expect(findings.find(({ kind }) => kind === "record-damaged")).toMatchObject({
      message: expect.stringContaining("a reader said so, which its node knows; another good copy is there"),
      details: { known: true },
    });
    expect(findings.find(({ kind }) => kind === "chunk-short")).toMatchObject({ details: { copies: 1, wanted: 2 } });
  });

  test("a damaged record with a good one of the same write behind it on the disk hurts nobody", async () => {
    using stored = new StoredCluster(data);
    const { file, first, record, group } = copyIn(stored);
    appendFileSync(file, record);
    stored.flip(first.file, first.record + 200);
    const report = await stored.check();
    expect(report.verdict).toBe("clean");
    expect(report.totals).toContainEqual(expect.objectContaining({ kind: "damage-harmless", count: 1 }));
    expect(existsSync(join(group, "quarantine.json"))).toBe(false);
  });

  test("a write that is deleted on a disk is no copy there", async () => {
    using stored = new StoredCluster(data);
    const { file, id, generation, group } = copyIn(stored);
    writeFileSync(join(group, "tombstones.seg"), tombstones(file, id, [{ hash, generation: generation + 1 }]));
    expect(await stored.faults()).toEqual({});
    writeFileSync(join(group, "tombstones.seg"), tombstones(file, id, [{ hash, generation }]));
    const { findings, verdict } = await stored.check();
    expect(verdict).toBe("missing");
    const short = findings.find(({ kind }) => kind === "chunk-short");
    expect(Object.values(short?.details["without"] ?? {})).toEqual(["deleted"]);
  });

  test("a write without a row that one disk has deleted and the other has not is still to be swept", async () => {
    using stored = new StoredCluster(data);
    const { file, id, group } = copyIn(stored);
    const orphan = new WrittenSegment();
    const bytes = Buffer.from("nobody committed this");
    const at = orphan.record({ type: 1, payload: bytes, generation: 16_777_217, hash: hashOf(bytes), group: id });
    for (const { file: segment } of stored.places(hash))
      appendFileSync(join(stored.data, segment), orphan.bytes.subarray(at));
    stored.run("DELETE FROM lease");
    const before = await stored.check();
    expect(before.totals).toContainEqual(expect.objectContaining({ kind: "orphan-closed", count: 2 }));
    writeFileSync(
      join(group, "tombstones.seg"),
      tombstones(file, id, [{ hash: hashOf(bytes), generation: 16_777_217 }]),
    );
    const report = await stored.check();
    expect(report.verdict).toBe("clean");
    const kinds = report.totals.map(({ kind, count }) => [kind, count]);
    expect(kinds).toEqual(
      expect.arrayContaining([
        ["orphan-closed", 1],
        ["deleted", 1],
        ["delete-incomplete", 1],
      ]),
    );
  });

  test("an append that did not end is no damage; a segment that lost what was synced is", async () => {
    using stored = new StoredCluster(data);
    const { file, record } = copyIn(stored);
    const size = readFileSync(file).length;
    appendFileSync(file, record.subarray(0, record.length - 50));
    const report = await stored.check();
    expect(report.verdict).toBe("clean");
    expect(report.totals).toContainEqual(expect.objectContaining({ kind: "unfinished-append", count: 1 }));
    truncateSync(file, size - 100);
    expect(await stored.faults()).toMatchObject({ "record-damaged": expect.any(Number), "chunk-short": 1 });
  });

  test("a damaged header page alone takes no record away", async () => {
    using stored = new StoredCluster(data);
    stored.flip(copyIn(stored).first.file, 300);
    const report = await stored.check();
    expect(report.verdict).toBe("clean");
    expect(report.totals).toContainEqual(expect.objectContaining({ kind: "damage-harmless", count: 1 }));
  });

  test("a segment that compaction wrote is as long as it says, whatever the checkpoint remembers", async () => {
    using stored = new StoredCluster(data);
    const { file, first, record } = copyIn(stored);
    const bytes = readFileSync(file);
    const without = Buffer.concat([bytes.subarray(0, first.record), bytes.subarray(first.record + record.length)]);
    writeFileSync(file, without);
    expect(await stored.faults()).toMatchObject({ "record-damaged": 1 });
    without.writeUInt32LE(2, 8);
    without.writeBigUInt64LE(BigInt(without.length), 64);
    without.writeUInt32LE(crc32c(without.subarray(8, 4096)), 4);
    writeFileSync(file, without);
    expect(await stored.faults()).toEqual({ "copies-missing": 1, "chunk-short": 1 });
    truncateSync(file, without.length - 8);
    expect(await stored.faults()).toMatchObject({ "record-damaged": expect.any(Number) });
  });

  test("an index that its node would believe is compared with the segments", async () => {
    using stored = new StoredCluster(data);
    const { group, file, id } = copyIn(stored);
    writeFileSync(join(group, "sealed.idx"), indexOf(readFileSync(file), id));
    expect(await stored.faults()).toEqual({});
    writeFileSync(join(group, "sealed.idx"), indexOf(readFileSync(file), id, { entries: -1 }));
    expect(await stored.faults()).toEqual({ "index-wrong": 1 });
    writeFileSync(join(group, "sealed.idx"), indexOf(readFileSync(file), id, { digest: 1n }));
    expect(await stored.faults()).toEqual({ "index-wrong": 1 });
    // Of other segments: its node makes it anew.
    appendFileSync(file, Buffer.alloc(8));
    expect(await stored.faults()).toEqual({});
  });

  test("a disk that was cloned counts once", async () => {
    using stored = new StoredCluster(data);
    cpSync(join(stored.data, "nodes/node-1/disk"), join(stored.data, "nodes/node-1/disk-2"), { recursive: true });
    const report = await stored.check();
    expect(report.scope.disks).toBe(3);
    expect(report.findings.find(({ kind }) => kind === "disk-foreign")?.message).toContain("it is a copy of");
  });
});

function recordLength(bytes: Buffer, record: number): number {
  const length = bytes.readUInt32LE(record + 12);
  return Math.ceil((96 + 4 * Math.ceil(length / 65_536) + length) / 8) * 8 + 8;
}

/** The header page of a `sealed.idx` of a group with this one segment. */
function indexOf(segment: Buffer, group: number, wrong: { entries?: number; digest?: bigint } = {}): Buffer {
  let [entries, bytes, digest] = [0, 0, 0n];
  for (let at = 4096; at < segment.length; at += recordLength(segment, at)) {
    entries++;
    bytes += segment.readUInt32LE(at + 12);
    const mixed = BigInt.asUintN(64, segment.readBigUInt64LE(at + 32) * 0x9e3779b97f4a7c15n);
    digest ^= segment.readBigUInt64LE(at + 56) ^ mixed;
  }
  const page = Buffer.alloc(4096);
  page.write("CRNI", 0, "latin1");
  page.writeUInt32LE(1, 8);
  page.writeUInt32LE(entries + (wrong.entries ?? 0), 12);
  page.writeBigUInt64LE(BigInt(bytes), 16);
  page.writeBigUInt64LE(digest ^ (wrong.digest ?? 0n), 24);
  page.writeUInt32LE(1, 44);
  page.writeBigUInt64LE(BigInt(group), 48);
  segment.copy(page, 56, 28, 44);
  page.writeUInt32LE(1, 72);
  page.writeBigUInt64LE(BigInt(segment.length), 76);
  page.writeUInt32LE(crc32c(page.subarray(8)), 4);
  return page;
}
