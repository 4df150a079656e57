import type { HttpReply, IncomingRequest } from "@cairn/env";
import {
  batchHeadBytesMax,
  crcBlockBytes,
  decodeGetBatch,
  decodePutBatch,
  encodeBlocks,
  type FramedRead,
  limits,
  type NodeIdentity,
  parseChunkId,
  parseGeneration,
  parseGroupId,
  StorageError,
  toWireError,
  utf8,
} from "@cairn/protocol";
import type { ByteBudget } from "./byte-budget.ts";
import type { LocalChunkService } from "./local-chunk-service.ts";
import { bodyBytesOf, chunkAddressOf, exactChunksOf, numberOf, parametersOf, rangeOf } from "./request-parts.ts";

/** Reads of one batch that are under way at once: more would not make a disk faster, only memory fuller. */
const readsAtOnce = 16;
const deleteItemBytesMax = 160;

/** What the routes need beside the service. */
export interface RouteParts {
  readonly incoming: ByteBudget;
  readonly outgoing: ByteBudget;
  readonly received: (bytes: number) => void;
  readonly sent: (bytes: number) => void;
  readonly identity: () => NodeIdentity;
  readonly expose: () => Promise<string>;
}

export interface ChunkCall {
  readonly request: IncomingRequest;
  readonly match: RegExpMatchArray;
  readonly token: string;
  readonly service: LocalChunkService;
}

export interface ChunkRoute {
  readonly name: string;
  readonly method: string;
  readonly path: RegExp;
  readonly answer: (call: ChunkCall) => Promise<HttpReply>;
}

/** All routes that need a token. Each checks the token before it reads a body. */
export function chunkRoutes(parts: RouteParts): readonly ChunkRoute[] {
  const route = (method: string, path: RegExp, name: string, answer: ChunkRoute["answer"]): ChunkRoute => ({
    name,
    method,
    path,
    answer,
  });
  const chunk = /^\/groups\/([^/]+)\/chunks\/([^/]+)$/;
  return [
    route("PUT", /^\/chunks\/([^/]+)$/, "put", (call) => putChunk(parts, call)),
    route("POST", /^\/chunks$/, "put-batch", (call) => putBatch(parts, call)),
    route("POST", /^\/chunks\/read$/, "read-batch", (call) => readBatch(parts, call)),
    route("POST", /^\/chunks\/delete$/, "delete", deleteChunks),
    route("GET", chunk, "get", (call) => getChunk(parts, call)),
    route("HEAD", chunk, "head", headChunk),
    route("GET", /^\/groups\/([^/]+)\/inventory$/, "inventory", listInventory),
    route("GET", /^\/digests$/, "digests", async ({ service, token }) =>
      json({ groups: await service.digests(token) }),
    ),
    route("GET", /^\/identity$/, "identity", async ({ service, token }) => {
      await service.authoriseCommand(token);
      return json(parts.identity());
    }),
    route("GET", /^\/metrics$/, "metrics", async ({ service, token }) => {
      await service.authoriseCommand(token);
      const headers = { "content-type": "text/plain; charset=utf-8" };
      return { status: 200, headers, body: [utf8(await parts.expose())] };
    }),
  ];
}

async function putChunk(parts: RouteParts, { request, match, token, service }: ChunkCall): Promise<HttpReply> {
  const id = parseChunkId(match[1] ?? "");
  const parameters = parametersOf(request.target, ["generation"]);
  const generation = parseGeneration(numberOf(parameters.get("generation")));
  const bytesMax = service.admitWrite({ token, generation });
  return parts.incoming.hold(bodyBytesOf(request, bytesMax), async () => {
    const bytes = await request.body(bytesMax);
    parts.received(bytes.length);
    const outcome = await service.put({ id, generation, token, bytes });
    if (!outcome.ok) throw outcome.error;
    return json({ receipt: outcome.value });
  });
}

async function putBatch(parts: RouteParts, { request, token, service }: ChunkCall): Promise<HttpReply> {
  service.admitWriter(token);
  const bytesMax = limits.batchBytesMax + batchHeadBytesMax;
  return parts.incoming.hold(bodyBytesOf(request, bytesMax), async () => {
    const body = await request.body(bytesMax);
    parts.received(body.length);
    const outcomes = await service.putMany(decodePutBatch(body));
    return json({
      outcomes: outcomes.map((outcome) =>
        outcome.ok ? { receipt: outcome.value } : { error: toWireError(outcome.error) },
      ),
    });
  });
}

async function getChunk(parts: RouteParts, { request, match, token, service }: ChunkCall): Promise<HttpReply> {
  const address = chunkAddressOf(match);
  const range = rangeOf(request);
  service.admitRead(token, address.group);
  const expected = Math.min(range ? range.length + 2 * crcBlockBytes : limits.chunkBytesDefault, limits.chunkBytesMax);
  return parts.outgoing.hold(expected, async () => {
    const blocks = await service.read({ ...address, token, ...(range ? { range } : {}) });
    parts.sent(blocks.bytes.length);
    return { status: 200, headers: { "content-type": "application/octet-stream" }, body: encodeBlocks(blocks) };
  });
}

async function readBatch(parts: RouteParts, { request, token, service }: ChunkCall): Promise<HttpReply> {
  service.admitReader(token);
  const reads = decodeGetBatch(await request.body(batchHeadBytesMax));
  return parts.outgoing.hold(limits.batchBytesMax, async () => {
    const frames: Uint8Array[][] = new Array(reads.length);
    let next = 0;
    let bytesLeft: number = limits.batchBytesMax;
    const readOn = async (): Promise<void> => {
      for (let index = next++; index < reads.length; index = next++) {
        try {
          if (bytesLeft <= 0) throw batchIsFull();
          const blocks = await service.read(reads[index] as FramedRead);
          if (blocks.bytes.length > bytesLeft) throw batchIsFull();
          bytesLeft -= blocks.bytes.length;
          frames[index] = [Uint8Array.of(1), ...encodeBlocks(blocks)];
        } catch (error) {
          frames[index] = errorFrame(error);
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(readsAtOnce, reads.length) }, readOn));
    parts.sent(limits.batchBytesMax - bytesLeft);
    return { status: 200, headers: { "content-type": "application/octet-stream" }, body: frames.flat() };
  });
}

function batchIsFull(): StorageError {
  return new StorageError("too-large", "get chunks", "the batch is full", { hint: "Ask for this chunk alone." });
}

/** A byte 0, the length of the error as JSON, and the error. */
function errorFrame(error: unknown): Uint8Array[] {
  const wire = utf8(JSON.stringify(toWireError(error)));
  const head = new Uint8Array(5);
  new DataView(head.buffer).setUint32(1, wire.length, true);
  return [head, wire];
}

async function headChunk({ match, token, service }: ChunkCall): Promise<HttpReply> {
  const { generation, length, disk } = await service.stat({ ...chunkAddressOf(match), token });
  const headers = {
    "x-cairn-generation": String(generation),
    "x-cairn-length": String(length),
    "x-cairn-disk": String(disk),
  };
  return { status: 200, headers };
}

async function deleteChunks({ request, token, service }: ChunkCall): Promise<HttpReply> {
  await service.authoriseCommand(token);
  const most = limits.commitEntriesMax;
  const chunks = exactChunksOf(await request.body(most * deleteItemBytesMax), most);
  const outcomes = await service.deleteExact(chunks, token);
  return json({ outcomes: outcomes.map((outcome) => (outcome.ok ? {} : { error: toWireError(outcome.error) })) });
}

async function listInventory({ request, match, token, service }: ChunkCall): Promise<HttpReply> {
  const cursor = parametersOf(request.target, ["cursor"]).get("cursor");
  return json(await service.inventory(parseGroupId(numberOf(match[1])), cursor, token));
}

function json(value: unknown): HttpReply {
  return { status: 200, headers: { "content-type": "application/json" }, body: [utf8(JSON.stringify(value))] };
}
