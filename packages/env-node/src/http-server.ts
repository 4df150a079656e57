import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { HttpHandler, HttpReply, IncomingRequest, Listener, ServeOptions } from "@cairn/env";
import { limits, StorageError } from "@cairn/protocol";
import { readBody } from "./http-body.ts";
import { codeOf } from "./system-error.ts";

/** How long a server that stops waits for requests under way. */
const drainMs = 10_000;
/** Bytes of an unread body that are worth reading to keep the connection. */
const drainBytesMax = 64 * 1024;

/** Serves over bare node:http with keep-alive. Throws conflict when the port is taken. */
export async function serveHttp(handler: HttpHandler, options: ServeOptions): Promise<Listener> {
  let underWay = 0;
  const server = createServer(serverOptions(), (request, response) => {
    if (underWay >= options.requestsMax) {
      reply(request, response, { status: 503, headers: { "retry-after": "1" } });
      return;
    }
    underWay++;
    void answer(handler, request, response).finally(() => underWay--);
  });
  // Node's own limit on the whole request would cut off every long upload; bodies have a minimum rate instead.
  server.requestTimeout = 0;
  server.maxConnections = limits.connectionsMax;
  await listen(server, options);
  const { address, port } = server.address() as AddressInfo;
  return { host: address, port, [Symbol.asyncDispose]: () => close(server) };
}

function serverOptions(): Parameters<typeof createServer>[0] {
  return {
    headersTimeout: limits.headersTimeoutMs,
    keepAliveTimeout: limits.keepAliveMs,
    connectionsCheckingInterval: 5000,
    maxHeaderSize: limits.headerBytesMax,
    highWaterMark: 256 * 1024,
    noDelay: true,
  };
}

function listen(server: Server, options: ServeOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) => {
      const place = `${options.host}:${options.port}`;
      const taken = codeOf(error) === "EADDRINUSE";
      reject(
        new StorageError(taken ? "conflict" : "internal", "listen", place, {
          cause: error,
          hint: taken
            ? `Another program uses port ${options.port}. Stop it, or choose another port.`
            : "Check the address.",
        }),
      );
    });
    server.listen(options.port, options.host, () => resolve());
  });
}

async function answer(handler: HttpHandler, request: IncomingMessage, response: ServerResponse): Promise<void> {
  let result: HttpReply;
  try {
    result = hostIsDoubtful(request) ? { status: 400 } : await handler(new NodeRequest(request, response));
  } catch {
    result = { status: 500 };
  }
  reply(request, response, result);
}

/** Two Host headers, or a whole URL as target, are how requests are smuggled past proxies. */
function hostIsDoubtful(request: IncomingMessage): boolean {
  const hosts = request.rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === "host").length;
  return hosts !== 1 || !(request.url ?? "").startsWith("/");
}

function reply(request: IncomingMessage, response: ServerResponse, result: HttpReply): void {
  if (response.headersSent || response.destroyed) return;
  const body = result.body ?? [];
  const length = body.reduce((sum, part) => sum + part.length, 0);
  const left = request.complete ? 0 : Number(request.headers["content-length"] ?? Number.POSITIVE_INFINITY);
  // What is left of a refused body is either short enough to read, or the connection ends.
  if (left > drainBytesMax) response.shouldKeepAlive = false;
  response.writeHead(result.status, { ...result.headers, "content-length": length });
  response.cork();
  if (request.method !== "HEAD") for (const part of body) response.write(part);
  response.end(() => {
    if (left > drainBytesMax) request.destroy();
  });
  response.uncork();
  if (!request.complete) request.resume();
}

class NodeRequest implements IncomingRequest {
  readonly method: string;
  readonly target: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  #id: string | undefined;
  #gone: AbortController | undefined;

  constructor(request: IncomingMessage, response: ServerResponse) {
    this.#request = request;
    this.#response = response;
    this.method = request.method ?? "GET";
    this.target = request.url ?? "/";
    this.headers = request.headers as Record<string, string | undefined>;
  }

  get id(): string {
    const given = this.headers["x-request-id"];
    this.#id ??= given && /^[\w-]{1,64}$/.test(given) ? given : `req_${randomBytes(9).toString("hex")}`;
    return this.#id;
  }

  get signal(): AbortSignal {
    if (!this.#gone) {
      const gone = new AbortController();
      this.#gone = gone;
      this.#response.once("close", () => {
        if (!this.#response.writableFinished) gone.abort();
      });
    }
    return this.#gone.signal;
  }

  body(bytesMax: number): Promise<Uint8Array> {
    return readBody(this.#request, bytesMax);
  }
}

async function close(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeIdleConnections();
    setTimeout(() => server.closeAllConnections(), drainMs).unref();
  });
}
