import { randomBytes } from "node:crypto";
import { asStorageError, limits, StorageError } from "@cairn/protocol";
import swagger from "@fastify/swagger";
import Fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import type { GatewayOptions } from "../gateway-options.ts";
import { problemOf } from "./problem.ts";

const jsonBodyBytesMax = 1024 * 1024;

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
    routerOptions: { maxParamLength: limits.pathBytesMax * 3 },
    genReqId: (request) => requestId(request.headers["x-request-id"]),
    frameworkErrors: (error, request, reply) => sendProblem(fromFastify(error), request, reply),
    exposeHeadRoutes: false,
  });
  app.server.maxConnections = limits.connectionsMax;
  app.addHook("onRequest", async (request, reply) => {
    void reply.header("x-request-id", request.id);
    const hosts = request.raw.rawHeaders.filter(
      (name, index) => index % 2 === 0 && name.toLowerCase() === "host",
    ).length;
    if (hosts !== 1 || !(request.raw.url ?? "").startsWith("/")) {
      throw new StorageError("invalid", "read request", "one Host header and a plain path are needed");
    }
  });
  app.setErrorHandler((error, request, reply) => {
    const known = fromFastify(error);
    if (known.kind === "internal")
      options.env.log.error({ err: error, request: request.id, url: request.url }, "request failed");
    return sendProblem(known, request, reply);
  });
  app.setNotFoundHandler({}, (request, reply) => {
    return sendProblem(
      new StorageError("not-found", "find route", `${request.method} ${request.url.slice(0, 200)}`),
      request,
      reply,
    );
  });
  measure(app, options);
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Cairn REST API",
        version: options.version,
        license: { name: "Apache-2.0", identifier: "Apache-2.0" },
      },
      components: { securitySchemes: { token: { type: "http", scheme: "bearer" } } },
      security: [{ token: [] }],
    },
  });
  return app;
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
  app.addHook("onResponse", async (request, reply) => {
    const route = request.routeOptions.url ?? "unknown";
    requests.add(1, { route, method: request.method, status: String(reply.statusCode) });
    seconds.observe(reply.elapsedTime / 1000, { route });
  });
}

/** An answer that is under way can only be broken off: a clean end would make a part look like the whole. */
function sendProblem(error: StorageError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const problem = problemOf(error, request.id);
  if (reply.raw.headersSent) {
    reply.raw.destroy();
    return reply;
  }
  if (problem.retryable) void reply.header("retry-after", "1");
  if (problem.status === 401) void reply.header("www-authenticate", "Bearer");
  // What is left of a refused body is not read: the connection ends with this answer.
  if (!request.raw.complete && problem.status >= 400) void reply.header("connection", "close");
  return reply.code(problem.status).header("content-type", "application/problem+json").send(JSON.stringify(problem));
}

function fromFastify(error: unknown): StorageError {
  if (error instanceof StorageError) return error;
  const { statusCode, message, validation } = error as Partial<FastifyError>;
  if (validation)
    return new StorageError("invalid", "check request", message ?? "", {
      details: { errors: validation.map(({ instancePath, message: why }) => ({ pointer: instancePath, why })) },
    });
  if (statusCode === 413) return new StorageError("too-large", "read request", message ?? "", { cause: error });
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500)
    return new StorageError("invalid", "read request", message ?? "", { cause: error });
  return asStorageError(error, "serve request");
}

function requestId(given: string | string[] | undefined): string {
  if (typeof given === "string" && /^[\w-]{1,64}$/.test(given)) return given;
  return `req_${randomBytes(9).toString("hex")}`;
}
