import type { HttpMethod, IncomingReply, Network } from "@cairn/env";
import { type CommitId, fromUtf8, isKind, newId, StorageError, utf8 } from "@cairn/protocol";
import type { ClientEnv } from "../options.ts";
import { errorOfProblem } from "./problem.ts";

const timeoutMs = 30_000;
const replyBytesMax = 16 * 1024 * 1024;
const attemptsMax = 4;
const firstPauseMs = 100;

export interface RestCall {
  readonly operation: string;
  /** Below `/api/v1`, with its parts encoded. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
}

/** JSON over the REST API. A change carries a commit id, so that sending it again is safe. */
export class RestClient {
  readonly #env: ClientEnv;
  readonly #network: Network;
  readonly #base: string;
  readonly #token: string | undefined;

  constructor(env: ClientEnv, network: Network, at: { readonly base: string; readonly token: string | undefined }) {
    this.#env = env;
    this.#network = network;
    this.#base = at.base;
    this.#token = at.token;
  }

  get<Result>(call: RestCall): Promise<Result> {
    return this.#retrying(call, () => this.#send<Result>("GET", call, undefined));
  }

  /** A change that may be repeated: the server answers a repetition as it answered the first. */
  change<Result>(method: "POST" | "PATCH" | "DELETE", call: RestCall): Promise<Result> {
    const commit = newId("cm_", this.#env.clock.now(), this.#env.random.bytes(10));
    return this.#retrying(call, () => this.#send<Result>(method, call, commit));
  }

  /** A change whose answer cannot be given twice, such as a new secret. */
  once<Result>(method: "POST" | "PATCH" | "DELETE", call: RestCall): Promise<Result> {
    return this.#send<Result>(method, call, undefined);
  }

  async #send<Result>(method: HttpMethod, call: RestCall, commit: CommitId | undefined): Promise<Result> {
    const reply = await this.#network.request({
      method,
      url: `${this.#base}/api/v1${call.path}${spellQuery(call.query)}`,
      headers: {
        accept: "application/json",
        ...(call.body === undefined ? {} : { "content-type": "application/json" }),
        ...(this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` }),
        ...(commit === undefined ? {} : { "idempotency-key": commit }),
      },
      body: call.body === undefined ? [] : [utf8(JSON.stringify(call.body))],
      timeoutMs,
      replyBytesMax,
      signal: call.signal,
    });
    if (reply.status >= 400) throw errorOfProblem(reply, call.operation);
    return jsonOf<Result>(reply, call.operation);
  }

  async #retrying<Result>(call: RestCall, work: () => Promise<Result>): Promise<Result> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await work();
      } catch (error) {
        const passing = isKind(error, "unavailable", "overloaded") && error.details["unreachable"] !== true;
        if (attempt === attemptsMax || !passing || call.signal?.aborted) throw error;
        await this.#env.clock.sleep(firstPauseMs * 2 ** attempt * (0.5 + this.#env.random.fraction()), call.signal);
      }
    }
  }
}

function jsonOf<Result>(reply: IncomingReply, operation: string): Result {
  if (reply.body.length === 0) return undefined as Result;
  try {
    return JSON.parse(fromUtf8(reply.body)) as Result;
  } catch (cause) {
    throw new StorageError("internal", operation, "the server's answer is not JSON", {
      hint: "Check that the URL is that of a Cairn server.",
      cause,
    });
  }
}

function spellQuery(query: RestCall["query"] = {}): string {
  const pairs = Object.entries(query)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`);
  return pairs.length === 0 ? "" : `?${pairs.join("&")}`;
}
