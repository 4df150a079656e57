import type { IncomingReply, Network, OutgoingRequest } from "@cairn/env";
import {
  type ChunkId,
  type CopyOrder,
  concatBytes,
  type DiskId,
  type Generation,
  type GroupId,
  type NodeId,
  StorageError,
  utf8,
} from "@cairn/protocol";
import { SeededRandom, VirtualClock } from "@cairn/simulator";
import { describe, expect, test } from "vitest";
import { nodeCommandsAt, type RemoteNodeCommands } from "./remote-node-commands.ts";

const id = "a".repeat(64) as ChunkId;
const chunk = { id, generation: 5 as Generation, length: 10 };
const order: CopyOrder = {
  group: 3 as GroupId,
  epoch: 4,
  disk: 1 as DiskId,
  readToken: "r",
  sources: [{ node: "node-2" as NodeId, disk: 2 as DiskId, url: "http://b" }],
  chunks: [chunk, chunk],
};

/** Commands to a node that answers as it is told, and what it was asked. */
function answering(answer: (request: OutgoingRequest, call: number) => Partial<IncomingReply>): {
  commands: RemoteNodeCommands;
  asked: OutgoingRequest[];
  clock: VirtualClock;
} {
  const asked: OutgoingRequest[] = [];
  const network = {
    request: async (request: OutgoingRequest) => {
      asked.push(request);
      return { status: 200, headers: {}, body: new Uint8Array(0), ...answer(request, asked.length) };
    },
  } as unknown as Network;
  const clock = new VirtualClock();
  const commands = nodeCommandsAt({ network, clock, random: new SeededRandom(1) })("http://n");
  return { commands: commands as RemoteNodeCommands, asked, clock };
}

const json = (value: unknown, status = 200): Partial<IncomingReply> => ({ status, body: utf8(JSON.stringify(value)) });
const kindOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "no error",
    (error) => (error instanceof StorageError ? error.kind : `escaped: ${error}`),
  );

test("an order for copies says what is wanted and nothing else, and each chunk has its outcome", async () => {
  const badSources = [{ disk: 2, what: "missing" }];
  const { commands, asked } = answering(() =>
    json({ outcomes: [{ copy: { fetchedBytes: 10, badSources } }, { error: { kind: "not-found" } }] }),
  );
  const secret = { ...order, sources: order.sources.map((source) => ({ ...source, credential: "x" })) };
  const outcomes = await commands.copyIn(secret, "command");
  expect(outcomes[0]).toEqual({ ok: true, value: { fetchedBytes: 10, badSources } });
  expect(outcomes[1]?.ok ? "" : outcomes[1]?.error.kind).toBe("not-found");
  expect(asked[0]).toMatchObject({ method: "POST", url: "http://n/copies" });
  expect(asked[0]?.headers?.["authorization"]).toBe("Bearer command");
  expect(JSON.parse(new TextDecoder().decode(concatBytes(asked[0]?.body ?? [])))).toEqual(order);
  // Longer than any command token lives: the node ends an order before its leader gives it up.
  expect(asked[0]?.timeoutMs).toBeGreaterThan(60_000);
});

test("the paths of all commands are those of the chunk API", async () => {
  const { commands, asked } = answering(({ url }) =>
    json(url.endsWith("digests") ? { groups: [] } : url.includes("inventory") ? { chunks: [] } : {}),
  );
  await commands.dropGroup(3 as GroupId, 7 as DiskId, "c");
  await commands.startScrub("c");
  await commands.startCompaction("c");
  await commands.identity("c");
  await commands.digests("c");
  await commands.inventory(3 as GroupId, "a b", "c");
  expect(asked.map(({ method, url }) => `${method} ${url.slice(8)}`)).toEqual([
    "DELETE /groups/3/disks/7",
    "POST /scrub",
    "POST /compaction",
    "GET /identity",
    "GET /digests",
    "GET /groups/3/inventory?cursor=a%20b",
  ]);
});

describe("repeating", () => {
  const busy = json({ error: { kind: "overloaded" } }, 503);
  const eventually = async <Result>(clock: VirtualClock, work: Promise<Result>): Promise<Result> => {
    work.catch(() => undefined);
    await clock.advance(10_000);
    return work;
  };

  test("a node that is busy or out of reach is asked three times", async () => {
    const once = answering((_, call) => (call < 3 ? busy : {}));
    await eventually(once.clock, once.commands.startScrub("c"));
    expect(once.asked).toHaveLength(3);
    const never = answering(() => {
      throw new StorageError("unavailable", "request", "n", { details: { code: "ECONNREFUSED" } });
    });
    expect(await kindOf(eventually(never.clock, never.commands.dropGroup(3 as GroupId, 1 as DiskId, "c")))).toBe(
      "unavailable",
    );
    expect(never.asked).toHaveLength(3);
  });

  test("a refusal is not repeated, and neither is an order for copies", async () => {
    const refusing = answering(() => json({ error: { kind: "stale" } }, 409));
    expect(await kindOf(eventually(refusing.clock, refusing.commands.startScrub("c")))).toBe("stale");
    expect(refusing.asked).toHaveLength(1);
    const full = answering(() => busy);
    expect(await kindOf(eventually(full.clock, full.commands.copyIn(order, "c")))).toBe("overloaded");
    expect(full.asked).toHaveLength(1);
  });

  test("who stops waiting is not held up by a pause", async () => {
    const { commands, clock } = answering(() => busy);
    const stop = new AbortController();
    const asking = kindOf(commands.startScrub("c", stop.signal));
    await clock.advance(0);
    stop.abort();
    await clock.advance(0);
    expect(await asking).toBe("cancelled");
  });
});

test("answers that make no sense are errors, and nothing of them is believed", async () => {
  const record = { id, generation: 5, length: 10 };
  for (const chunks of [
    undefined,
    {},
    [null],
    [{}],
    [{ ...record, id: "A".repeat(64) }],
    [{ ...record, generation: 0.5 }],
    [{ ...record, length: 0 }],
    [{ ...record, length: "10" }],
  ]) {
    const { commands } = answering(() => json({ chunks }));
    expect([chunks, await kindOf(commands.inventory(3 as GroupId, undefined, "c"))]).toEqual([chunks, "internal"]);
  }
  const odd = answering(() => json({ chunks: [record], cursor: 5 }));
  expect(await kindOf(odd.commands.inventory(3 as GroupId, undefined, "c"))).toBe("internal");
  const good = answering(() => json({ chunks: [record] }));
  expect(await good.commands.inventory(3 as GroupId, undefined, "c")).toEqual({ chunks: [record], cursor: undefined });
  for (const body of [null, 5, "x"]) {
    const { commands } = answering(() => json(body));
    expect(await kindOf(commands.digests("c"))).toBe("internal");
    expect(await kindOf(commands.identity("c"))).toBe("internal");
  }
  for (const copy of [
    undefined,
    null,
    {},
    { fetchedBytes: -1, badSources: [] },
    { fetchedBytes: 5 },
    { fetchedBytes: 5, badSources: [{}] },
    { fetchedBytes: 5, badSources: [{ disk: 0, what: "corrupt" }] },
    { fetchedBytes: 5, badSources: [{ disk: 1, what: "stolen" }] },
    { fetchedBytes: 5, badSources: Array(9).fill({ disk: 1, what: "corrupt" }) },
  ]) {
    const { commands } = answering(() => json({ outcomes: [{ copy }, { copy: { fetchedBytes: 0, badSources: [] } }] }));
    const outcomes = await commands.copyIn(order, "c");
    expect([copy, outcomes.map(({ ok }) => ok)]).toEqual([copy, [false, true]]);
  }
});
