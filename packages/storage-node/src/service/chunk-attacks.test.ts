import {
  batchHeadBytesMax,
  concatBytes,
  type DiskId,
  encodeGetBatch,
  encodePutBatch,
  type GroupId,
  generationOf,
  type LeaseId,
  limits,
  type NodeId,
  toHex,
  utf8,
} from "@cairn/protocol";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  commandToken,
  group,
  kindOf,
  lease,
  NodeFixture,
  nodeName,
  readToken,
  tokenOf,
  writeOf,
  writeToken,
} from "./testing/node-fixture.ts";

type Method = "GET" | "HEAD" | "POST" | "PUT" | "DELETE" | "PATCH";

interface Ask {
  readonly token?: string | undefined;
  readonly body?: Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

const anyId = "a".repeat(64);
let fixture: NodeFixture;

beforeAll(async () => {
  fixture = await NodeFixture.start();
});
afterAll(async () => {
  await fixture[Symbol.asyncDispose]();
});

async function ask(method: Method, path: string, { token, body, headers = {} }: Ask = {}): Promise<number> {
  const { env, node } = fixture;
  const reply = await env.network.request({
    method,
    url: node.url + path,
    headers: { ...headers, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) },
    ...(body ? { body: [body] } : {}),
    timeoutMs: 10_000,
    replyBytesMax: 1e7,
  });
  if (reply.status >= 400 && method !== "HEAD") {
    const { error, requestId } = JSON.parse(new TextDecoder().decode(reply.body)) as Record<string, unknown>;
    expect(error).toHaveProperty("kind");
    expect(requestId).toBe(reply.headers["x-request-id"]);
  }
  return reply.status;
}

/** Every route with a request that would do something. */
async function routes(): Promise<readonly (readonly [Method, string, "write" | "read" | "command", Uint8Array?])[]> {
  const write = await writeOf(1);
  const { id, generation } = write;
  return [
    ["PUT", `/chunks/${id}?generation=${generation}`, "write", write.bytes],
    ["POST", "/chunks", "write", concatBytes(encodePutBatch([write]))],
    ["POST", "/chunks/read", "read", encodeGetBatch([{ id, group, token: readToken() }])],
    ["GET", `/groups/${group}/chunks/${id}`, "read"],
    ["HEAD", `/groups/${group}/chunks/${id}`, "read"],
    ["POST", "/chunks/delete", "command", utf8(JSON.stringify({ chunks: [{ group, id, generation }] }))],
    ["GET", `/groups/${group}/inventory`, "command"],
    ["GET", "/digests", "command"],
    ["GET", "/identity", "command"],
    ["GET", "/metrics", "command"],
  ];
}

const tokens = { write: () => writeToken(), read: () => readToken(), command: () => commandToken() };
const bodied = (body: Uint8Array | undefined): Ask => (body ? { body } : {});

describe("A30: who may do what", () => {
  test("without a token nothing but liveness is answered, not even whether a path exists", async () => {
    expect(await ask("GET", "/healthz")).toBe(200);
    for (const [method, path, , body] of await routes()) {
      expect([method, path, await ask(method, path, bodied(body))]).toEqual([method, path, 401]);
    }
    for (const path of ["/", "/nothing", "/chunks/x", "/healthz/x", "//healthz", "/debug", "/groups/3"]) {
      expect([path, await ask("GET", path)]).toEqual([path, 401]);
    }
  });

  test("each route takes its own kind of token and no other", async () => {
    for (const [method, path, kind, body] of await routes()) {
      for (const [given, make] of Object.entries(tokens)) {
        if (given === kind) continue;
        const status = await ask(method, path, { ...bodied(body), token: make() });
        expect([method, path, given, status]).toEqual([method, path, given, 403]);
      }
      expect([method, path, await ask(method, path, { ...bodied(body), token: tokens[kind]() })]).toEqual([
        method,
        path,
        200,
      ]);
    }
  });

  test("no token that is expired, foreign, cut, or signed with another key opens anything", async () => {
    const expiresAt = Date.now() + 60_000;
    const claims = {
      write: { kind: "write", group, epoch: 1, lease, chunkBytesMax: 1 << 20, disks: [1 as DiskId], expiresAt },
      read: { kind: "read", group, expiresAt },
      command: { kind: "command", node: nodeName, incarnation: 1, leaderEpoch: 1, expiresAt },
    } as const;
    for (const [method, path, kind, body] of await routes()) {
      const good = tokenOf(claims[kind]);
      const bad = {
        expired: tokenOf({ ...claims[kind], expiresAt: Date.now() - 1 }),
        "of another cluster": tokenOf(claims[kind], { of: "cd".repeat(16) }),
        "of another key": tokenOf(claims[kind], { key: new Uint8Array(32).fill(9) }),
        cut: good.slice(0, -1),
        prolonged: good.replace(String(expiresAt), String(expiresAt + 1)),
        long: "x".repeat(5000),
        empty: "",
      };
      for (const [name, token] of Object.entries(bad)) {
        const status = await ask(method, path, { ...bodied(body), token });
        expect([method, path, name, status]).toEqual([method, path, name, 401]);
      }
    }
  });

  test("a token for another group, lease, disk or node is refused and changes nothing", async () => {
    const write = await writeOf(500);
    const { service } = fixture;
    const foreignLease = { ...write, generation: generationOf(8 as LeaseId, 1) };
    expect(await kindOf(service.put(foreignLease))).toBe("forbidden");
    expect(await kindOf(service.put({ ...write, token: writeToken({ disks: [2, 9] }) }))).toBe("forbidden");
    expect(await kindOf(service.put({ ...write, token: writeToken({ chunkBytesMax: 299 }) }))).toBe("too-large");
    expect(await kindOf(service.get({ id: write.id, group, token: readToken(4 as GroupId) }))).toBe("forbidden");
    expect(await kindOf(fixture.commands.digests(commandToken({ node: "node-2" as NodeId })))).toBe("forbidden");
    expect(await kindOf(service.get({ id: write.id, group, token: readToken() }))).toBe("not-found");
  });

  test("a token that ends is refused from then on, though its signature was checked before", async () => {
    const write = await writeOf(501);
    await fixture.service.put(write);
    const token = readToken(group, Date.now() + 150);
    expect(await kindOf(fixture.service.get({ id: write.id, group, token }))).toBe("no error");
    await expect.poll(() => kindOf(fixture.service.get({ id: write.id, group, token }))).toBe("unauthenticated");
  });

  test("an item of a batch with a bad token is refused, and the others are kept", async () => {
    const writes = await Promise.all([510, 511, 512].map((number) => writeOf(number)));
    const mixed = writes.map((write, index) => ({
      ...write,
      token: ["nonsense", writeToken(), writeToken({ disks: [9] })][index] as string,
    }));
    const kinds = (await fixture.service.putMany(mixed)).map((outcome) => (outcome.ok ? "ok" : outcome.error.kind));
    expect(kinds).toEqual(["unauthenticated", "ok", "forbidden"]);
    const reads = writes.map(({ id }, index) => ({ id, group, token: index === 0 ? "nonsense" : readToken() }));
    const read = (await fixture.service.getMany(reads)).map((outcome) => (outcome.ok ? "ok" : outcome.error.kind));
    expect(read).toEqual(["unauthenticated", "ok", "not-found"]);
  });
});

describe("A31: what is malformed", () => {
  test("ids, groups, generations and queries are spelled in one way only", async () => {
    const { bytes, id, generation } = await writeOf(600);
    const put = (path: string): Promise<number> => ask("PUT", path, { token: writeToken(), body: bytes });
    const get = (path: string): Promise<number> => ask("GET", path, { token: readToken() });
    for (const bad of [
      "a".repeat(63),
      "a".repeat(65),
      "A".repeat(64),
      `${"a".repeat(63)}g`,
      "%2f..",
      "a".repeat(5000),
    ]) {
      expect([bad, await put(`/chunks/${bad}?generation=${generation}`)]).toEqual([bad, 400]);
      expect([bad, await get(`/groups/3/chunks/${bad}`)]).toEqual([bad, 400]);
    }
    for (const bad of ["0", "-1", "03", "3.0", "1e0", "0x3", "9".repeat(16), "9".repeat(30), "abc", "%33"]) {
      expect([bad, await get(`/groups/${bad}/chunks/${id}`)]).toEqual([bad, 400]);
      expect([bad, await put(`/chunks/${id}?generation=${bad}`)]).toEqual([bad, 400]);
      expect([bad, await ask("GET", `/groups/${bad}/inventory`, { token: commandToken() })]).toEqual([bad, 400]);
    }
    for (const query of ["", "?", "?generation", "?generation=", "?Generation=1", `?generation=${generation}&a=1`]) {
      expect([query, await put(`/chunks/${id}${query}`)]).toEqual([query, 400]);
    }
    expect(await put(`/chunks/${id}?generation=${generation}&generation=${generation}`)).toBe(400);
    expect(await ask("GET", `/groups/3/inventory?cursor=..%2f`, { token: commandToken() })).toBe(400);
    expect(await ask("GET", `/groups/3/inventory?cursor=zzz`, { token: commandToken() })).toBe(400);
    expect(await get(`/groups/3/chunks/${id}`)).toBe(404);
  });

  test("paths that climb or hide reach nothing", async () => {
    for (const path of [
      "/chunks/../identity",
      "/chunks/%2e%2e/identity",
      "/groups/3/chunks/..%2f..",
      "/chunks//",
      "/chunks/a/b",
    ]) {
      expect([400, 403, 404]).toContain(await ask("GET", path, { token: readToken() }));
    }
    for (const method of ["DELETE", "PATCH"] as const) {
      expect(await ask(method, `/chunks/${anyId}`, { token: commandToken() })).toBe(404);
    }
  });

  test("ranges outside of the chunk answer 416, whatever their spelling", async () => {
    const write = await writeOf(610, { length: 70_000 });
    await fixture.service.put(write);
    const get = (range: string): Promise<number> =>
      ask("GET", `/groups/3/chunks/${write.id}`, { token: readToken(), headers: { range } });
    for (const range of [
      "bytes=0-70000",
      "bytes=70000-70000",
      "bytes=69999-9999999999",
      "bytes=5-4",
      "bytes=-5",
      "bytes=5-",
      "bytes=0-1,3-4",
      "bytes=0-99999999999999999999",
      "bytes=a-b",
      "bytes=1.0-2",
      "octets=0-1",
      " ",
    ]) {
      expect([range, await get(range)]).toEqual([range, 416]);
    }
    expect(await get("bytes=0-69999")).toBe(200);
    expect(await get("bytes=65535-65536")).toBe(200);
  });

  test("bytes that are not the chunk are refused and leave nothing behind", async () => {
    const { id, generation, bytes, token } = await writeOf(620);
    const put = (body: Uint8Array): Promise<number> =>
      ask("PUT", `/chunks/${id}?generation=${generation}`, { token, body });
    expect(await put(bytes.with(5, (bytes[5] as number) ^ 1))).toBe(422);
    expect(await put(bytes.subarray(0, 299))).toBe(422);
    expect(await put(concatBytes([bytes, bytes]))).toBe(422);
    expect(await put(new Uint8Array(0))).toBe(400);
    expect(await ask("GET", `/groups/3/chunks/${id}`, { token: readToken() })).toBe(404);
    expect(await put(bytes)).toBe(200);
  });

  test("bodies over their limits answer 413, and batches that are none 400", async () => {
    const { id, generation } = await writeOf(630);
    const path = `/chunks/${id}?generation=${generation}`;
    const token = writeToken({ chunkBytesMax: 1000 });
    expect(await ask("PUT", path, { token, body: new Uint8Array(1001) })).toBe(413);
    expect(
      await ask("PUT", path, {
        token: writeToken({ chunkBytesMax: 2 ** 31 }),
        body: new Uint8Array(limits.chunkBytesMax + 1),
      }),
    ).toBe(413);
    const batchMax = limits.batchBytesMax + batchHeadBytesMax;
    expect(await ask("POST", "/chunks", { token, body: new Uint8Array(batchMax + 1) })).toBe(413);
    expect(await ask("POST", "/chunks/read", { token: readToken(), body: new Uint8Array(batchHeadBytesMax + 1) })).toBe(
      413,
    );
    expect(await ask("POST", "/chunks", { token, body: utf8("nonsense") })).toBe(400);
    expect(await ask("POST", "/chunks/read", { token: readToken(), body: new Uint8Array(12) })).toBe(400);
  });

  test("deletes are named exactly, and only so many at once", async () => {
    const command = commandToken();
    const remove = (body: unknown): Promise<number> =>
      ask("POST", "/chunks/delete", {
        token: command,
        body: utf8(typeof body === "string" ? body : JSON.stringify(body)),
      });
    const good = { group: 3, id: anyId, generation: 5 };
    for (const bad of [
      "",
      "{",
      "null",
      "[]",
      "{}",
      { chunks: {} },
      { chunks: [null] },
      { chunks: [5] },
      { chunks: [{ ...good, group: true }] },
      { chunks: [{ ...good, group: "3" }] },
      { chunks: [{ ...good, generation: 0.5 }] },
      { chunks: [{ ...good, id: "A".repeat(64) }] },
      { chunks: [{ ...good, id: ["a"] }] },
    ]) {
      expect([bad, await remove(bad)]).toEqual([bad, 400]);
    }
    expect(await remove({ chunks: Array.from({ length: 1025 }, () => good) })).toBe(413);
    expect(await remove(`[${"[".repeat(100_000)}`)).toBe(400);
    expect(
      await remove({
        chunks: Array.from({ length: 1024 }, () => ({ ...good, generation: 2 ** 53 - 1, group: 2 ** 52 })),
      }),
    ).toBe(200);
  });
});

describe("A32: where a node would have to fetch something", () => {
  test("there is no request that makes a node connect anywhere", async () => {
    let asked = 0;
    const canary = await fixture.env.network.serve(
      async () => {
        asked++;
        return { status: 200 };
      },
      { host: "127.0.0.1", port: 0, requestsMax: 8 },
    );
    const url = `http://127.0.0.1:${canary.port}/chunk`;
    for (const path of ["/chunks/pull", "/chunks/replicate", "/replicate", "/groups/3/pull", "/chunks/copy"]) {
      const body = utf8(JSON.stringify({ url, source: url, chunks: [{ group: 3, id: anyId, generation: 5, url }] }));
      expect(await ask("POST", path, { token: commandToken(), body })).toBe(404);
    }
    const body = utf8(JSON.stringify({ url, chunks: [{ group: 3, id: anyId, generation: 5, url }] }));
    expect(await ask("POST", "/chunks/delete", { token: commandToken(), body })).toBe(200);
    await canary[Symbol.asyncDispose]();
    expect(asked).toBe(0);
  });
});

test("no answer names a path of the machine, a key or a stack", async () => {
  const { env, node } = fixture;
  const seen: string[] = [];
  for (const [method, path, , body] of await routes()) {
    for (const token of [undefined, "nonsense", readToken(), writeToken(), commandToken()]) {
      const reply = await env.network.request({
        method,
        url: `${node.url}${path}`,
        headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
        ...(body ? { body: [body] } : {}),
        timeoutMs: 5000,
        replyBytesMax: 1e7,
      });
      if (reply.status >= 400) seen.push(new TextDecoder().decode(reply.body));
    }
  }
  const all = seen.join("\n");
  expect(seen.length).toBeGreaterThan(20);
  for (const secret of [
    toHex(new Uint8Array(32).fill(1)),
    "/tmp",
    "node_modules",
    ".ts:",
    "    at ",
    "the node's credential",
  ]) {
    expect(all).not.toContain(secret);
  }
});
