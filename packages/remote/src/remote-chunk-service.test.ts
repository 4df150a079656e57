import type { HttpReply, IncomingReply, Network, OutgoingRequest } from "@cairn/env";
import { NodeHasher } from "@cairn/env-node";
import {
  type ChunkBlocks,
  type ChunkId,
  concatBytes,
  crcBlockBytes,
  encodeBlocks,
  type Generation,
  type GroupId,
  StorageError,
  utf8,
} from "@cairn/protocol";
import { expect, test } from "vitest";
import { RemoteChunkService } from "./remote-chunk-service.ts";

const hasher = new NodeHasher();
const id = "ab".repeat(32) as ChunkId;
const group = 3 as GroupId;
const read = { id, group, token: "r1" };

/** A service whose node answers as told, and the requests that it got. */
function answering(answer: (request: OutgoingRequest) => HttpReply): {
  service: RemoteChunkService;
  asked: OutgoingRequest[];
} {
  const asked: OutgoingRequest[] = [];
  const network: Network = {
    async request(request): Promise<IncomingReply> {
      asked.push(request);
      const { status, headers = {}, body = [] } = answer(request);
      return { status, headers, body: concatBytes(body) };
    },
    serve: () => Promise.reject(new Error("not here")),
  };
  return { service: new RemoteChunkService({ network, hasher, base: "http://node" }), asked };
}

const kindOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "no error",
    (error: unknown) => (error instanceof StorageError ? error.kind : `escaped: ${String(error)}`),
  );
const json = (value: unknown, status = 200): HttpReply => ({ status, body: [utf8(JSON.stringify(value))] });
function blocksOf(length: number, changes: Partial<ChunkBlocks> = {}): ChunkBlocks {
  const bytes = new Uint8Array(length).fill(7);
  const crcs = Uint32Array.from({ length: Math.ceil(length / crcBlockBytes) }, (_, block) =>
    hasher.crc32c(bytes.subarray(block * crcBlockBytes, (block + 1) * crcBlockBytes)),
  );
  return { generation: 5 as Generation, chunkLength: length, offset: 0, crcs, bytes, ...changes };
}
const frame = (blocks: ChunkBlocks): Uint8Array => concatBytes([Uint8Array.of(1), ...encodeBlocks(blocks)]);
const errorFrame = (text: string): Uint8Array => {
  const head = new Uint8Array(5);
  new DataView(head.buffer).setUint32(1, text.length, true);
  return concatBytes([head, utf8(text)]);
};

test("a part of a chunk is checked block by block and cut to what was asked for", async () => {
  const whole = blocksOf(100_000);
  const { service, asked } = answering(() => ({ status: 200, body: encodeBlocks(whole) }));
  expect(await service.get({ ...read, range: { offset: 10, length: 5 } })).toEqual(whole.bytes.subarray(10, 15));
  expect(asked[0]?.headers).toEqual({ range: "bytes=10-14", authorization: "Bearer r1" });
  expect(await service.get({ ...read, range: { offset: 10, length: 0 } })).toEqual(new Uint8Array(0));
  expect(asked).toHaveLength(1);
  const flipped = { ...whole, bytes: whole.bytes.with(70_000, 8) };
  const damaged = answering(() => ({ status: 200, body: encodeBlocks(flipped) }));
  expect(await kindOf(damaged.service.get({ ...read, range: { offset: 0, length: 5 } }))).toBe("corrupt");
});

test("an answer that holds other bytes than were asked for is damaged, whatever it says of itself", async () => {
  const second = blocksOf(100, { offset: crcBlockBytes, chunkLength: crcBlockBytes + 100 });
  for (const [blocks, range] of [
    [second, { offset: 0, length: 10 }],
    [second, undefined],
    [blocksOf(100), { offset: 50, length: 51 }],
    [blocksOf(100, { chunkLength: 200 }), undefined],
  ] as const) {
    const { service } = answering(() => ({ status: 200, body: encodeBlocks(blocks) }));
    expect(await kindOf(service.get({ ...read, ...(range ? { range } : {}) }))).toBe("corrupt");
  }
  const more = answering(() => ({ status: 200, body: [...encodeBlocks(blocksOf(10)), Uint8Array.of(1)] }));
  expect(await kindOf(more.service.get(read))).toBe("corrupt");
});

test("one bad frame of a batch spoils its own chunk only", async () => {
  const good = frame(blocksOf(10));
  const cut = frame(blocksOf(10, { chunkLength: 20 }));
  const { service } = answering(() => ({
    status: 200,
    body: [good, cut, errorFrame('{"kind":"not-found"}'), errorFrame("?"), good],
  }));
  const kinds = (await service.getMany(Array(5).fill(read))).map((it) => (it.ok ? "ok" : it.error.kind));
  expect(kinds).toEqual(["ok", "corrupt", "not-found", "corrupt", "ok"]);
});

test("frames that are missing, cut or left over fail the batch and nothing escapes", async () => {
  const good = frame(blocksOf(10));
  const bodies = [
    [],
    [good],
    [good, good, good],
    [good, good.subarray(0, 20)],
    [good, Uint8Array.of(2, 0, 0, 0, 0)],
    [good, Uint8Array.of(0, 255, 255, 255, 255)],
  ];
  for (const body of bodies) {
    const { service } = answering(() => ({ status: 200, body }));
    expect(await kindOf(service.getMany([read, read]))).toBe("corrupt");
  }
  const whole = concatBytes([good, good]);
  for (let at = 0; at < whole.length; at++) {
    const { service } = answering(() => ({ status: 200, body: [whole.with(at, (whole[at] as number) ^ 0x85)] }));
    expect(await kindOf(service.getMany([read, read]))).not.toContain("escaped");
  }
});

test("a receipt that makes no sense counts as a chunk that was not stored", async () => {
  const write = { id, generation: 5 as Generation, bytes: Uint8Array.of(1), token: "w1" };
  const receipt = { disk: 1, epoch: 2, mac: "x" };
  for (const bad of [
    undefined,
    null,
    5,
    {},
    { ...receipt, disk: 0 },
    { ...receipt, epoch: "2" },
    { ...receipt, mac: 5 },
  ]) {
    const { service } = answering(({ method }) =>
      json(method === "PUT" ? { receipt: bad } : { outcomes: [{ receipt: bad }, { receipt }] }),
    );
    expect(await kindOf(service.put(write))).toBe("internal");
    const kinds = (await service.putMany([write, write])).map((it) => (it.ok ? "ok" : it.error.kind));
    expect(kinds).toEqual(["internal", "ok"]);
  }
  for (const outcomes of [undefined, {}, [], [{}, {}, {}]]) {
    const { service } = answering(() => json({ outcomes }));
    expect(await kindOf(service.putMany([write, write]))).toBe("internal");
  }
});

test("a batch whose first token is refused as a whole is sent again for each token apart", async () => {
  const { service, asked } = answering(({ headers, body }) => {
    if (headers?.["authorization"] !== "Bearer good") return json({ error: { kind: "unauthenticated" } }, 401);
    const count = new DataView(concatBytes(body ?? []).buffer).getUint32(8, true);
    return json({ outcomes: Array.from({ length: count }, () => ({ receipt: { disk: 1, epoch: 2, mac: "x" } })) });
  });
  const write = (token: string): Parameters<typeof service.put>[0] => ({
    id,
    generation: 5 as Generation,
    bytes: Uint8Array.of(1),
    token,
  });
  const outcomes = await service.putMany(["bad", "good", "good", "bad"].map(write));
  const kinds = outcomes.map((it) => (it.ok ? "ok" : it.error.kind));
  expect(kinds).toEqual(["unauthenticated", "ok", "ok", "unauthenticated"]);
  expect(asked).toHaveLength(2);
  expect(await kindOf(service.put(write("bad")))).toBe("unauthenticated");
  expect(await service.putMany([])).toEqual([]);
});

test("a failure of HEAD is known by its header, and else by its status", async () => {
  const failing = (status: number, headers = {}): Promise<string> =>
    kindOf(answering(() => ({ status, headers })).service.stat(read));
  expect(await failing(409, { "x-cairn-error": "stale" })).toBe("stale");
  expect(await failing(409)).toBe("conflict");
  expect(await failing(410)).toBe("corrupt");
  expect(await failing(404, { "x-cairn-error": "nonsense" })).toBe("not-found");
  const headers = { "x-cairn-generation": "5", "x-cairn-length": "10", "x-cairn-disk": "1" };
  expect(await answering(() => ({ status: 200, headers })).service.stat(read)).toMatchObject({
    generation: 5,
    length: 10,
    disk: 1,
  });
  for (const name of Object.keys(headers)) expect(await failing(200, { ...headers, [name]: "x" })).toBe("internal");
});

test("larger bodies and answers get more time", async () => {
  const { service, asked } = answering(() => json({ receipt: { disk: 1, epoch: 2, mac: "x" } }));
  for (const length of [1, 2_000_000]) {
    await service.put({ id, generation: 5 as Generation, bytes: new Uint8Array(length), token: "w1" });
  }
  expect((asked[1]?.timeoutMs ?? 0) - (asked[0]?.timeoutMs ?? 0)).toBeCloseTo(10_000, -2);
});
