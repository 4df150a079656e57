import { chunkIdFromHash } from "@cairn/protocol";
import { describe, expect, test } from "vitest";
import { kindOf } from "../testing/memory-metadata.ts";
import { bytesOf, TestDrive, target } from "../testing/test-drive.ts";

const kib = 1024;

function traffic(drive: TestDrive): { reads: number; received: number } {
  return { reads: drive.nodes.reduce((sum, { gets }) => sum + gets, 0), received: drive.bytesReceived };
}

/** Copies `a`, or a range of it, to `b`. */
async function copy(drive: TestDrive, range: { offset?: number; length?: number } = {}): Promise<void> {
  const { pieces, length } = await drive.reader.open({ drive: target("a").drive, path: "/a" }, range);
  await drive.writer.write(target("b"), { pieces, size: length });
}

describe("a copy of what is stored", () => {
  test.each([0, 1, kib, 3 * kib + 17, 150 * kib + 1])("moves no chunk of %i bytes", async (length) => {
    await using drive = new TestDrive({ chunkBytes: kib });
    await drive.writer.write(target("a"), { bytes: bytesOf(length) });
    const before = traffic(drive);
    await copy(drive);
    expect(traffic(drive)).toEqual(before);
    expect(await drive.readAll("b")).toEqual(bytesOf(length));
  });

  test("of a range reads and sends its edges only, where it cuts chunks", async () => {
    await using drive = new TestDrive({ chunkBytes: kib });
    const bytes = bytesOf(200 * kib);
    await drive.writer.write(target("a"), { bytes });
    const before = traffic(drive);
    const [offset, length] = [kib / 2, 150 * kib];
    await copy(drive, { offset, length });
    expect(traffic(drive)).toEqual({ reads: before.reads + 2, received: before.received + 2 * 2 * (kib / 2) });
    expect(await drive.readAll("b")).toEqual(bytes.subarray(offset, offset + length));
  });

  test.each([3, 100])("of %i chunks reads and sends what was collected before its commit", async (count) => {
    await using drive = new TestDrive({ chunkBytes: kib });
    const bytes = bytesOf(count * kib);
    await drive.writer.write(target("a"), { bytes });
    const id = chunkIdFromHash(await drive.env.hasher.sha256(bytes.subarray(kib, 2 * kib)));
    const before = traffic(drive);
    let collected = false;
    drive.metadata.before = (method) => {
      if (collected || (method !== "commit" && method !== "putPart")) return;
      drive.metadata.collect(id);
      collected = true;
    };
    await copy(drive);
    expect(traffic(drive)).toEqual({ reads: before.reads + 1, received: before.received + 2 * kib });
    expect(await drive.readAll("b")).toEqual(bytes);
  });

  test("is refused, and makes nothing, when a chunk that is gone cannot be read either", async () => {
    await using drive = new TestDrive({ chunkBytes: kib });
    const bytes = bytesOf(3 * kib);
    await drive.writer.write(target("a"), { bytes });
    const id = chunkIdFromHash(await drive.env.hasher.sha256(bytes.subarray(0, kib)));
    drive.metadata.before = (method) => {
      if (method === "commit") drive.metadata.collect(id);
    };
    for (const node of drive.nodes) node.chunks.clear();
    expect(await kindOf(copy(drive))).toBe("lost");
    expect([...drive.metadata.files.keys()].some((name) => name.endsWith("b"))).toBe(false);
  });
});
