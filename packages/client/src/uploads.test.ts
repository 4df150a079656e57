import { NodeNetwork } from "@cairn/env-node";
import { type Drive, type Entry, StorageError } from "@cairn/protocol";
import { expect, test } from "vitest";
import { bytesOf, streamOf, TestDrive, target } from "../../drive/src/testing/test-drive.ts";
import type { ResumeStore } from "./options.ts";
import { Uploads } from "./uploads.ts";

const kib = 1024;

class MemoryStore implements ResumeStore {
  readonly kept: Map<string, string> = new Map();
  async get(key: string): Promise<string | undefined> {
    return this.kept.get(key);
  }
  async set(key: string, upload: string): Promise<void> {
    this.kept.set(key, upload);
  }
  async delete(key: string): Promise<void> {
    this.kept.delete(key);
  }
}

function uploadsOf(drive: TestDrive) {
  const stats: string[] = [];
  const uploads = new Uploads(
    { ...drive.env, network: new NodeNetwork() },
    {
      writer: drive.writer,
      drive: async () => ({ id: target("a").drive, root: "f_root", chunkBytes: kib }) as unknown as Drive,
      stat: async (address) => {
        stats.push(address);
        return { id: `f_${address}`, kind: address.endsWith(".txt") ? "file" : "folder", path: address } as Entry;
      },
      url: "http://127.0.0.1:1",
    },
  );
  return { uploads, stats };
}

test("a folder is looked up once for many uploads, and again when it turns out to be gone", async () => {
  await using drive = new TestDrive();
  const { uploads, stats } = uploadsOf(drive);
  for (const name of ["a", "b", "c"]) await uploads.upload({ bytes: bytesOf(9) }, { folder: "/x", name }, {});
  expect(stats).toEqual(["/x"]);
  let gone = true;
  drive.metadata.before = (method) => {
    if (method !== "commit" || !gone) return;
    gone = false;
    throw new StorageError("not-found", "commit", "the folder");
  };
  await uploads.upload({ bytes: bytesOf(9) }, { folder: "/x", name: "d" }, {});
  expect(stats).toEqual(["/x", "/x"]);
});

test("a file is no folder to upload to", async () => {
  await using drive = new TestDrive();
  const { uploads } = uploadsOf(drive);
  await expect(uploads.upload({ bytes: bytesOf(9) }, { folder: "/a.txt", name: "b" }, {})).rejects.toMatchObject({
    kind: "invalid",
  });
});

test("a large upload that broke off goes on at the next attempt, and is forgotten when it is done", async () => {
  await using drive = new TestDrive();
  const { uploads } = uploadsOf(drive);
  const store = new MemoryStore();
  const bytes = bytesOf(200 * kib);
  drive.metadata.before = (method) => {
    if (method === "completeUpload") throw new StorageError("internal", "complete upload", "the process was killed");
  };
  await expect(uploads.upload({ bytes }, { name: "a" }, { resume: store })).rejects.toMatchObject({ kind: "internal" });
  expect(store.kept.size).toBe(1);
  drive.metadata.before = () => undefined;
  const sent = drive.bytesReceived;
  const result = await uploads.upload({ bytes }, { name: "a" }, { resume: store });
  expect(result.bytesKnown).toBe(bytes.length);
  expect(drive.bytesReceived).toBe(sent);
  expect(store.kept.size).toBe(0);
  expect(await drive.readAll("a")).toEqual(bytes);
});

test("neither small files nor streams of unknown length touch the store", async () => {
  await using drive = new TestDrive();
  const { uploads } = uploadsOf(drive);
  const store: ResumeStore = {
    get: () => Promise.reject(new Error("asked")),
    set: () => Promise.reject(new Error("asked")),
    delete: () => Promise.reject(new Error("asked")),
  };
  await uploads.upload({ bytes: bytesOf(64 * kib) }, { name: "a" }, { resume: store });
  await uploads.upload({ stream: streamOf(bytesOf(100 * kib)) }, { name: "b" }, { resume: store });
  expect(drive.metadata.files.size).toBe(2);
});
