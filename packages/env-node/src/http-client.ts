import type { IncomingReply, OutgoingRequest } from "@cairn/env";
import { StorageError } from "@cairn/protocol";
import { type Dispatcher, Pool } from "undici";
import { codeOf } from "./system-error.ts";

const connectionsPerOrigin = 64;
/** Shorter than servers keep an idle connection, so that a request never meets one that is just being closed. */
const idleMs = 30_000;
const unreachableCodes = [
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EAI_AGAIN",
  "UND_ERR_CONNECT_TIMEOUT",
];

/** HTTP requests over pooled connections. */
export class HttpClient implements AsyncDisposable {
  readonly #pools = new Map<string, Pool>();

  async request(request: OutgoingRequest): Promise<IncomingReply> {
    const url = new URL(request.url);
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(), request.timeoutMs);
    const stop = (): void => deadline.abort();
    request.signal?.addEventListener("abort", stop, { once: true });
    try {
      if (request.signal?.aborted) stop();
      const reply = await this.#pool(url.origin).request({
        method: request.method,
        path: url.pathname + url.search,
        headers: request.headers ?? null,
        body: bodyOf(request.body),
        signal: deadline.signal,
      });
      return { status: reply.statusCode, headers: flat(reply.headers), body: await collect(reply.body, request) };
    } catch (error) {
      throw this.#translate(error, request);
    } finally {
      clearTimeout(timer);
      request.signal?.removeEventListener("abort", stop);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const pools = [...this.#pools.values()];
    this.#pools.clear();
    await Promise.all(pools.map((pool) => pool.destroy()));
  }

  #pool(origin: string): Pool {
    const known = this.#pools.get(origin);
    if (known) return known;
    const pool = new Pool(origin, {
      connections: connectionsPerOrigin,
      pipelining: 1,
      keepAliveTimeout: idleMs,
      keepAliveMaxTimeout: idleMs,
      connectTimeout: 5000,
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    this.#pools.set(origin, pool);
    return pool;
  }

  #translate(error: unknown, request: OutgoingRequest): StorageError {
    if (error instanceof StorageError) return error;
    const { origin, pathname } = new URL(request.url);
    if (request.signal?.aborted)
      return new StorageError("cancelled", "request", `${origin}${pathname}`, { cause: error });
    const code = codeOf(error) || (error instanceof Error ? error.name : "");
    const why = code === "AbortError" || code === "UND_ERR_ABORTED" ? `no answer within ${request.timeoutMs} ms` : code;
    return new StorageError("unavailable", "request", `${origin} (${why || "failed"})`, {
      cause: error,
      details: { code, unreachable: unreachableCodes.includes(code) },
    });
  }
}

function bodyOf(parts: readonly Uint8Array[] | undefined): Uint8Array | Buffer | null {
  if (!parts || parts.length === 0) return null;
  return parts.length === 1 ? (parts[0] ?? null) : Buffer.concat(parts);
}

function flat(headers: Dispatcher.ResponseData["headers"]): Record<string, string> {
  const result: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) result[name] = Array.isArray(value) ? value.join(", ") : value;
  }
  return result;
}

/** The length is known beforehand as a rule: then the pieces go straight into one buffer. */
async function collect(body: Dispatcher.ResponseData["body"], request: OutgoingRequest): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of body as AsyncIterable<Uint8Array>) {
    length += piece.length;
    if (length > request.replyBytesMax) {
      throw new StorageError("too-large", "read answer", `${request.url}: more than ${request.replyBytesMax} bytes`);
    }
    pieces.push(piece);
  }
  return pieces.length === 1 && pieces[0] ? pieces[0] : Buffer.concat(pieces, length);
}
