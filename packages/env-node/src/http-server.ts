import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { HttpHandler, HttpReply, IncomingRequest, Listener, ServeOptions } from "@cairn/env";
import { limits, StorageError } from "@cairn/protocol";
import { BodyPool } from "./body-pool.ts";
import { readBody } from "./http-body.ts";
import { codeOf } from "./system-error.ts";

/** How long a server that stops waits for requests under way. */
const drainMs = 10_000;
/** Bytes of an unread body that are worth reading to keep the connection. */
const drainBytesMax = 64 * 1024;
/** Bodies from this size on share buffers. */
const pooledBytesMin = 64 * 1024;
/** How long a longer one is thrown away: a connection that is closed over unread bytes may lose the reply on its way. */
const lingerMs = 2000;

/** Requests whose sender waits to be told that their body is wanted (Expect: 100-continue). */
const uninvited = new WeakSet<IncomingMessage>();

/** Serves over bare node:http with keep-alive. Throws conflict when the port is taken. */
export async function serveHttp(handler: HttpHandler, options: ServeOptions): Promise<Listener> {
  const bodies = new BodyPool();
  let underWay = 0;
  let stopping = false;
  /** Connections that have not asked for anything yet. Node does not count them as idle. */
  const silent = new Set<Socket>();
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    silent.delete(request.socket);
    if (underWay >= options.requestsMax) {
      reply(request, response, { status: 503, headers: { "retry-after": "1" } });
      return;
    }
    underWay++;
    void (async () => {
      const incoming = new NodeRequest(request, response, bodies);
      const result = await answer(handler, request, incoming);
      if (stopping) response.shouldKeepAlive = false;
      send(request, response, result);
      await sent(request, response);
      incoming.release();
      underWay--;
    })();
  };
  const server = createServer(serverOptions(), onRequest);
  // Node would ask for the body before anybody has looked at the request.
  server.on("checkContinue", (request: IncomingMessage, response: ServerResponse) => {
    uninvited.add(request);
    onRequest(request, response);
  });
  // Each pipelined request waits for the end of its connection.
  server.on("connection", (socket) => {
    socket.setMaxListeners(0);
    silent.add(socket);
    socket.once("close", () => silent.delete(socket));
  });
  // Node's own limit on the whole request would cut off every long upload; bodies have a minimum rate instead.
  server.requestTimeout = 0;
  server.maxConnections = limits.connectionsMax;
  await listen(server, options);
  const { address, port } = server.address() as AddressInfo;
  return {
    host: address,
    port,
    [Symbol.asyncDispose]: () => {
      stopping = true;
      const closed = close(server);
      for (const socket of silent) socket.destroy();
      return closed;
    },
  };
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
    // Stays for good: a connection that cannot be accepted (too many open files) must not end the process. Its client
    // sees it fail and tries again.
    server.on("error", (error) => {
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

async function answer(handler: HttpHandler, request: IncomingMessage, incoming: NodeRequest): Promise<HttpReply> {
  try {
    return isDoubtful(request) ? { status: 400 } : await handler(incoming);
  } catch {
    return { status: 500 };
  }
}

/** Sends a reply that a handler made, which may be one that cannot be sent: a bad header, a body that is no bytes. */
function send(request: IncomingMessage, response: ServerResponse, result: HttpReply): void {
  try {
    reply(request, response, result);
  } catch {
    if (response.headersSent) response.destroy();
    else reply(request, response, { status: 500 });
  }
}

/** Ends when the reply has left or its connection is gone. A client that takes nothing of it for a while is cut off. */
function sent(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { socket } = request;
  if (response.writableFinished || socket.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      socket.off("close", done);
      socket.setTimeout(0);
      resolve();
    };
    socket.setTimeout(limits.bodyStallMs);
    // Before Node's own listener, which sets the time-out of an idle connection.
    response.prependOnceListener("finish", done);
    socket.once("close", done);
  });
}

/** Two Host headers, a whole URL as target, or an unusual encoding of the body are how requests are smuggled past proxies. */
function isDoubtful(request: IncomingMessage): boolean {
  const hosts = request.rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === "host").length;
  const encoding = request.headers["transfer-encoding"]?.toLowerCase() ?? "chunked";
  return hosts !== 1 || encoding !== "chunked" || !(request.url ?? "").startsWith("/");
}

function reply(request: IncomingMessage, response: ServerResponse, result: HttpReply): void {
  if (response.headersSent || response.destroyed) return;
  const body = result.body ?? [];
  const length = body.reduce((sum, part) => sum + part.length, 0);
  // What is left of a refused body is either short enough to read, or the connection ends.
  const left = bytesLeft(request);
  // A body that was not asked for may never come, and what comes in its place must not be taken for it.
  const lingers = left > (uninvited.has(request) ? 0 : drainBytesMax);
  if (lingers) response.shouldKeepAlive = false;
  const bodyless = result.status === 204 || result.status === 304;
  response.writeHead(result.status, bodyless ? result.headers : { ...result.headers, "content-length": length });
  response.cork();
  if (request.method !== "HEAD" && !bodyless) for (const part of body) response.write(part);
  if (lingers) {
    response.flushHeaders();
    linger(request, () => response.end());
  } else response.end();
  response.uncork();
  if (!request.complete) request.resume();
}

/** Upper bound of what is still to come of a body. */
function bytesLeft(request: IncomingMessage): number {
  if (request.complete) return 0;
  if (request.headers["transfer-encoding"] !== undefined) return Number.POSITIVE_INFINITY;
  return Number(request.headers["content-length"] ?? 0);
}

/** Calls back when the rest of the body has been thrown away, or has had its time. */
function linger(request: IncomingMessage, done: () => void): void {
  const timer = setTimeout(done, lingerMs);
  request.once("close", () => {
    clearTimeout(timer);
    done();
  });
}

class NodeRequest implements IncomingRequest {
  readonly method: string;
  readonly target: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  #id: string | undefined;
  #gone: AbortController | undefined;
  readonly #bodies: BodyPool;
  #lent: Uint8Array | undefined;
  #reading = false;

  constructor(request: IncomingMessage, response: ServerResponse, bodies: BodyPool) {
    this.#bodies = bodies;
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
      const look = (): void => {
        if (!this.#response.writableFinished) gone.abort();
      };
      if (this.#response.destroyed) look();
      else this.#response.once("close", look);
    }
    return this.#gone.signal;
  }

  async body(bytesMax: number): Promise<Uint8Array> {
    this.#reading = true;
    const tooLarge = Number(this.headers["content-length"]) > bytesMax;
    if (!tooLarge && uninvited.delete(this.#request)) this.#response.writeContinue();
    try {
      return await readBody(this.#request, bytesMax, (length) => this.#allocate(length));
    } finally {
      this.#reading = false;
    }
  }

  /** The reply has left. A body that is still coming keeps its buffer, which then belongs to nobody else. */
  release(): void {
    if (this.#lent && !this.#reading) this.#bodies.give(this.#lent);
    this.#lent = undefined;
  }

  #allocate(length: number): Uint8Array {
    if (length < pooledBytesMin || this.#lent) return Buffer.allocUnsafeSlow(length);
    this.#lent = this.#bodies.take(length);
    return this.#lent;
  }
}

async function close(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(() => server.closeAllConnections(), drainMs);
    server.close(() => {
      clearTimeout(timer);
      resolve();
    });
    server.closeIdleConnections();
  });
}
