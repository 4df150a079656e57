import type { HttpHandler, IncomingReply, Listener, Network, OutgoingRequest, ServeOptions } from "@cairn/env";
import { isKind, StorageError } from "@cairn/protocol";

/** The way to the gateway: a server that cannot be reached says so in words that help. */
export class GatewayNetwork implements Network {
  readonly #network: Network;

  constructor(network: Network) {
    this.#network = network;
  }

  async request(request: OutgoingRequest): Promise<IncomingReply> {
    try {
      return await this.#network.request(request);
    } catch (error) {
      if (!isKind(error, "unavailable")) throw error;
      throw new StorageError("unavailable", "reach server", error.subject, {
        hint: "Check the URL and that the server runs; `cairn start` starts a local one.",
        details: { ...error.details, url: request.url },
        cause: error,
      });
    }
  }

  serve(handler: HttpHandler, options: ServeOptions): Promise<Listener> {
    return this.#network.serve(handler, options);
  }
}
