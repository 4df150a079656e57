import { NodeHasher } from "@cairn/env-node";
import type { Generation, GroupId } from "@cairn/protocol";
import { MemoryDisk, SeededRandom } from "@cairn/simulator";
import { describe, expect, test } from "vitest";
import { ChunkTable, type Location, tableEntryBytes } from "./chunk-table.ts";
import { findInIndex, readIndexEntries, readSealedIndex, type SealedIndex, writeSealedIndex } from "./sealed-index.ts";

const hasher = new NodeHasher();
const crc32c = (bytes: Uint8Array): number => hasher.crc32c(bytes);
const place = { group: 7 as GroupId, disk: "d3".repeat(16), segments: [{ number: 1, bytes: 5000 }] };

interface Entry {
  readonly hash: Uint8Array;
  readonly location: Location;
}

/** Entries whose hashes often begin alike, so that ties and full buckets are the rule. */
function entriesOf(seed: number, count: number): Entry[] {
  const random = new SeededRandom(seed);
  const beginnings = Array.from({ length: 5 }, () => random.bytes(7));
  return Array.from({ length: count }, (_, number) => {
    const hash = Uint8Array.from(random.bytes(32));
    if (random.fraction() < 0.5) hash.set(beginnings[Math.floor(random.fraction() * 5)] as Uint8Array);
    if (random.fraction() < 0.1) hash.fill(9);
    const location = {
      generation: (number + 1) as Generation,
      segment: 1 + (number % 255),
      offset: 8 * Math.floor(random.fraction() * 2 ** 25),
      length: Math.floor(random.fraction() * 2 ** 24),
    };
    return { hash, location };
  });
}

function inOrder(entries: readonly Entry[]): Entry[] {
  return [...entries].sort((a, b) => Buffer.compare(a.hash, b.hash) || a.location.generation - b.location.generation);
}

function tableOf(entries: readonly Entry[]): ChunkTable {
  const table = new ChunkTable();
  for (const { hash, location } of entries) expect(table.set(hash, location)).toBe(true);
  return table;
}

function plain({ hash, location }: Entry): string {
  return `${Buffer.from(hash).toString("hex")} ${JSON.stringify(location)}`;
}

describe("a table of records in memory", () => {
  test("finds each of many records, and sorts them", () => {
    const entries = entriesOf(1, 3000);
    const table = tableOf(entries);
    for (const { hash, location } of entries) {
      expect(table.get(hash, location.generation)).toEqual(location);
      expect(table.all(hash)).toContainEqual(location);
    }
    expect(table.get(new Uint8Array(32), 1 as Generation)).toBeUndefined();
    expect([...table.sorted()].map((index) => plain(table.at(index)))).toEqual(inOrder(entries).map(plain));
  });

  test("replaces a record that is set again, and sorts anew after a new one", () => {
    const [first, second] = entriesOf(2, 2) as [Entry, Entry];
    const table = tableOf([first]);
    expect(table.sorted()).toHaveLength(1);
    expect(table.set(first.hash, { ...first.location, segment: 9 })).toBe(false);
    expect(table.get(first.hash, first.location.generation)?.segment).toBe(9);
    table.set(second.hash, second.location);
    expect(table.sorted()).toHaveLength(2);
  });

  test("costs no object per record: 131,072 take less than 10 MiB", () => {
    const table = new ChunkTable();
    const hash = new Uint8Array(32);
    const view = new DataView(hash.buffer);
    for (let number = 0; number < 131_072; number++) {
      view.setUint32(4, Math.imul(number, 2654435761));
      view.setUint32(0, Math.imul(number, 40503));
      table.set(hash, { generation: (number + 1) as Generation, segment: 1, offset: 8, length: 1 });
    }
    expect(table.count).toBe(131_072);
    expect(table.bytes).toBeLessThan(10 * 2 ** 20);
    expect(table.bytes).toBeGreaterThan(131_072 * tableEntryBytes);
  });
});

describe("the index of a sealed group", () => {
  for (const count of [0, 1, 84, 85, 86, 170, 171, 2000]) {
    test(`with ${count} entries finds each of them and lists them in order from anywhere`, async () => {
      const entries = entriesOf(count + 10, count);
      const disk = new MemoryDisk();
      const made = await make(disk, entries);
      const index = await readSealedIndex(disk, "idx", { ...place, crc32c });
      expect(index).toEqual(made);
      if (!index) return;
      const file = await disk.open("idx", "read");
      for (const { hash, location } of entries) {
        expect(await findInIndex(file, { index, hash, crc32c })).toContainEqual(location);
      }
      expect(await findInIndex(file, { index, hash: new Uint8Array(32).fill(1), crc32c })).toEqual([]);
      expect(await list(disk, index, undefined)).toEqual(inOrder(entries).map(plain));
      for (const from of [
        new Uint8Array(32),
        new Uint8Array(32).fill(9),
        new Uint8Array(32).fill(255),
        entries[0]?.hash,
      ]) {
        if (!from) continue;
        const expected = inOrder(entries).filter(({ hash }) => Buffer.compare(hash, from) >= 0);
        expect(await list(disk, index, from)).toEqual(expected.map(plain));
      }
    });
  }

  test("is not believed for another group, another disk or other segments", async () => {
    const disk = new MemoryDisk();
    await make(disk, entriesOf(3, 10));
    const read = (other: Partial<typeof place>): Promise<unknown> =>
      readSealedIndex(disk, "idx", { ...place, ...other, crc32c });
    expect(await read({})).toBeDefined();
    expect(await read({ group: 8 as GroupId })).toBeUndefined();
    expect(await read({ disk: "ab".repeat(16) })).toBeUndefined();
    expect(await read({ segments: [] })).toBeUndefined();
    expect(await read({ segments: [{ number: 1, bytes: 5008 }] })).toBeUndefined();
    expect(await read({ segments: [...place.segments, { number: 2, bytes: 4096 }] })).toBeUndefined();
  });

  test("with a flipped bit in any byte is not believed, or the page that is hit is corrupt", async () => {
    const disk = new MemoryDisk();
    const entries = entriesOf(4, 200);
    await make(disk, entries);
    const bytes = disk.image().files.get("idx") as Uint8Array;
    for (let at = 0; at < bytes.length; at += 7) {
      const copy = bytes.slice();
      copy[at] = (copy[at] as number) ^ (1 << (at % 8));
      const bad = new MemoryDisk({ image: { folders: new Set(["."]), files: new Map([["idx", copy]]) } });
      const index = await readSealedIndex(bad, "idx", { ...place, crc32c });
      if (!index) continue;
      expect(at).toBeGreaterThanOrEqual(8192);
      await expect(list(bad, index, undefined)).rejects.toMatchObject({ kind: "corrupt" });
    }
  });
});

function make(disk: MemoryDisk, entries: readonly Entry[]): Promise<SealedIndex> {
  const summary = { ...place, records: entries.length, bytes: 12, digest: 2n ** 63n, nextSequence: 99 };
  return writeSealedIndex(disk, "idx", { table: tableOf(entries), summary, crc32c });
}

async function list(disk: MemoryDisk, index: SealedIndex, from: Uint8Array | undefined): Promise<string[]> {
  const file = await disk.open("idx", "read");
  const found: string[] = [];
  for await (const entry of readIndexEntries(file, { index, from, crc32c })) found.push(plain(entry));
  return found;
}
