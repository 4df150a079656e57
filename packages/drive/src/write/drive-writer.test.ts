import { type ChunkId, chunkIdFromHash, StorageError, type UploadId } from "@cairn/protocol";
import { VirtualClock } from "@cairn/simulator";
import { describe, expect, test } from "vitest";
import { kindOf } from "../testing/memory-metadata.ts";
import { refused } from "../testing/memory-node.ts";
import { bytesOf, streamOf, TestDrive, target } from "../testing/test-drive.ts";
import type { Progress } from "../transfer.ts";

const kib = 1024;

async function idOf(drive: TestDrive, bytes: Uint8Array): Promise<ChunkId> {
  return chunkIdFromHash(await drive.env.hasher.sha256(bytes));
}

describe("an ordinary write", () => {
  test.each([0, 1, kib - 1, kib, kib + 1, 3 * kib + 17])("of %i bytes reads back the same", async (length) => {
    await using drive = new TestDrive({ chunkBytes: kib });
    const { entry } = await drive.writer.write(target("a"), { bytes: bytesOf(length) });
    expect([entry.size, entry.chunks]).toEqual([length, Math.ceil(length / kib)]);
    expect(await drive.readAll("a")).toEqual(bytesOf(length));
  });

  test("stores every chunk on as many nodes as there are copies before it commits", async () => {
    await using drive = new TestDrive({ nodes: 4, copies: 3 });
    const bytes = bytesOf(5 * kib);
    await drive.writer.write(target("a"), { stream: streamOf(bytes.subarray(0, 700), bytes.subarray(700)) });
    expect(drive.bytesReceived).toBe(3 * bytes.length);
    expect(drive.metadata.calls.get("commit")).toBe(1);
  });

  test("tells its progress, which only rises and ends at the size", async () => {
    await using drive = new TestDrive();
    const seen: Progress[] = [];
    await drive.writer.write(target("a"), { bytes: bytesOf(4 * kib) }, { onProgress: (step) => void seen.push(step) });
    expect(seen.map(({ bytesDone }) => bytesDone)).toEqual([kib, 2 * kib, 3 * kib, 4 * kib]);
    expect(seen.at(-1)).toEqual({ bytesDone: 4 * kib, bytesTotal: 4 * kib, bytesKnown: 0, chunksDone: 4 });
  });

  test("refuses a source that does not have the bytes it announced", async () => {
    await using drive = new TestDrive();
    for (const size of [kib - 1, kib + 1]) {
      expect(await kindOf(drive.writer.write(target("a"), { stream: streamOf(bytesOf(kib)), size }))).toBe("invalid");
    }
    expect(drive.metadata.files.size).toBe(0);
  });

  test("keeps the bytes on their way within the window", async () => {
    await using drive = new TestDrive({ windowBytesMax: 4 * kib });
    let onTheirWay = 0;
    let most = 0;
    for (const node of drive.nodes) {
      node.fault = async () => {
        most = Math.max(most, ++onTheirWay);
        await new Promise((resolve) => setTimeout(resolve, 1));
        onTheirWay--;
      };
    }
    await Promise.all(
      ["a", "b", "c"].map((name, seed) => drive.writer.write(target(name), { bytes: bytesOf(20 * kib, seed) })),
    );
    expect(most).toBeGreaterThan(2);
    expect(most).toBeLessThanOrEqual(2 * 4);
  });

  test("of many small files at once shares requests to the nodes and commits", async () => {
    await using drive = new TestDrive();
    await Promise.all(
      Array.from({ length: 64 }, (_, index) =>
        drive.writer.write(target(`f${index}`), { bytes: bytesOf(100, index + 1) }),
      ),
    );
    expect(drive.nodes.flatMap(({ putBatches }) => putBatches).length).toBeLessThanOrEqual(8);
    expect(drive.metadata.commitBatches.length).toBeLessThanOrEqual(4);
    expect(drive.metadata.lookups).toEqual([]);
  });
});

describe("the commit", () => {
  test("is repeated under the same id when its outcome is unknown, and happens once", async () => {
    await using drive = new TestDrive();
    let losses = 2;
    drive.metadata.after = (method) => {
      if (method === "commit" && losses-- > 0) throw new StorageError("unavailable", "request", "connection lost");
    };
    await drive.writer.write(target("a"), { bytes: bytesOf(10) });
    expect(drive.metadata.commitIds.length).toBe(3);
    expect(new Set(drive.metadata.commitIds).size).toBe(1);
  });

  test("sends a chunk again that was collected between look-up and commit", async () => {
    await using drive = new TestDrive();
    const bytes = bytesOf(3 * kib);
    await drive.writer.write(target("a"), { bytes });
    const id = await idOf(drive, bytes.subarray(0, kib));
    let collected = false;
    drive.metadata.before = (method) => {
      if (method === "commit" && !collected) drive.metadata.collect(id);
      collected ||= method === "commit";
    };
    const before = drive.bytesReceived;
    await drive.writer.write(target("b"), { bytes });
    expect(drive.bytesReceived - before).toBe(2 * kib);
    expect(await drive.readAll("b")).toEqual(bytes);
    // The attempt that was refused must not happen on top when its request arrives once more later.
    expect([drive.metadata.commitIds.length, new Set(drive.metadata.commitIds).size]).toEqual([3, 2]);
  });

  test("whose receipts were overtaken is made again with groups as they are now", async () => {
    await using drive = new TestDrive();
    const bytes = bytesOf(3 * kib);
    const ids = await Promise.all(
      [0, 1, 2].map((index) => idOf(drive, bytes.subarray(index * kib, (index + 1) * kib))),
    );
    let raised = false;
    drive.metadata.before = (method) => {
      if (method !== "commit" || raised) return;
      raised = true;
      drive.metadata.copies = 3;
      throw new StorageError("chunk-gone", "commit", "too few copies", { details: { chunks: ids } });
    };
    await drive.writer.write(target("a"), { bytes });
    expect(await drive.readAll("a")).toEqual(bytes);
    expect(drive.bytesReceived).toBe((2 + 3) * bytes.length);
  });

  test("says so when the source cannot give a collected chunk again", async () => {
    await using drive = new TestDrive();
    const bytes = bytesOf(3 * kib);
    await drive.writer.write(target("a"), { bytes });
    const id = await idOf(drive, bytes.subarray(0, kib));
    drive.metadata.before = (method) => {
      if (method === "commit") drive.metadata.collect(id);
    };
    expect(await kindOf(drive.writer.write(target("b"), { stream: streamOf(bytes) }))).toBe("chunk-gone");
  });

  test("under a lease that is over is made again under a new one with the chunks written again", async () => {
    await using drive = new TestDrive();
    await drive.writer.write(target("a"), { bytes: bytesOf(10) });
    drive.metadata.openLeases.clear();
    await drive.writer.write(target("b"), { stream: streamOf(bytesOf(20, 2)) });
    expect(drive.metadata.leasesOpened.length).toBe(2);
    expect(await drive.readAll("b")).toEqual(bytesOf(20, 2));
  });
});

describe("known content", () => {
  test("is not sent again", async () => {
    await using drive = new TestDrive();
    const bytes = bytesOf(50 * kib + 5);
    await drive.writer.write(target("a"), { bytes });
    const before = drive.bytesReceived;
    let last: Progress | undefined;
    const onProgress = (progress: Progress): void => {
      last = progress;
    };
    await drive.writer.write(target("b"), { bytes }, { onProgress });
    expect(drive.bytesReceived).toBe(before);
    expect(last?.bytesKnown).toBe(bytes.length);
    expect(await drive.readAll("b")).toEqual(bytes);
  });

  test("that repeats within a file is sent once", async () => {
    await using drive = new TestDrive();
    await drive.writer.write(target("zeros"), { bytes: new Uint8Array(40 * kib) });
    expect(drive.bytesReceived).toBe(2 * kib);
    expect(await drive.readAll("zeros")).toEqual(new Uint8Array(40 * kib));
  });
});

describe("a large file", () => {
  const bytes = bytesOf(200 * kib + 3);

  test("goes up in parts of 64 chunks and becomes visible at once", async () => {
    await using drive = new TestDrive();
    await drive.writer.write(target("a"), { stream: streamOf(bytes) });
    expect([drive.metadata.calls.get("putPart"), drive.metadata.calls.get("completeUpload")]).toEqual([4, 1]);
    expect(drive.metadata.calls.get("commit")).toBeUndefined();
    expect(await drive.readAll("a")).toEqual(bytes);
  });

  test("of exactly 64 chunks is one commit", async () => {
    await using drive = new TestDrive();
    await drive.writer.write(target("a"), { stream: streamOf(bytes.subarray(0, 64 * kib)) });
    expect([drive.metadata.calls.get("putPart"), drive.metadata.calls.get("commit")]).toEqual([undefined, 1]);
  });

  test("goes on where it broke off, and sends only what is missing or differs", async () => {
    await using drive = new TestDrive();
    const kept: UploadId[] = [];
    drive.metadata.before = (method) => {
      if (method === "putPart" && (drive.metadata.calls.get("putPart") ?? 0) > 2) {
        throw new StorageError("internal", "put part", "the server fell over");
      }
    };
    const onUpload = (upload: UploadId): void => void kept.push(upload);
    expect(await kindOf(drive.writer.write(target("a"), { bytes }, { onUpload }))).toBe("internal");
    drive.metadata.before = () => undefined;
    const changed = bytes.slice();
    changed.fill(7, 0, 10);
    for (const node of drive.nodes) node.bytesReceived = 0;
    const before = drive.metadata.calls.get("putPart") ?? 0;
    await drive.writer.write(target("a"), { bytes: changed }, { resume: kept[0], onUpload });
    expect(kept.length).toBe(1);
    expect(drive.bytesReceived).toBeLessThanOrEqual(2 * (bytes.length - 128 * kib + kib));
    expect((drive.metadata.calls.get("putPart") ?? 0) - before).toBe(3);
    expect(await drive.readAll("a")).toEqual(changed);
  });

  test("starts anew when its session is gone, and tells the new one", async () => {
    await using drive = new TestDrive();
    const kept: UploadId[] = [];
    await drive.writer.write(
      target("a"),
      { bytes },
      { resume: `up_${"9".repeat(26)}` as UploadId, onUpload: (upload) => void kept.push(upload) },
    );
    expect(kept.length).toBe(1);
    expect(await drive.readAll("a")).toEqual(bytes);
  });

  test("drops its session when it fails and nobody knows of it", async () => {
    await using drive = new TestDrive();
    drive.metadata.before = (method) => {
      if (method === "completeUpload") throw new StorageError("conflict", "complete upload", "the name is taken");
    };
    expect(await kindOf(drive.writer.write(target("a"), { bytes }))).toBe("conflict");
    expect(drive.metadata.uploads.size).toBe(0);
  });
});

test("a write that is stopped ends at once as cancelled and lets go of its lease", async () => {
  await using drive = new TestDrive();
  const controller = new AbortController();
  for (const node of drive.nodes) node.fault = () => new Promise(() => undefined);
  const written = drive.writer.write(target("a"), { bytes: bytesOf(10 * kib) }, { signal: controller.signal });
  setTimeout(() => controller.abort(), 20);
  expect(await kindOf(written)).toBe("cancelled");
  for (const node of drive.nodes) node.fault = () => undefined;
  await drive.writer[Symbol.asyncDispose]();
  expect(drive.metadata.openLeases.size).toBe(0);
});

test("a write whose source has stalled can be stopped", async () => {
  await using drive = new TestDrive();
  const controller = new AbortController();
  async function* stalling(): AsyncGenerator<Uint8Array> {
    yield bytesOf(10);
    await new Promise(() => undefined);
  }
  const written = drive.writer.write(target("a"), { stream: stalling() }, { signal: controller.signal });
  setTimeout(() => controller.abort(), 10);
  expect(await kindOf(written)).toBe("cancelled");
});

test("a source that fails is the failure of the write, and is let go of when the write fails", async () => {
  const clock = new VirtualClock();
  await using drive = new TestDrive({ clock });
  async function* failing(): AsyncGenerator<Uint8Array> {
    yield bytesOf(10);
    throw new StorageError("not-found", "read source", "the file is gone");
  }
  expect(await kindOf(drive.writer.write(target("a"), { stream: failing() }))).toBe("not-found");
  let closed = false;
  async function* endless(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) yield bytesOf(kib);
    } finally {
      closed = true;
    }
  }
  for (const node of drive.nodes) node.fault = () => Promise.reject(refused(node.id));
  const failed = kindOf(drive.writer.write(target("b"), { stream: endless() }));
  await clock.advance(20_000);
  expect(await failed).toBe("unavailable");
  await new Promise(setImmediate);
  expect(closed).toBe(true);
});
