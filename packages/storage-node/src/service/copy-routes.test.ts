import {
  type ChunkId,
  type CopyOrder,
  type DiskId,
  type Generation,
  type GroupId,
  limits,
  type NodeId,
  unwrap,
  utf8,
} from "@cairn/protocol";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  commandToken,
  group,
  kindOf,
  NodeFixture,
  nodeName,
  readToken,
  writeOf,
  writeToken,
} from "./testing/node-fixture.ts";

/** Two nodes of one cluster: chunks are written to the first, copies are made on the second. */
let from: NodeFixture;
let to: NodeFixture;

beforeEach(async () => {
  from = await NodeFixture.start();
  to = await NodeFixture.start();
});
afterEach(async () => {
  await from[Symbol.asyncDispose]();
  await to[Symbol.asyncDispose]();
});

async function written(count: number): Promise<Awaited<ReturnType<typeof writeOf>>[]> {
  const writes = await Promise.all(Array.from({ length: count }, (_, index) => writeOf(index + 1)));
  for (const outcome of await from.service.putMany(writes)) unwrap(outcome);
  return writes;
}

function orderOf(
  writes: readonly { id: ChunkId; generation: Generation; bytes: Uint8Array }[],
  changes: Partial<CopyOrder> = {},
): CopyOrder {
  return {
    ...{ group, epoch: 2, disk: 1 as DiskId, readToken: readToken() },
    sources: [{ node: "node-9" as NodeId, disk: 9 as DiskId, url: from.node.url }],
    chunks: writes.map(({ id, generation, bytes }) => ({ id, generation, length: bytes.length })),
    ...changes,
  };
}

test("copies of a group come over, are durable, and the members' digests are equal", async () => {
  const writes = await written(20);
  const results = (await to.commands.copyIn(orderOf(writes), commandToken())).map(unwrap);
  expect(results.every(({ fetchedBytes }) => fetchedBytes === 300)).toBe(true);
  await to.restart();
  const [one, other] = await Promise.all([from, to].map((it) => it.commands.digests(commandToken())));
  expect(other?.map(({ digest, records, bytes }) => [digest, records, bytes])).toEqual(
    one?.map(({ digest, records, bytes }) => [digest, records, bytes]),
  );
  const again = (await to.commands.copyIn(orderOf(writes), commandToken())).map(unwrap);
  expect(again.every(({ fetchedBytes }) => fetchedBytes === 0)).toBe(true);
});

test("a sealed group takes copies, and no writes", async () => {
  const writes = await written(3);
  const command = commandToken();
  await to.commands.copyIn(orderOf(writes.slice(0, 1)), command);
  to.membership.onHeartbeat = async () => ({ seal: [group] });
  await expect.poll(async () => (await to.commands.digests(command))[0]?.sealed).toBe(true);
  for (const outcome of await to.commands.copyIn(orderOf(writes), command)) unwrap(outcome);
  expect((await to.commands.digests(command))[0]?.records).toBe(3);
  expect(await kindOf(to.service.put(await writeOf(9, { token: writeToken({ epoch: 2 }) })))).toBe("unavailable");
});

test("the order's epoch counts from then on: older writes and older orders are refused", async () => {
  const writes = await written(2);
  unwrap((await to.commands.copyIn(orderOf(writes.slice(0, 1), { epoch: 5 }), commandToken()))[0] as never);
  expect(await kindOf(to.service.put(await writeOf(7, { token: writeToken({ epoch: 4 }) })))).toBe("stale");
  const [outcome] = await to.commands.copyIn(orderOf(writes.slice(1), { epoch: 4 }), commandToken());
  expect(outcome?.ok ? "ok" : outcome?.error.kind).toBe("stale");
  await to.restart();
  expect(await kindOf(to.service.put(await writeOf(7, { token: writeToken({ epoch: 4 }) })))).toBe("stale");
});

test("what was deleted here does not come back by a late order", async () => {
  const writes = await written(1);
  const [{ id, generation }] = writes as [(typeof writes)[number]];
  await to.commands.copyIn(orderOf(writes), commandToken());
  await to.commands.deleteExact([{ group, id, generation }], commandToken());
  const [outcome] = await to.commands.copyIn(orderOf(writes), commandToken());
  expect(outcome?.ok ? "ok" : outcome?.error.kind).toBe("stale");
  expect(await kindOf(to.service.get({ id, group, token: readToken() }))).toBe("not-found");
});

test("a dropped group is gone, comes back by an order only, and the server is told at once what is left", async () => {
  const writes = await written(3);
  await to.commands.copyIn(orderOf(writes), commandToken());
  const before = to.membership.heartbeats.length;
  await to.commands.dropGroup(group, 1 as DiskId, commandToken());
  expect(await to.commands.digests(commandToken())).toEqual([]);
  await expect
    .poll(() => to.membership.heartbeats.slice(before).some(({ everything, groups }) => everything && !groups.length))
    .toBe(true);
  await to.commands.dropGroup(group, 1 as DiskId, commandToken());
  await to.commands.dropGroup(77 as GroupId, 1 as DiskId, commandToken());
  await to.restart();
  expect(await to.commands.digests(commandToken())).toEqual([]);
  for (const outcome of await to.commands.copyIn(orderOf(writes), commandToken())) unwrap(outcome);
  expect((await to.commands.digests(commandToken()))[0]?.records).toBe(3);
});

test("a scrub and a compaction begin when they are ordered", async () => {
  await written(3);
  from.membership.onHeartbeat = async () => ({
    settings: {
      ...{ scrubBytesPerSecond: 1e9, compactionBytesPerSecond: 1e9, repairBytesPerSecond: 1e9 },
      ...{ scrubEveryMs: 3600_000, trashMs: 0 },
    },
  });
  const finished = (): number => from.membership.heartbeats.at(-1)?.scrub?.[0]?.passFinishedAt ?? 0;
  await expect.poll(finished).toBeGreaterThan(0);
  const first = finished();
  await from.commands.startScrub(commandToken());
  await expect.poll(finished).toBeGreaterThan(first);
  const told = from.membership.heartbeats.flatMap(({ verified = [] }) => verified);
  expect(told).toContainEqual(expect.objectContaining({ group, disk: 1 }));
  await from.commands.startCompaction(commandToken());
});

describe("A30–A32: attacks on commands", () => {
  const post = async (path: string, body: Uint8Array, token = commandToken()): Promise<number> => {
    const headers = { authorization: `Bearer ${token}` };
    const request = { method: "POST", url: to.node.url + path, headers, body: [body] } as const;
    return (await to.env.network.request({ ...request, timeoutMs: 10_000, replyBytesMax: 1e7 })).status;
  };
  const drop = async (path: string): Promise<number> => {
    const headers = { authorization: `Bearer ${commandToken()}` };
    const request = { method: "DELETE", url: to.node.url + path, headers } as const;
    return (await to.env.network.request({ ...request, timeoutMs: 10_000, replyBytesMax: 1e7 })).status;
  };

  test("an order of an overtaken leader, for another node or another node's disk, does nothing", async () => {
    const writes = await written(1);
    const copy = (command: string, changes = {}): Promise<string> =>
      kindOf(to.commands.copyIn(orderOf(writes, changes), command));
    await to.commands.digests(commandToken({ leaderEpoch: 5 }));
    const old = commandToken({ leaderEpoch: 4 });
    expect(await copy(old)).toBe("stale");
    expect(await kindOf(to.commands.dropGroup(group, 1 as DiskId, old))).toBe("stale");
    expect(await kindOf(to.commands.startScrub(old))).toBe("stale");
    expect(await kindOf(to.commands.startCompaction(old))).toBe("stale");
    const foreign = commandToken({ leaderEpoch: 5, node: "node-2" as NodeId });
    expect(await copy(foreign)).toBe("forbidden");
    expect(await kindOf(to.commands.dropGroup(group, 1 as DiskId, foreign))).toBe("forbidden");
    const good = commandToken({ leaderEpoch: 5 });
    expect(await copy(good, { disk: 2 })).toBe("forbidden");
    expect(await kindOf(to.commands.dropGroup(group, 2 as DiskId, good))).toBe("forbidden");
    expect(await to.commands.digests(good)).toEqual([]);
    expect(nodeName).toBe("node-1");
  });

  test("an order is spelled in one way only", async () => {
    const good = orderOf([await writeOf(1)]);
    const [source] = good.sources;
    const [chunk] = good.chunks;
    for (const bad of [
      "",
      "{",
      "null",
      "[]",
      "5",
      {},
      { ...good, group: "3" },
      { ...good, group: 0 },
      { ...good, epoch: -1 },
      { ...good, epoch: 0.5 },
      { ...good, disk: null },
      { ...good, disk: 2 ** 53 },
      { ...good, readToken: 5 },
      { ...good, readToken: "x".repeat(513) },
      { ...good, sources: {} },
      { ...good, sources: [null] },
      { ...good, sources: [{ ...source, disk: "9" }] },
      { ...good, sources: [{ ...source, node: "../x" }] },
      ...[
        "file:///etc/passwd",
        "http://",
        "//x",
        "http://a b",
        "http://u:p@h/",
        "http://h/?q",
        "http://h/#f",
        `http://${"h".repeat(300)}`,
      ].map((url) => ({ ...good, sources: [{ ...source, url }] })),
      { ...good, chunks: "x" },
      { ...good, chunks: [[]] },
      { ...good, chunks: [{ ...chunk, id: "A".repeat(64) }] },
      { ...good, chunks: [{ ...chunk, generation: 0 }] },
      { ...good, chunks: [{ ...chunk, length: 0 }] },
      { ...good, chunks: [{ ...chunk, length: limits.chunkBytesMax + 1 }] },
    ]) {
      const body = utf8(typeof bad === "string" ? bad : JSON.stringify(bad));
      expect([bad, await post("/copies", body)]).toEqual([bad, 400]);
    }
    expect(await post("/copies", utf8(`[${"[".repeat(20_000)}`))).toBe(400);
    const many = (count: number, length: number): unknown => ({
      ...good,
      chunks: Array.from({ length: count }, () => ({ ...chunk, length })),
    });
    expect(await post("/copies", utf8(JSON.stringify(many(limits.copyChunksMax + 1, 1))))).toBe(413);
    expect(await post("/copies", utf8(JSON.stringify(many(9, limits.chunkBytesMax))))).toBe(413);
    expect(await post("/copies", utf8(JSON.stringify({ ...good, sources: Array(9).fill(source) })))).toBe(413);
    expect(await post("/copies", new Uint8Array(40_000))).toBe(413);
    expect(await post("/copies", utf8(JSON.stringify(many(limits.copyChunksMax, 1))))).toBe(200);
  });

  test("paths of groups and disks are spelled in one way only", async () => {
    for (const path of [
      "/groups/0/disks/1",
      "/groups/3/disks/01",
      "/groups/3/disks/x",
      "/groups/-3/disks/1",
      "/groups/3/disks/1?x=1",
    ]) {
      expect([path, await drop(path)]).toEqual([path, 400]);
    }
    for (const path of ["/groups/3", "/groups/3/disks", "/groups/3/disks/1/", "/disks/1"]) {
      expect([path, await drop(path)]).toEqual([path, 404]);
    }
  });

  test("nothing but an order with a command token makes a node connect anywhere", async () => {
    let asked = 0;
    const canary = await to.env.network.serve(
      async () => {
        asked++;
        return { status: 404 };
      },
      { host: "127.0.0.1", port: 0, requestsMax: 8 },
    );
    const url = `http://127.0.0.1:${canary.port}`;
    const [write] = await written(1);
    const order = orderOf([write as never], { sources: [{ node: "node-9" as NodeId, disk: 9 as DiskId, url }] });
    const body = utf8(JSON.stringify(order));
    for (const token of ["nonsense", readToken(), writeToken(), commandToken({ node: "node-2" as NodeId })]) {
      expect(await post("/copies", body, token)).toBeGreaterThanOrEqual(401);
    }
    expect(asked).toBe(0);
    expect(await post("/copies", body)).toBe(200);
    expect(asked).toBeGreaterThan(0);
    await canary[Symbol.asyncDispose]();
  });
});
