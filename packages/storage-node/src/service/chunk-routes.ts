import type { HttpReply } from "@cairn/env";
import {
  batchHeadBytesMax,
  crcBlockBytes,
  decodeGetBatch,
  decodePutBatch,
  encodeBlocks,
  type FramedRead,
  limits,
  parseChunkId,
  parseGeneration,
  StorageError,
  toWireError,
  utf8,
} from "@cairn/protocol";
import type { ByteBudget } from "./byte-budget.ts";
import type { LocalChunkService } from "./local-chunk-service.ts";
import { bodyBytesOf, chunkAddressOf, numberOf, parametersOf, rangeOf } from "./request-parts.ts";
import { json, type NodeRoute, type RouteCall } from "./route.ts";

/** Reads of one batch that are under way at once: more would not make a disk faster, only memory fuller. */
const readsAtOnce = 16;

/** What the routes need beside the service. */
export interface RouteParts {
  readonly incoming: ByteBudget;
  readonly outgoing: ByteBudget;
  readonly received: (bytes: number) => void;
  readonly sent: (bytes: number) => void;
}

export interface ChunkCall extends RouteCall {
  readonly service: LocalChunkService;
}

/** All routes of clients. Each checks the token before it reads a body. */
export function chunkRoutes(parts: RouteParts): readonly NodeRoute<ChunkCall>[] {
  const chunk = /^\/groups\/([^/]+)\/chunks\/([^/]+)$/;
  return [
    { name: "put", method: "PUT", path: /^\/chunks\/([^/]+)$/, answer: (call) => putChunk(parts, call) },
    { name: "put-batch", method: "POST", path: /^\/chunks$/, answer: (call) => putBatch(parts, call) },
    { name: "read-batch", method: "POST", path: /^\/chunks\/read$/, answer: (call) => readBatch(parts, call) },
    { name: "get", method: "GET", path: chunk, answer: (call) => getChunk(parts, call) },
    { name: "head", method: "HEAD", path: chunk, answer: headChunk },
    { name: "place", method: "GET", path: /^\/groups\/([^/]+)\/chunks\/([^/]+)\/place$/, answer: placeOfChunk },
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

async function placeOfChunk({ match, token, service }: ChunkCall): Promise<HttpReply> {
  return json(await service.locate({ ...chunkAddressOf(match), token }));
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
