import type { IncomingReply, OutgoingRequest } from "@cairn/env";
import { StorageError } from "@cairn/protocol";
import { Pool } from "undici";
import { HttpExchange } from "./http-exchange.ts";
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
    const { origin, pathname, search } = new URL(request.url);
    const exchange = new HttpExchange(request);
    const cancelled = (): void => exchange.stop(new StorageError("cancelled", "request", origin + pathname));
    if (request.signal?.aborted) throw new StorageError("cancelled", "request", origin + pathname);
    const timer = setTimeout(() => exchange.stop(tooSlow(request, origin)), request.timeoutMs);
    request.signal?.addEventListener("abort", cancelled, { once: true });
    try {
      const { method, headers, body } = request;
      this.#pool(origin).dispatch(
        { method, path: pathname + search, headers: headers ?? null, body: bodyOf(body) },
        exchange,
      );
      return await exchange.reply;
    } catch (error) {
      throw translate(error, origin);
    } finally {
      clearTimeout(timer);
      request.signal?.removeEventListener("abort", cancelled);
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
}

function tooSlow(request: OutgoingRequest, origin: string): StorageError {
  return new StorageError("unavailable", "request", `${origin} (no answer within ${request.timeoutMs} ms)`, {
    details: { code: "TIMEOUT", unreachable: false },
  });
}

function translate(error: unknown, origin: string): StorageError {
  if (error instanceof StorageError) return error;
  const code = codeOf(error) || (error instanceof Error ? error.name : "");
  return new StorageError("unavailable", "request", `${origin} (${code || "failed"})`, {
    cause: error,
    details: { code, unreachable: unreachableCodes.includes(code) },
  });
}

function bodyOf(parts: readonly Uint8Array[] | undefined): Uint8Array | Buffer | null {
  if (!parts || parts.length === 0) return null;
  return parts.length === 1 ? (parts[0] ?? null) : Buffer.concat(parts);
}
