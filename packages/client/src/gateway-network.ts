import type { HttpHandler, IncomingReply, Listener, Network, OutgoingRequest, ServeOptions } from "@cairn/env";
import { isKind, StorageError } from "@cairn/protocol";
import type { ClientEnv } from "./options.ts";

/** A server that answered before and is not there now is taken to be restarting for so long, ms. */
const restartMs = 20_000;
const firstPauseMs = 100;
const pauseMsMax = 1000;

/**
 * The way to the gateway. One that never answered is told at once, in words that help; one that did is waited for while it
 * restarts. Only a request that was not sent is sent again here: it cannot have happened.
 */
export class GatewayNetwork implements Network {
  readonly #env: Pick<ClientEnv, "clock" | "random" | "network">;
  #answered = false;

  constructor(env: Pick<ClientEnv, "clock" | "random" | "network">) {
    this.#env = env;
  }

  async request(request: OutgoingRequest): Promise<IncomingReply> {
    const { clock, random } = this.#env;
    const startedAt = clock.monotonic();
    for (let attempt = 0; ; attempt++) {
      try {
        const reply = await this.#env.network.request(request);
        this.#answered = true;
        return reply;
      } catch (error) {
        if (!isKind(error, "unavailable")) throw error;
        const spent = clock.monotonic() - startedAt;
        if (error.details["unreachable"] !== true || !this.#answered || spent > restartMs)
          throw explained(error, request);
        await clock.sleep(
          Math.min(firstPauseMs * 2 ** attempt, pauseMsMax) * (0.5 + random.fraction()),
          request.signal,
        );
      }
    }
  }

  serve(handler: HttpHandler, options: ServeOptions): Promise<Listener> {
    return this.#env.network.serve(handler, options);
  }
}

function explained(error: StorageError, request: OutgoingRequest): StorageError {
  return new StorageError("unavailable", "reach server", error.subject, {
    hint: "Check the URL and that the server runs; `cairn start` starts a local one.",
    details: { ...error.details, url: request.url },
    cause: error,
  });
}
