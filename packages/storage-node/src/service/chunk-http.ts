import type { Clock, HttpReply, IncomingRequest, Log, Metrics } from "@cairn/env";
import { type NodeIdentity, StorageError, utf8 } from "@cairn/protocol";
import { ByteBudget } from "./byte-budget.ts";
import { type ChunkCall, chunkRoutes } from "./chunk-routes.ts";
import { type CommandCall, commandRoutes } from "./command-routes.ts";
import { errorReply, tellable } from "./errors.ts";
import type { LocalChunkService } from "./local-chunk-service.ts";
import type { LocalNodeCommands } from "./local-node-commands.ts";
import { bearerOf } from "./request-parts.ts";
import type { NodeRoute } from "./route.ts";

/** What a registered node does: for whoever has a token of a group, and for the leader. */
export interface NodeServices {
  readonly service: LocalChunkService;
  readonly commands: LocalNodeCommands;
}

export interface ChunkHttpParts {
  /** Undefined while the node is not registered: then it answers nothing but liveness. */
  readonly serving: () => NodeServices | undefined;
  readonly identity: () => NodeIdentity;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** True when measurements may be read without a credential. */
  readonly openMetrics: boolean;
  /** Bytes of bodies, and bytes of chunks that are read, that may be in memory at once. */
  readonly bytesInFlightMax: number;
}

/** The chunk API of docs/api/chunk.md. */
export function chunkHttp(parts: ChunkHttpParts): (request: IncomingRequest) => Promise<HttpReply> {
  const { clock, metrics, bytesInFlightMax } = parts;
  const requests = metrics.counter("cairn_chunk_requests_total", "Requests of the chunk API", ["route", "status"]);
  const seconds = metrics.histogram(
    "cairn_chunk_request_seconds",
    "Time until the answer is ready",
    [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10],
    ["route"],
  );
  const received = metrics.counter("cairn_chunk_received_bytes_total", "Payload bytes that clients sent");
  const sent = metrics.counter("cairn_chunk_sent_bytes_total", "Payload bytes that clients were sent");
  const incoming = new ByteBudget(bytesInFlightMax, "bytes of chunks that are written");
  const routes: readonly NodeRoute<ChunkCall & CommandCall>[] = [
    ...chunkRoutes({
      incoming,
      outgoing: new ByteBudget(bytesInFlightMax, "bytes of chunks that are read"),
      received: (bytes) => received.add(bytes),
      sent: (bytes) => sent.add(bytes),
    }),
    ...commandRoutes({ incoming, identity: parts.identity, expose: () => metrics.expose() }),
  ];
  return async (request) => {
    const startedAt = clock.monotonic();
    const [path = ""] = request.target.split("?", 1);
    const route = routes.find(({ method, path: pattern }) => method === request.method && pattern.test(path));
    const reply = await answer(parts, { request, route, path });
    const name = route?.name ?? "other";
    requests.add(1, { route: name, status: String(reply.status) });
    seconds.observe((clock.monotonic() - startedAt) / 1000, { route: name });
    return reply;
  };
}

async function answer(
  parts: ChunkHttpParts,
  {
    request,
    route,
    path,
  }: { request: IncomingRequest; route: NodeRoute<ChunkCall & CommandCall> | undefined; path: string },
): Promise<HttpReply> {
  try {
    if (request.method === "GET" && path === "/healthz") return text("ok\n");
    if (request.method === "GET" && path === "/metrics" && parts.openMetrics) return text(await parts.metrics.expose());
    const token = bearerOf(request);
    const services = parts.serving();
    if (!services) throw new StorageError("unavailable", "serve request", "the node has not joined its cluster yet");
    const match = route?.path.exec(path);
    if (!route || !match) throw new StorageError("not-found", "find route", "there is nothing here");
    return await route.answer({ request, match, token, ...services });
  } catch (error) {
    const known = tellable(error, request.id);
    if (known.kind === "internal") {
      parts.log.error({ err: known, requestId: request.id, route: route?.name }, "a request failed unforeseen");
    }
    return errorReply(known, request.id);
  }
}

function text(content: string): HttpReply {
  return { status: 200, headers: { "content-type": "text/plain; charset=utf-8" }, body: [utf8(content)] };
}
