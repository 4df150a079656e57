import type { Clock, HttpReply, IncomingRequest, Metrics } from "@cairn/env";
import {
  decodeGetBatch,
  decodePutBatch,
  type ExactChunk,
  encodeBlocks,
  fromUtf8,
  type GroupId,
  limits,
  type NodeIdentity,
  type Outcome,
  parseChunkId,
  parseGeneration,
  parseGroupId,
  type Receipt,
  StorageError,
  toWireError,
  utf8,
} from "@cairn/protocol";
import { errorReply } from "./errors.ts";
import type { LocalChunkService } from "./local-chunk-service.ts";

/** Bytes of a batch beside its payload. */
const batchOverheadMax = 128 * 1024;

export interface ChunkHttpParts {
  /** Undefined until the node is registered: then it answers nothing but liveness. */
  readonly service: () => LocalChunkService | undefined;
  readonly identity: () => NodeIdentity;
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** True when measurements may be read without a credential. */
  readonly openMetrics: boolean;
}

type Route = (request: IncomingRequest, match: RegExpMatchArray, service: LocalChunkService) => Promise<HttpReply>;
interface RouteEntry {
  readonly name: string;
  readonly method: string;
  readonly path: RegExp;
  readonly answer: Route;
}

/** The chunk API of docs/api/chunk.md. */
export function chunkHttp(parts: ChunkHttpParts): (request: IncomingRequest) => Promise<HttpReply> {
  const requests = parts.metrics.counter("cairn_chunk_requests_total", "Requests of the chunk API", [
    "route",
    "status",
  ]);
  const seconds = parts.metrics.histogram(
    "cairn_chunk_request_seconds",
    "Time until the answer is ready",
    [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10],
    ["route"],
  );
  const received = parts.metrics.counter("cairn_chunk_received_bytes_total", "Payload bytes that clients sent");
  const sent = parts.metrics.counter("cairn_chunk_sent_bytes_total", "Payload bytes that clients were sent");
  const routes = chunkRoutes(parts, { received: (bytes) => received.add(bytes), sent: (bytes) => sent.add(bytes) });
  return async (request) => {
    const startedAt = parts.clock.monotonic();
    const [path = ""] = request.target.split("?", 1);
    const route = routes.find((entry) => entry.method === request.method && entry.path.test(path));
    const reply = await answer(parts, { request, route, path });
    requests.add(1, { route: route?.name ?? "unknown", status: String(reply.status) });
    if (route) seconds.observe((parts.clock.monotonic() - startedAt) / 1000, { route: route.name });
    return reply;
  };
}

async function answer(
  parts: ChunkHttpParts,
  { request, route, path }: { request: IncomingRequest; route: RouteEntry | undefined; path: string },
): Promise<HttpReply> {
  try {
    if (path === "/healthz" && request.method === "GET") return text(200, "ok\n");
    if (path === "/metrics" && request.method === "GET" && parts.openMetrics)
      return text(200, await parts.metrics.expose());
    const service = parts.service();
    if (!service) throw new StorageError("unavailable", "serve request", "the node has not joined its cluster yet");
    if (!route)
      throw new StorageError(
        request.headers["authorization"] ? "not-found" : "unauthenticated",
        "find route",
        "there is nothing here",
      );
    const match = route.path.exec(path);
    return await route.answer(request, match as RegExpMatchArray, service);
  } catch (error) {
    return errorReply(error, request.id);
  }
}

interface Traffic {
  readonly received: (bytes: number) => void;
  readonly sent: (bytes: number) => void;
}

function chunkRoutes(parts: ChunkHttpParts, traffic: Traffic): readonly RouteEntry[] {
  return [
    {
      name: "put",
      method: "PUT",
      path: /^\/chunks\/([^/]+)$/,
      answer: (request, match, service) => putChunk(service, { request, match, traffic }),
    },
    {
      name: "put-batch",
      method: "POST",
      path: /^\/chunks$/,
      answer: (request, _, service) => putBatch(service, request, traffic),
    },
    {
      name: "read-batch",
      method: "POST",
      path: /^\/chunks\/read$/,
      answer: (request, _, service) => readBatch(service, request, traffic),
    },
    {
      name: "delete",
      method: "POST",
      path: /^\/chunks\/delete$/,
      answer: (request, _, service) => deleteChunks(service, request),
    },
    {
      name: "get",
      method: "GET",
      path: /^\/groups\/(\d+)\/chunks\/([^/]+)$/,
      answer: (request, match, service) => getChunk(service, { request, match, traffic }),
    },
    {
      name: "head",
      method: "HEAD",
      path: /^\/groups\/(\d+)\/chunks\/([^/]+)$/,
      answer: (request, match, service) => headChunk(service, request, match),
    },
    {
      name: "inventory",
      method: "GET",
      path: /^\/groups\/(\d+)\/inventory$/,
      answer: (request, match, service) => listInventory(service, request, match),
    },
    {
      name: "digests",
      method: "GET",
      path: /^\/digests$/,
      answer: async (request, _, service) => json({ groups: await service.digests(bearer(request)) }),
    },
    {
      name: "identity",
      method: "GET",
      path: /^\/identity$/,
      answer: async (request, _, service) => {
        await service.authoriseCommand(bearer(request));
        return json(parts.identity());
      },
    },
    {
      name: "metrics",
      method: "GET",
      path: /^\/metrics$/,
      answer: async (request, _, service) => {
        await service.authoriseCommand(bearer(request));
        return text(200, await parts.metrics.expose());
      },
    },
  ];
}

interface ChunkCall {
  readonly request: IncomingRequest;
  readonly match: RegExpMatchArray;
  readonly traffic: Traffic;
}

async function putChunk(service: LocalChunkService, { request, match, traffic }: ChunkCall): Promise<HttpReply> {
  const token = bearer(request);
  const id = parseChunkId(match[1] ?? "");
  const generation = parseGeneration(Number(query(request, "generation")));
  const bytes = await request.body(limits.chunkBytesMax);
  traffic.received(bytes.length);
  const outcome = await service.put({ id, generation, token, bytes });
  if (!outcome.ok) throw outcome.error;
  return json({ receipt: outcome.value });
}

async function putBatch(service: LocalChunkService, request: IncomingRequest, traffic: Traffic): Promise<HttpReply> {
  const body = await request.body(limits.batchBytesMax + batchOverheadMax);
  traffic.received(body.length);
  const outcomes = await service.putMany(decodePutBatch(body));
  return json({ outcomes: outcomes.map(receiptOutcome) });
}

function receiptOutcome(outcome: Outcome<Receipt>): unknown {
  return outcome.ok ? { receipt: outcome.value } : { error: toWireError(outcome.error) };
}

async function readBatch(service: LocalChunkService, request: IncomingRequest, traffic: Traffic): Promise<HttpReply> {
  const reads = decodeGetBatch(await request.body(batchOverheadMax));
  let budget = limits.batchBytesMax;
  const frames = await Promise.all(
    reads.map(async (read) => {
      try {
        const blocks = await service.read(read);
        budget -= blocks.bytes.length;
        if (budget < 0)
          throw new StorageError("too-large", "get chunks", "the batch is full", { hint: "Ask for this chunk alone." });
        traffic.sent(blocks.bytes.length);
        return [Uint8Array.of(1), ...encodeBlocks(blocks)];
      } catch (error) {
        const wire = utf8(JSON.stringify(toWireError(error)));
        const head = new Uint8Array(5);
        new DataView(head.buffer).setUint32(1, wire.length, true);
        return [head, wire];
      }
    }),
  );
  return { status: 200, headers: { "content-type": "application/octet-stream" }, body: frames.flat() };
}

async function deleteChunks(service: LocalChunkService, request: IncomingRequest): Promise<HttpReply> {
  const token = bearer(request);
  const chunks = parseExactChunks(await request.body(limits.metadataBodyBytesMax));
  const outcomes = await service.deleteExact(chunks, token);
  return json({ outcomes: outcomes.map((outcome) => (outcome.ok ? {} : { error: toWireError(outcome.error) })) });
}

function parseExactChunks(body: Uint8Array): ExactChunk[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(fromUtf8(body));
  } catch (cause) {
    throw new StorageError("invalid", "delete chunks", "the body is not JSON", { cause });
  }
  const { chunks } = (parsed ?? {}) as { chunks?: unknown };
  if (!Array.isArray(chunks)) throw new StorageError("invalid", "delete chunks", "the body names no chunks");
  return chunks.map((chunk: Partial<Record<keyof ExactChunk, unknown>> | null) => ({
    group: parseGroupId(Number(chunk?.group)),
    id: parseChunkId(String(chunk?.id)),
    generation: parseGeneration(Number(chunk?.generation)),
  }));
}

async function getChunk(service: LocalChunkService, { request, match, traffic }: ChunkCall): Promise<HttpReply> {
  const range = parseRange(request.headers["range"]);
  const blocks = await service.read({ ...target(match), token: bearer(request), ...(range ? { range } : {}) });
  traffic.sent(blocks.bytes.length);
  return { status: 200, headers: { "content-type": "application/octet-stream" }, body: encodeBlocks(blocks) };
}

async function headChunk(
  service: LocalChunkService,
  request: IncomingRequest,
  match: RegExpMatchArray,
): Promise<HttpReply> {
  const { generation, length, disk } = await service.stat({ ...target(match), token: bearer(request) });
  const headers = {
    "x-cairn-generation": String(generation),
    "x-cairn-length": String(length),
    "x-cairn-disk": String(disk),
  };
  return { status: 200, headers };
}

async function listInventory(
  service: LocalChunkService,
  request: IncomingRequest,
  match: RegExpMatchArray,
): Promise<HttpReply> {
  return json(await service.inventory(parseGroupId(Number(match[1])), query(request, "cursor"), bearer(request)));
}

function target(match: RegExpMatchArray): { group: GroupId; id: ReturnType<typeof parseChunkId> } {
  return { group: parseGroupId(Number(match[1])), id: parseChunkId(match[2] ?? "") };
}

/** `bytes=first-last`; anything else is refused, because half an answer would be taken for a whole one. */
function parseRange(header: string | undefined): { offset: number; length: number } | undefined {
  if (header === undefined) return undefined;
  const match = /^bytes=(\d{1,10})-(\d{1,10})$/.exec(header);
  const first = Number(match?.[1]);
  const last = Number(match?.[2]);
  if (!match || last < first) throw new StorageError("range", "get chunk", header.slice(0, 80));
  return { offset: first, length: last - first + 1 };
}

function bearer(request: IncomingRequest): string {
  const match = /^Bearer (\S+)$/.exec(request.headers["authorization"] ?? "");
  if (!match?.[1]) throw new StorageError("unauthenticated", "check token", "no token came with the request");
  return match[1];
}

function query(request: IncomingRequest, name: string): string | undefined {
  const [, text = ""] = request.target.split("?", 2);
  for (const pair of text.split("&")) {
    const [key, value = ""] = pair.split("=", 2);
    if (key === name && /^[\w.%-]*$/.test(value)) return value;
  }
  return undefined;
}

function json(value: unknown): HttpReply {
  return { status: 200, headers: { "content-type": "application/json" }, body: [utf8(JSON.stringify(value))] };
}

function text(status: number, content: string): HttpReply {
  return { status, headers: { "content-type": "text/plain; charset=utf-8" }, body: [utf8(content)] };
}
