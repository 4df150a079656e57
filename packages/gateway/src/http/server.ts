import { randomBytes } from "node:crypto";
import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { asStorageError, limits, StorageError } from "@cairn/protocol";
import swagger from "@fastify/swagger";
import Fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import type { GatewayOptions } from "../gateway-options.ts";
import { watchPace } from "./body-pace.ts";
import { divert } from "./divert.ts";
import { awaitContinue, sendContinue } from "./expect-continue.ts";
import { problemOf, problemSchema } from "./problem.ts";
import { RequestRefusal } from "./request-refusal.ts";
import { acceptOnlyJson, checkQuery, compileValidator, parseQuery } from "./strict-input.ts";

const jsonBodyBytesMax = 1024 * 1024;
/** How long the rest of a refused body is read, so that the client meets the answer and not a reset connection. */
const lingerMs = 1000;

/** The HTTP server of a gateway with its limits, request ids, measurements and errors; no routes yet. */
export async function createServer(options: GatewayOptions): Promise<FastifyInstance> {
  const app = Fastify({
    bodyLimit: jsonBodyBytesMax,
    // A long upload is no attack; slow bodies are cut off where they are read.
    requestTimeout: 0,
    keepAliveTimeout: limits.keepAliveMs,
    http: {
      maxHeaderSize: limits.headerBytesMax,
      headersTimeout: limits.headersTimeoutMs,
      connectionsCheckingInterval: 5000,
    },
    routerOptions: { maxParamLength: limits.pathBytesMax * 3, querystringParser: parseQuery },
    genReqId: (request) => requestId(request.headers["x-request-id"]),
    frameworkErrors: (error, request, reply) => sendProblem(options, fromFastify(error), { request, reply }),
    clientErrorHandler: (error, socket) => answerBroken(error, socket),
    return503OnClosing: false,
    exposeHeadRoutes: false,
  });
  app.server.maxConnections = limits.connectionsMax;
  awaitContinue(app.server);
  if (options.s3Door) divert(app.server, options.s3Door);
  acceptOnlyJson(app);
  app.setValidatorCompiler(compileValidator);
  checkRequests(app, options);
  app.setErrorHandler((error, request, reply) => {
    const known = fromFastify(error);
    if (known.kind === "internal")
      options.env.log.error({ err: error, request: request.id, url: request.url }, "request failed");
    return sendProblem(options, known, { request, reply });
  });
  app.setNotFoundHandler({}, (request, reply) => {
    const error = new StorageError("not-found", "find route", `${request.method} ${request.url.slice(0, 200)}`, {
      hint: "GET /api/v1/openapi.json lists the routes.",
    });
    return sendProblem(options, error, { request, reply });
  });
  measure(app, options);
  await app.register(swagger, { openapi: openApi(options.version), transformObject: withProblems });
  return app;
}

function openApi(version: string): object {
  return {
    openapi: "3.1.0",
    info: { title: "Cairn REST API", version, license: { name: "Apache-2.0", identifier: "Apache-2.0" } },
    components: {
      securitySchemes: { token: { type: "http", scheme: "bearer" } },
      schemas: { Problem: problemSchema },
    },
    security: [{ token: [] }],
  };
}

/** Every route may answer with a problem; said once for all. */
function withProblems(document: object): never {
  const { openapiObject } = document as {
    openapiObject: { paths?: Record<string, Record<string, { responses?: Record<string, unknown> }>> };
  };
  const problem = {
    description: "What went wrong",
    content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
  };
  for (const path of Object.values(openapiObject.paths ?? {}))
    for (const operation of Object.values(path)) operation.responses = { ...operation.responses, default: problem };
  return openapiObject as never;
}

/** What every request must be, before anybody asks who sent it. */
function checkRequests(app: FastifyInstance, { env }: GatewayOptions): void {
  let stopping = false;
  app.addHook("preClose", async () => {
    stopping = true;
  });
  app.addHook("onRequest", async (request, reply) => {
    void reply.header("x-request-id", request.id);
    const { raw } = request;
    const hosts = raw.rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === "host").length;
    if (hosts !== 1 || !(raw.url ?? "").startsWith("/"))
      throw new StorageError("invalid", "read request", "one Host header and a plain path are needed");
    checkQuery(request.query);
    const encoding = request.headers["content-encoding"] ?? "identity";
    if (encoding !== "identity") {
      throw new RequestRefusal(
        "unsupported_media_type",
        `a body in the content encoding ${encoding.slice(0, 40)}`,
        "Send the bytes as they are.",
      );
    }
    if (stopping)
      throw new StorageError("unavailable", "serve request", "this server is stopping", {
        hint: "Try again in a moment.",
      });
  });
  app.addHook("preParsing", async (request, reply) => {
    if (request.routeOptions.config.streams) return;
    sendContinue(request.raw, reply.raw);
    watchPace(request.raw, env.clock);
  });
  app.addHook("onSend", async (_request, reply) => {
    if (!reply.hasHeader("cache-control")) void reply.header("cache-control", "private, no-store");
    // A connection that stays open would keep the server from stopping.
    if (stopping) void reply.header("connection", "close");
  });
}

function measure(app: FastifyInstance, { env }: GatewayOptions): void {
  const requests = env.metrics.counter("cairn_http_requests_total", "Requests of the gateway", [
    "route",
    "method",
    "status",
  ]);
  const seconds = env.metrics.histogram(
    "cairn_http_request_seconds",
    "Time until the answer is sent",
    [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 60],
    ["route"],
  );
  app.addHook("onRequest", async (request, reply) => {
    const startedAt = env.clock.monotonic();
    const route = request.routeOptions.url ?? "unknown";
    // The end of a request that its client left is an end as well; proxies know it as 499.
    reply.raw.once("close", () => {
      const status = reply.raw.writableFinished ? reply.raw.statusCode : 499;
      requests.add(1, { route, method: request.method, status: String(status) });
      seconds.observe((env.clock.monotonic() - startedAt) / 1000, { route });
    });
  });
}

/** An answer that is under way can only be broken off: a clean end would make a part look like the whole. */
function sendProblem(
  { env }: GatewayOptions,
  error: StorageError,
  { request, reply }: { request: FastifyRequest; reply: FastifyReply },
): FastifyReply {
  const problem = problemOf(error, request.id);
  if (reply.raw.headersSent) {
    reply.raw.destroy();
    return reply;
  }
  void reply.header("x-request-id", request.id);
  if (problem.retryable) void reply.header("retry-after", "1");
  if (problem.status === 401) void reply.header("www-authenticate", "Bearer");
  const { size } = error.details;
  if (problem.status === 416 && typeof size === "number") void reply.header("content-range", `bytes */${size}`);
  // What described the file that was asked for does not describe the problem.
  for (const name of ["content-length", "content-disposition", "etag", "last-modified", "accept-ranges"])
    void reply.removeHeader(name);
  linger(request, reply, env.clock);
  return reply.code(problem.status).header("content-type", "application/problem+json").send(JSON.stringify(problem));
}

/** Who is still sending when the refusal goes out is listened to for a moment: closing at once would destroy the answer on its way. */
function linger({ raw }: FastifyRequest, reply: FastifyReply, clock: GatewayOptions["env"]["clock"]): void {
  if (raw.complete) return;
  void reply.removeHeader("connection");
  reply.raw.once("finish", () => {
    if (raw.complete) return;
    raw.resume();
    clock.after(lingerMs, () => {
      if (!raw.complete) raw.socket.destroy();
    });
  });
}

function fromFastify(error: unknown): StorageError {
  if (error instanceof StorageError) return error;
  const { statusCode, message = "", validation } = error as Partial<FastifyError>;
  if (validation) {
    const errors = validation.map(({ instancePath, message: why = "" }) => ({ pointer: instancePath, why }));
    return new StorageError("invalid", "check request", message, { details: { errors: errors.slice(0, 20) } });
  }
  if (statusCode === 413) return new StorageError("too-large", "read request", message, { cause: error });
  if (statusCode === 415)
    return new RequestRefusal(
      "unsupported_media_type",
      message,
      "Most routes take application/json; the content of a file may be of any type that is one.",
    );
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500)
    return new StorageError("invalid", "read request", message, { cause: error });
  return asStorageError(error, "serve request");
}

/** Answers what is not even HTTP, or takes too long to become it. Nothing after it on the connection can be trusted. */
function answerBroken(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const problem = problemOf(brokenRequest(error.code), requestId(undefined));
  const body = JSON.stringify(problem);
  socket.end(
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}\r\nConnection: close\r\nContent-Type: application/problem+json\r\n` +
      `X-Request-Id: ${problem.request_id}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

function brokenRequest(code: string | undefined): StorageError {
  if (code === "HPE_HEADER_OVERFLOW")
    return new RequestRefusal("headers_too_large", `the headers are over ${limits.headerBytesMax} bytes`);
  if (code === "ERR_HTTP_REQUEST_TIMEOUT")
    return new RequestRefusal("request_timeout", "the headers did not come in time");
  return new StorageError("invalid", "read request", "this is not HTTP/1.1 as RFC 9112 has it");
}

function requestId(given: string | string[] | undefined): string {
  if (typeof given === "string" && /^[\w-]{1,64}$/.test(given)) return given;
  return `req_${randomBytes(9).toString("hex")}`;
}
