import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { limits, StorageError } from "@cairn/protocol";
import { Connections } from "../http/connections.ts";
import { listenFailure } from "../http/listen-failure.ts";
import { refusalOf } from "./refusal.ts";
import { S3Error } from "./s3-error.ts";
import { S3Handler } from "./s3-handler.ts";
import type { S3Options } from "./s3-options.ts";
import type { S3Reply } from "./s3-reply.ts";
import { isBelow } from "./s3-request.ts";
import { writeError } from "./xml/error-document.ts";

/** How long requests under way may still take when the door closes. */
const drainMs = 10_000;
/** Bytes of an unread body that are worth reading to keep the connection. */
const drainBytesMax = 64 * 1024;
const requestsMax = 512;
/** A client that takes nothing for so long is gone. */
const takeNothingMs = 120_000;

/** The S3 door: a server of its own that translates and nothing else. Disposing finishes what is under way, for ten seconds at most. */
export interface S3Door extends AsyncDisposable {
  /** Serves a connection that somebody else has accepted. */
  accept(connection: Socket): void;
  /** True for a request whose Host is one of the S3 domains, or a bucket below one. */
  takes(request: IncomingMessage): boolean;
  /** Answers a request that came to another server. Never throws. */
  serve(request: IncomingMessage, response: ServerResponse): Promise<void>;
}

/** A door with a port of its own. */
export interface S3Server extends S3Door {
  readonly url: string;
  readonly port: number;
  readonly region: string;
}

/** Starts to listen. Throws conflict when the port is taken. */
export async function startS3(options: S3Options, at: ListenAddress): Promise<S3Server> {
  const { server, door } = makeServer(options);
  await listen(server, at);
  const { address, port } = server.address() as AddressInfo;
  const url = `http://${address.includes(":") ? `[${address}]` : address}:${port}`;
  return { ...door, url, port, region: options.region };
}

/** A door that listens nowhere: all its connections are handed to it. */
export function openS3(options: S3Options): S3Door {
  return makeServer(options).door;
}

interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

function makeServer(options: S3Options): { readonly server: Server; readonly door: S3Door } {
  const handler = new S3Handler(options);
  const requests = new Requests(options, handler);
  const server = createServer(
    {
      headersTimeout: limits.headersTimeoutMs,
      keepAliveTimeout: limits.keepAliveMs,
      connectionsCheckingInterval: 5000,
      maxHeaderSize: limits.headerBytesMax,
      highWaterMark: 256 * 1024,
      noDelay: true,
    },
    (request, response) => void requests.serve(request, response),
  );
  // Whoever waits to be asked for the body is looked at first.
  server.on(
    "checkContinue",
    (request: IncomingMessage, response: ServerResponse) => void requests.serve(request, response),
  );
  server.requestTimeout = 0;
  server.maxConnections = limits.connectionsMax;
  const connections = new Connections(server);
  const door: S3Door = {
    takes: ({ headers: { host } }) => isBelow(host, options.domains),
    serve: (request, response) => requests.serve(request, response),
    accept: (connection) => {
      // The server counts those only that it has accepted itself.
      if (requests.stopping || connections.count >= limits.connectionsMax) connection.destroy();
      else server.emit("connection", connection);
    },
    [Symbol.asyncDispose]: async () => {
      requests.stopping = true;
      const closed = new Promise((resolve) => server.close(resolve));
      const timer = connections.end(options.env.clock, drainMs);
      await closed;
      timer.cancel();
      await handler[Symbol.asyncDispose]();
    },
  };
  return { server, door };
}

/** Requests of one server, and what all their answers have in common. */
class Requests {
  readonly #options: S3Options;
  readonly #handler: S3Handler;
  stopping = false;
  #underWay = 0;
  readonly #idPrefix = randomBytes(5).toString("hex").toUpperCase();
  #requests = 0;

  constructor(options: S3Options, handler: S3Handler) {
    this.#options = options;
    this.#handler = handler;
  }

  /** Never throws. */
  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const id = this.#nextId();
    this.#underWay++;
    try {
      await this.#send(request, response, { id, reply: await this.#answer(request, response, id) });
    } catch (err) {
      // The answer has begun: only a broken connection tells the client that it is not whole.
      if (!response.destroyed) this.#options.env.log.warn({ err, request: id }, "an answer broke off in its middle");
      response.destroy();
    } finally {
      this.#underWay--;
    }
  }

  /** 16 hex digits, never twice. */
  #nextId(): string {
    this.#requests++;
    return this.#idPrefix + this.#requests.toString(16).toUpperCase().padStart(6, "0");
  }

  async #answer(request: IncomingMessage, response: ServerResponse, id: string): Promise<S3Reply> {
    try {
      if (this.stopping || this.#underWay > requestsMax) throw new S3Error("SlowDown");
      return await this.#handler.handle(request, response, id);
    } catch (error) {
      const refusal = refusalOf(error);
      if (refusal.code === "InternalError")
        this.#options.env.log.error({ err: error, request: id, target: request.url?.slice(0, 200) }, "request failed");
      return errorReply(refusal, request, id);
    }
  }

  async #send(
    request: IncomingMessage,
    response: ServerResponse,
    { id, reply }: { readonly id: string; readonly reply: S3Reply },
  ): Promise<void> {
    const { status, headers, body } = reply;
    const unread = unreadBytes(request);
    // What is left of a refused body is either short enough to read, or the connection ends.
    if (this.stopping || unread > drainBytesMax) response.shouldKeepAlive = false;
    const head: Record<string, string | number> = {};
    for (const [name, value] of Object.entries(headers ?? {})) if (value !== undefined) head[name] = value;
    head["x-amz-request-id"] = id;
    head["server"] = "Cairn";
    const bodyless = request.method === "HEAD" || status === 204 || status === 304;
    if (body === undefined || typeof body === "string" || bodyless) {
      const bytes = typeof body === "string" ? Buffer.from(body) : Buffer.alloc(0);
      if (status !== 204 && status !== 304) head["content-length"] ??= bytes.length;
      response.writeHead(status, head).end(bodyless ? undefined : bytes);
      if (!request.complete) request.resume();
      return;
    }
    response.setTimeout(takeNothingMs, () => response.destroy());
    await writeBody(response.writeHead(status, head), body, Number(head["content-length"]));
  }
}

/** Piece by piece, as fast as they are taken; an answer of one piece leaves with its head. Throws when the client goes away. */
async function writeBody(response: ServerResponse, body: AsyncIterable<Uint8Array>, length: number): Promise<void> {
  let left = length;
  for await (const piece of body) {
    left -= piece.length;
    if (left === 0) response.end(piece);
    else if (!response.write(piece)) await drained(response);
    if (response.destroyed) throw new StorageError("cancelled", "send answer", "the client went away");
  }
  response.end();
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off("drain", done).off("close", done);
      resolve();
    };
    response.on("drain", done).on("close", done);
  });
}

function errorReply(error: S3Error, request: IncomingMessage, id: string): S3Reply {
  const resource = (request.url ?? "/").split("?")[0] ?? "/";
  return {
    status: error.status,
    headers: {
      "content-type": "application/xml",
      ...error.headers,
      ...(error.status === 503 ? { "retry-after": 1 } : {}),
      ...(error.details["Region"] === undefined ? {} : { "x-amz-bucket-region": error.details["Region"] }),
    },
    body: writeError(error, { resource, requestId: id, hostId: "cairn" }),
  };
}

/** Upper bound of what is still to come of a body. */
function unreadBytes(request: IncomingMessage): number {
  if (request.complete) return 0;
  if (request.headers["transfer-encoding"] !== undefined) return Number.POSITIVE_INFINITY;
  return Number(request.headers["content-length"] ?? 0);
}

function listen(server: Server, at: ListenAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    // Stays for good: a connection that cannot be accepted must not end the process.
    server.on("error", (cause) => reject(listenFailure(cause, at, "--s3-port")));
    server.listen(at.port, at.host, () => resolve());
  });
}
