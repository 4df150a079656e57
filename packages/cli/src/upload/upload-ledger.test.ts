import { mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { UploadId } from "@cairn/protocol";
import { afterEach, beforeEach, expect, test } from "vitest";
import { UploadLedger } from "./upload-ledger.ts";

const identity = { server: "http://127.0.0.1:7070", path: "/home/a/big", size: 5, modifiedAt: 7, target: "/big" };
const id = "up_01j9zk3v9w8r7q6p5n4m3k2j1h" as UploadId;
let folder = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "cairn-ledger-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test("another process finds the upload again", async () => {
  await new UploadLedger(join(folder, "uploads")).storeFor(identity).set("key", id);
  const store = new UploadLedger(join(folder, "uploads")).storeFor(identity);
  expect(await store.get("key")).toBe(id);
  await store.delete("key");
  expect(await store.get("key")).toBeUndefined();
});

test.each([
  ["server", { server: "http://other" }],
  ["path", { path: "/home/a/other" }],
  ["size", { size: 6 }],
  ["time", { modifiedAt: 8 }],
  ["target", { target: "/other" }],
])("another %s is another upload", async (_what, change) => {
  const ledger = new UploadLedger(folder);
  await ledger.storeFor(identity).set("key", id);
  expect(await ledger.storeFor({ ...identity, ...change }).get("key")).toBeUndefined();
});

test("a damaged entry counts as none", async () => {
  const store = new UploadLedger(folder).storeFor(identity);
  await store.set("key", id);
  const [name] = await readdir(folder);
  await writeFile(join(folder, name ?? ""), "{");
  expect(await store.get("key")).toBeUndefined();
});

test("uploads that the server has dropped are forgotten, younger ones stay", async () => {
  const ledger = new UploadLedger(folder);
  await ledger.storeFor(identity).set("old", id);
  const [old] = await readdir(folder);
  await utimes(join(folder, old ?? ""), 1, 1);
  await ledger.storeFor(identity).set("new", id);
  await ledger.forgetOld(Date.now());
  expect(await ledger.storeFor(identity).get("old")).toBeUndefined();
  expect(await ledger.storeFor(identity).get("new")).toBe(id);
});

test("a ledger that was never written has nothing to forget", async () => {
  await new UploadLedger(join(folder, "none")).forgetOld(Date.now());
});
