import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NodeDisk, nodeEnv } from "@cairn/env-node";
import {
  type ChunkId,
  chunkIdFromHash,
  type DiskId,
  type GroupId,
  generationOf,
  type LeaseId,
  type MembershipService,
  type NodeCommandService,
  type NodeId,
  receiptIsGenuine,
  type StorageError,
  signToken,
  toBase64Url,
  unwrap,
} from "@cairn/protocol";
import { chunkServicesAt, nodeCommandsAt, RemoteChunkService } from "@cairn/remote";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type StorageNode, startStorageNode } from "./storage-node.ts";

const cluster = "ab".repeat(16);
const tokenKey = new Uint8Array(32).fill(1);
const receiptKey = new Uint8Array(32).fill(2);
const lease = 7 as LeaseId;
const group = 3 as GroupId;
const disk = 1 as DiskId;

describe("a storage node over HTTP", () => {
  const env = nodeEnv({ name: "test", level: "silent" });
  let folder: string;
  let node: StorageNode;
  let service: RemoteChunkService;
  let commands: NodeCommandService;

  const mac = (message: Uint8Array): Uint8Array => env.hasher.hmac(tokenKey, message);
  const writeToken = (changes: object = {}): string =>
    signToken(
      cluster,
      {
        kind: "write",
        group,
        epoch: 1,
        lease,
        chunkBytesMax: 1 << 20,
        disks: [disk],
        expiresAt: Date.now() + 60_000,
        ...changes,
      },
      mac,
    );
  const readToken = (of: GroupId = group): string =>
    signToken(cluster, { kind: "read", group: of, expiresAt: Date.now() + 60_000 }, mac);
  const commandToken = (leaderEpoch = 1, incarnation = 1): string =>
    signToken(
      cluster,
      { kind: "command", node: node.node, incarnation, leaderEpoch, expiresAt: Date.now() + 60_000 },
      mac,
    );
  const idOf = async (bytes: Uint8Array): Promise<ChunkId> => chunkIdFromHash(await env.hasher.sha256(bytes));
  const kindOf = (promise: Promise<unknown>): Promise<string> =>
    promise.then(
      () => "no error",
      (error: StorageError) => error.kind,
    );

  const membership: MembershipService = {
    register: async (request) => ({
      cluster,
      node: "node-1" as NodeId,
      credential: "secret",
      tokenKey: toBase64Url(tokenKey),
      receiptKey: toBase64Url(receiptKey),
      disks: request.disks.map(({ uuid }) => ({ uuid, disk })),
      incarnation: 1,
      heartbeatMs: 50,
    }),
    heartbeat: async () => ({ incarnation: 1, seal: [] }),
  };
  const start = async (): Promise<void> => {
    node = await startStorageNode({
      env,
      membership,
      home: new NodeDisk(join(folder, "home")),
      disks: [new NodeDisk(join(folder, "disk"))],
      chunksAt: chunkServicesAt(env),
      listen: { host: "127.0.0.1", port: 0 },
      joinToken: "join",
      version: "test",
    });
    service = new RemoteChunkService({ network: env.network, hasher: env.hasher, base: node.url });
    commands = nodeCommandsAt(env)(node.url);
  };

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "cairn-node-"));
    await new NodeDisk(folder).makeFolder("home");
    await new NodeDisk(folder).makeFolder("disk");
    await start();
  });

  afterEach(async () => {
    await node[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  test("keeps a chunk, proves it, and gives it back, also after a restart", async () => {
    const bytes = env.random.bytes(300_000);
    const id = await idOf(bytes);
    const write = { id, generation: generationOf(lease, 1), bytes, token: writeToken() };
    const receipt = await service.put(write);
    const claims = { id, generation: write.generation, group, epoch: 1, length: bytes.length, disk };
    expect(receiptIsGenuine(claims, receipt, (message) => env.hasher.hmac(receiptKey, message))).toBe(true);
    expect(await service.put(write)).toEqual(receipt);

    await node[Symbol.asyncDispose]();
    await start();
    expect(Buffer.from(await service.get({ id, group, token: readToken() })).equals(bytes)).toBe(true);
    const part = await service.get({ id, group, token: readToken(), range: { offset: 70_000, length: 1234 } });
    expect(Buffer.from(part).equals(bytes.subarray(70_000, 71_234))).toBe(true);
    expect((await service.stat({ id, group, token: readToken() })).length).toBe(300_000);
  });

  test("takes many small chunks in one request, and one bad chunk does not spoil the rest", async () => {
    const chunks = await Promise.all(
      Array.from({ length: 100 }, async (_, index) => {
        const bytes = env.random.bytes(1000 + index);
        return { id: await idOf(bytes), generation: generationOf(lease, index + 1), bytes, token: writeToken() };
      }),
    );
    const bad = { ...chunks[5]!, bytes: env.random.bytes(1005) };
    const outcomes = await service.putMany(chunks.map((chunk, index) => (index === 5 ? bad : chunk)));
    expect(outcomes.map(({ ok }) => ok)).toEqual(chunks.map((_, index) => index !== 5));
    expect(outcomes[5]!.ok ? "" : outcomes[5]!.error.kind).toBe("invalid");
    const reads = await service.getMany(chunks.map(({ id }) => ({ id, group, token: readToken() })));
    expect(reads.map(({ ok }) => ok)).toEqual(chunks.map((_, index) => index !== 5));
    expect(Buffer.from(unwrap(reads[99]!)).equals(chunks[99]!.bytes)).toBe(true);
  });

  test("refuses tokens that are wrong, old, foreign, or for something else", async () => {
    const bytes = env.random.bytes(100);
    const id = await idOf(bytes);
    const put = (token: string, generation = generationOf(lease, 1)): Promise<string> =>
      kindOf(service.put({ id, generation, bytes, token }));
    expect(await put("nonsense")).toBe("unauthenticated");
    expect(await put(writeToken({ expiresAt: Date.now() - 1 }))).toBe("unauthenticated");
    expect(await put(`${writeToken().slice(0, -3)}AAA`)).toBe("unauthenticated");
    expect(await put(signToken("cd".repeat(16), { kind: "read", group, expiresAt: Date.now() + 60_000 }, mac))).toBe(
      "unauthenticated",
    );
    expect(await put(readToken())).toBe("forbidden");
    expect(await put(writeToken(), generationOf(8 as LeaseId, 1))).toBe("forbidden");
    expect(await put(writeToken({ disks: [9] }))).toBe("forbidden");
    expect(await put(writeToken({ chunkBytesMax: 99 }))).toBe("too-large");
    expect(await put(writeToken({ epoch: 5 }))).toBe("no error");
    expect(await put(writeToken({ epoch: 4 }), generationOf(lease, 2))).toBe("stale");
    expect(await kindOf(service.get({ id, group, token: readToken(4 as GroupId) }))).toBe("forbidden");
    expect(await kindOf(service.get({ id, group, token: writeToken() }))).toBe("forbidden");
  });

  test("deletes exactly the generation it is told, and obeys no leader that was overtaken, also after a restart", async () => {
    const bytes = env.random.bytes(5000);
    const id = await idOf(bytes);
    const [first, second] = [generationOf(lease, 1), generationOf(lease, 2)];
    await service.put({ id, generation: first, bytes, token: writeToken() });
    await service.put({ id, generation: second, bytes, token: writeToken() });
    await commands.deleteExact([{ group, id, generation: first }], commandToken(2));
    expect((await service.stat({ id, group, token: readToken() })).generation).toBe(second);
    expect(await kindOf(commands.deleteExact([{ group, id, generation: second }], commandToken(1)))).toBe("stale");
    await node[Symbol.asyncDispose]();
    await start();
    expect(await kindOf(commands.deleteExact([{ group, id, generation: second }], commandToken(1)))).toBe("stale");
    const page = await commands.inventory(group, undefined, commandToken(2));
    expect(page.chunks).toEqual([{ id, generation: second, length: 5000 }]);
    expect(await kindOf(commands.deleteExact([{ group, id, generation: second }], commandToken(0, 2)))).toBe(
      "no error",
    );
    expect(await kindOf(service.get({ id, group, token: readToken() }))).toBe("not-found");
  });

  test("answers nothing but liveness without a token", async () => {
    const ask = async (method: "GET" | "POST", path: string): Promise<number> =>
      (await env.network.request({ method, url: node.url + path, timeoutMs: 5000, replyBytesMax: 1e6 })).status;
    expect(await ask("GET", "/healthz")).toBe(200);
    for (const path of [
      "/",
      "/identity",
      "/digests",
      "/metrics",
      `/groups/3/chunks/${"a".repeat(64)}`,
      "/groups/3/inventory",
    ]) {
      expect([path, await ask("GET", path)]).toEqual([path, 401]);
    }
    expect(await ask("POST", "/chunks/delete")).toBe(401);
  });
});
