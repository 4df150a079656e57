import { NodeHasher } from "@cairn/env-node";
import { type Generation, type GroupId, hashOfChunkId } from "@cairn/protocol";
import { MemoryDisk } from "@cairn/simulator";
import { describe, expect, test } from "vitest";
import { decodeRecordHeader, encodeRecord, footerMatches, payloadIsSound, recordBytes } from "./record-format.ts";
import { readRecord } from "./record-read.ts";
import { chunkOf, group7 } from "./testing/engine-fixture.ts";

const hasher = new NodeHasher();
const crc32c = (bytes: Uint8Array): number => hasher.crc32c(bytes);
const chunk = await chunkOf(hasher, 1, 150_000);
const hash = hashOfChunkId(chunk.id);
const fields = { type: "chunk" as const, group: group7, generation: chunk.generation, sequence: 9, writtenAt: 5, hash };

describe("a record", () => {
  test("is as long as it says, keeps the 8-byte grid, and is read as it was written", () => {
    for (const length of [0, 1, 7, 8, 65_535, 65_536, 65_537, 150_000]) {
      const payload = chunk.bytes.subarray(0, length);
      const record = Buffer.concat(encodeRecord(fields, payload, crc32c));
      expect(record.length).toBe(recordBytes(length));
      expect(record.length % 8).toBe(0);
      const header = decodeRecordHeader(record, crc32c);
      expect(header).toMatchObject({ ...fields, length, logicalLength: length });
      expect(header && footerMatches(record, header) && payloadIsSound(record, header, crc32c)).toBe(true);
    }
  });

  test("takes 168 bytes besides a payload of 1 MiB", () => {
    expect(recordBytes(2 ** 20) - 2 ** 20).toBe(168);
  });

  test("of a length that no record can have is none, even if its CRC is right: nothing of that size is read", () => {
    const head = Buffer.concat(encodeRecord(fields, chunk.bytes, crc32c)).subarray(0, 96);
    head.writeUInt32LE(0xffff_fff0, 12);
    head.writeUInt32LE(crc32c(head.subarray(8)), 4);
    expect(decodeRecordHeader(head, crc32c)).toBeUndefined();
  });

  test("of a type or a header length that nobody knows is none", () => {
    for (const [at, value] of [
      [8, 77],
      [10, 97],
    ] as const) {
      const head = Buffer.concat(encodeRecord(fields, chunk.bytes, crc32c)).subarray(0, 96);
      head[at] = value;
      head.writeUInt32LE(crc32c(head.subarray(8)), 4);
      expect(decodeRecordHeader(head, crc32c)).toBeUndefined();
    }
  });
});

describe("a read of a record", () => {
  const location = { generation: chunk.generation, segment: 1, offset: 16, length: chunk.bytes.length };

  async function read(expected: Partial<Parameters<typeof readRecord>[1]>): Promise<unknown> {
    const disk = new MemoryDisk();
    const file = await disk.open("a", "create");
    await file.write(encodeRecord(fields, chunk.bytes, crc32c), 16);
    const outcome = await readRecord(file, { group: group7, hash, location, range: undefined, crc32c, ...expected });
    return outcome.ok ? outcome.value.bytes : outcome.error.kind;
  }

  test("gives its bytes when it is exactly the one that is asked for", async () => {
    expect(await read({})).toEqual(chunk.bytes);
  });

  test("counts one of another group, hash, generation or length as corrupt", async () => {
    expect(await read({ group: 8 as GroupId })).toBe("corrupt");
    expect(await read({ hash: hash.map((byte, at) => (at === 31 ? byte ^ 1 : byte)) })).toBe("corrupt");
    expect(await read({ location: { ...location, generation: 1 as Generation } })).toBe("corrupt");
    expect(await read({ location: { ...location, length: location.length - 1 } })).toBe("corrupt");
    expect(await read({ location: { ...location, offset: 8 } })).toBe("corrupt");
    expect(await read({ location: { ...location, offset: 10_000_000 } })).toBe("corrupt");
  });

  test("answers a range with whole blocks, and none outside of the chunk", async () => {
    expect(await read({ range: { offset: 149_999, length: 1 } })).toEqual(chunk.bytes.subarray(131_072));
    expect(await read({ range: { offset: 65_535, length: 2 } })).toEqual(chunk.bytes.subarray(0, 131_072));
    expect(await read({ range: { offset: 150_000, length: 0 } })).toEqual(chunk.bytes.subarray(131_072));
    expect(await read({ range: { offset: 150_000, length: 1 } })).toBe("range");
    expect(await read({ range: { offset: -1, length: 1 } })).toBe("range");
  });
});
