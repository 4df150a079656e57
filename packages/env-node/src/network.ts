import type { HttpHandler, IncomingReply, Listener, Network, OutgoingRequest, ServeOptions } from "@cairn/env";
import { HttpClient } from "./http-client.ts";
import { serveHttp } from "./http-server.ts";

/** HTTP/1.1: bare node:http to serve, undici's pools to ask. */
export class NodeNetwork implements Network, AsyncDisposable {
  readonly #client = new HttpClient();

  request(request: OutgoingRequest): Promise<IncomingReply> {
    return this.#client.request(request);
  }

  serve(handler: HttpHandler, options: ServeOptions): Promise<Listener> {
    return serveHttp(handler, options);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#client[Symbol.asyncDispose]();
  }
}
