import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ChunkPlacement, Entry, StorageError } from "@cairn/protocol";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { refused } from "../../drive/src/testing/memory-node.ts";
import { bytesOf, collect, streamOf } from "../../drive/src/testing/test-drive.ts";
import { CairnClient } from "./cairn-client.ts";
import { fileSource } from "./file-source.ts";
import type { ClientEnv } from "./options.ts";
import { TestCluster } from "./testing/test-cluster.ts";

const chunk = 65_536;

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const list: Item[] = [];
  for await (const item of items) list.push(item);
  return list;
}

describe("a client of a cluster", () => {
  let cluster: TestCluster;
  let cairn: CairnClient;

  beforeAll(async () => {
    cluster = await TestCluster.start();
    cairn = cluster.client();
  });
  afterAll(async () => {
    await cairn?.[Symbol.asyncDispose]();
    await cluster?.[Symbol.asyncDispose]();
  });

  const download = async (address: string, options = {}): Promise<Uint8Array> =>
    collect((await cairn.download(address, options)).bytes);
  const kindOf = (promise: Promise<unknown>): Promise<string> =>
    promise.then(
      () => "no error",
      (error: StorageError) => error.kind,
    );

  test.each([0, 1, chunk - 1, chunk, chunk + 1, 3 * chunk + 17])("uploads and downloads %i bytes", async (length) => {
    const name = `b${length}`;
    const { entry, changed } = await cairn.upload({ bytes: bytesOf(length, 5) }, { name });
    expect([entry.size, entry.path, changed]).toEqual([length, `/${name}`, true]);
    expect(await download(`/${name}`)).toEqual(bytesOf(length, 5));
  });

  test("uploads a file of this machine with its time, and does not send again what is known", async () => {
    const path = join(cluster.folder, "local.bin");
    await writeFile(path, bytesOf(5 * chunk, 6));
    const source = await fileSource(path);
    await cairn.upload(source, { name: "local.bin", modifiedAt: 1_700_000_000_000 });
    expect((await cairn.stat("/local.bin")).modifiedAt).toBe(1_700_000_000_000);
    const again = await cairn.upload(source, { name: "twin.bin" });
    expect(again.bytesKnown).toBe(5 * chunk);
    expect(await download("/twin.bin", { offset: chunk - 5, length: 10 })).toEqual(
      bytesOf(5 * chunk, 6).slice(chunk - 5, chunk + 5),
    );
    expect(await kindOf(fileSource(join(cluster.folder, "nowhere")))).toBe("not-found");
  });

  test("finds entries by path, by id and by the beginning of an id", async () => {
    const { entry } = await cairn.upload({ bytes: bytesOf(3) }, { name: "found" });
    expect((await cairn.stat("/found")).id).toBe(entry.id);
    expect((await cairn.stat(entry.id)).path).toBe("/found");
    expect((await cairn.stat(entry.id.slice(0, -2))).path).toMatch(/^\//);
    expect(await download(entry.id)).toEqual(bytesOf(3));
    expect(await kindOf(cairn.stat("/nowhere"))).toBe("not-found");
    expect(await kindOf(cairn.download("/nowhere"))).toBe("not-found");
    expect(await kindOf(cairn.stat("nonsense"))).toBe("invalid");
  });

  test("makes, lists, moves and renames folders and files", async () => {
    await cairn.createFolder("/x/y", { parents: true });
    expect(await kindOf(cairn.createFolder("/x/y"))).toBe("conflict");
    for (const name of ["b", "a", "c"]) await cairn.upload({ bytes: bytesOf(9) }, { folder: "/x/y", name });
    const page = await cairn.list("/x/y", { pageSize: 2 });
    expect([page.items.map(({ name }) => name), page.totalCount]).toEqual([["a", "b"], 3]);
    const rest = await cairn.list("/x/y", { pageSize: 2, cursor: page.cursor });
    expect([rest.items.map(({ name }) => name), rest.cursor]).toEqual([["c"], undefined]);
    expect((await all(cairn.listAll("/x/y", { pageSize: 1 }))).map(({ name }) => name)).toEqual(["a", "b", "c"]);
    expect((await cairn.move("/x/y/a", "/x")).path).toBe("/x/a");
    expect((await cairn.rename("/x/a", "z")).path).toBe("/x/z");
    expect(await kindOf(cairn.rename("/x/y/b", "c"))).toBe("conflict");
    expect(await kindOf(cairn.upload({ bytes: bytesOf(1) }, { folder: "/x/nowhere", name: "a" }))).toBe("not-found");
  });

  test("treats a name that is taken as it was told", async () => {
    const upload = (seed: number, onConflict?: "fail" | "rename" | "version" | "replace") =>
      cairn.upload({ bytes: bytesOf(50, seed) }, { name: "taken", ...(onConflict ? { onConflict } : {}) });
    const first = await upload(1);
    expect(await kindOf(upload(2))).toBe("conflict");
    const second = await upload(2, "version");
    expect(second.entry.id).toBe(first.entry.id);
    expect((await upload(2, "version")).changed).toBe(false);
    expect((await upload(3, "rename")).entry.name).not.toBe("taken");
    const { items } = await cairn.listVersions("/taken");
    expect(items.map(({ current }) => current)).toEqual([true, false]);
    expect(await download("/taken", { version: items[1]?.version })).toEqual(bytesOf(50, 1));
    expect(await download("/taken")).toEqual(bytesOf(50, 2));
  });

  test("deletes to the trash, restores, and removes for good", async () => {
    const { entry } = await cairn.upload({ bytes: bytesOf(9) }, { name: "gone" });
    expect((await cairn.delete("/gone")).trashedAt).toBeGreaterThan(0);
    expect(await kindOf(cairn.stat("/gone"))).toBe("not-found");
    expect((await cairn.listTrash()).items.map(({ id }: Entry) => id)).toContain(entry.id);
    expect((await cairn.restore(entry.id)).path).toBe("/gone");
    expect(await download("/gone")).toEqual(bytesOf(9));
    await cairn.delete("/gone");
    expect(await cairn.emptyTrash()).toBeGreaterThanOrEqual(1);
    expect((await cairn.listTrash()).items).toEqual([]);
    await cairn.upload({ bytes: bytesOf(9) }, { name: "gone" });
    await cairn.delete("/gone", { permanent: true });
    expect(await kindOf(cairn.stat("/gone"))).toBe("not-found");
  });

  test("uploads a file of many parts from a stream and maps its chunks", async () => {
    const bytes = bytesOf(130 * chunk + 1, 8);
    const { entry } = await cairn.upload(
      { stream: streamOf(bytes.subarray(0, 999), bytes.subarray(999)) },
      { name: "big" },
    );
    expect(entry.chunks).toBe(131);
    const placements: ChunkPlacement[] = await all(cairn.map("/big"));
    expect(placements.map(({ index }) => index)).toEqual([...Array(131).keys()]);
    expect(placements.every(({ copies }) => new Set(copies.map(({ node }) => node)).size === 2)).toBe(true);
    expect(Buffer.compare(await download("/big"), bytes)).toBe(0);
  });

  test("verifies every copy of every chunk", async () => {
    await cairn.upload({ bytes: bytesOf(5 * chunk, 9) }, { name: "checked" });
    const report = await cairn.verify("/checked");
    expect(report).toMatchObject({ chunks: 5, copies: { ok: 10, corrupt: 0 }, chunksWithoutCopy: 0, damaged: [] });
    expect(await kindOf(cairn.verify("/"))).toBe("invalid");
  });

  test("tells the state of the cluster and who may use it", async () => {
    const status = await cairn.status();
    expect(status.nodes.map(({ node }) => node).sort()).toEqual(["node-1", "node-2", "node-3"]);
    expect(status.startedAt).toBeGreaterThan(1_600_000_000_000);
    expect((await cairn.nodes()).length).toBe(3);
    expect((await cairn.drives()).map(({ name }) => name)).toEqual(["main"]);
    expect((await cairn.version()).version).toBe("0.0.0-test");
    const { token, secret } = await cairn.createToken({ name: "reader", scopes: ["read"] });
    await using reader = new CairnClient({ url: cluster.url, token: secret });
    expect((await reader.stat("/")).kind).toBe("folder");
    expect(await kindOf(reader.createFolder("/no"))).toBe("forbidden");
    expect((await cairn.listTokens()).map(({ name }) => name)).toContain("reader");
    await cairn.revokeToken(token.token);
    expect(await kindOf(reader.stat("/"))).toBe("unauthenticated");
    expect((await cairn.createJoinToken({ expiresInMs: 60_000 })).expiresAt).toBeGreaterThan(0);
  });

  test("does many small files at once", async () => {
    const names = Array.from({ length: 100 }, (_, index) => `s${index}`);
    await cairn.createFolder("/small");
    await Promise.all(
      names.map((name, seed) => cairn.upload({ bytes: bytesOf(4096, seed + 100) }, { folder: "/small", name })),
    );
    const read = await Promise.all(names.map((name) => download(`/small/${name}`)));
    expect(read.every((bytes, seed) => Buffer.compare(bytes, bytesOf(4096, seed + 100)) === 0)).toBe(true);
  });

  test("stops an upload when it is told to", async () => {
    const controller = new AbortController();
    const uploading = cairn.upload(
      { bytes: bytesOf(60 * chunk, 33) },
      { name: "stopped" },
      { signal: controller.signal, onProgress: () => controller.abort() },
    );
    expect(await kindOf(uploading)).toBe("cancelled");
    expect(await kindOf(cairn.stat("/stopped"))).toBe("not-found");
  });
});

describe("when parts of the cluster are away", () => {
  test("reads and writes go on without one of three nodes", async () => {
    await using cluster = await TestCluster.start();
    await using cairn = cluster.client();
    const bytes = bytesOf(20 * chunk, 3);
    await cairn.upload({ bytes }, { name: "before" });
    await cluster.stopNode(2);
    expect(Buffer.compare(await collect((await cairn.download("/before")).bytes), bytes)).toBe(0);
    await cairn.upload({ bytes: bytesOf(20 * chunk, 4) }, { name: "during" });
    const placements = await all(cairn.map("/during"));
    expect(placements.flatMap(({ copies }) => copies.map(({ node }) => node))).not.toContain("node-2");
    await cluster.stopNode(3);
    const error = await cairn.upload({ bytes: bytesOf(10, 5) }, { name: "no" }).catch((thrown: StorageError) => thrown);
    expect(error).toMatchObject({ kind: "unavailable" });
    await cluster.startNode(2);
    await cluster.startNode(3);
    expect(Buffer.compare(await collect((await cairn.download("/before")).bytes), bytes)).toBe(0);
  });

  test("a client that cannot reach the nodes goes through the gateway", async () => {
    await using cluster = await TestCluster.start();
    const env: ClientEnv = {
      ...cluster.env,
      network: {
        serve: () => Promise.reject(refused("nobody")),
        request: (request) =>
          request.url.startsWith(cluster.url) ? cluster.env.network.request(request) : Promise.reject(refused("nodes")),
      },
    };
    await using cairn = new CairnClient({ url: cluster.url, token: cluster.token, env });
    const bytes = bytesOf(3 * chunk + 9, 21);
    await cairn.upload({ bytes }, { name: "far" });
    expect(await collect((await cairn.download("/far")).bytes)).toEqual(bytes);
    expect(await collect((await cairn.download("/far", { offset: 70_000, length: 9 })).bytes)).toEqual(
      bytes.slice(70_000, 70_009),
    );
  });

  test("a server that is not there is told with a hint", async () => {
    await using cairn = new CairnClient({ url: "http://127.0.0.1:1", token: "none" });
    const error = await cairn.upload({ bytes: bytesOf(1) }, { name: "a" }).catch((thrown: StorageError) => thrown);
    expect(error).toMatchObject({ kind: "unavailable", hint: expect.stringContaining("cairn start") });
  });
});
