import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { FaultMode } from "./fault-mode.ts";
import { ProxiedConnection, type ProxyState, type Target } from "./proxied-connection.ts";

/**
 * A TCP proxy on loopback that does to connections what a bad network does. The mode holds for connections that stand and
 * for new ones, and can be changed at any time; so can the target.
 */
export class FaultProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #connections = new Set<ProxiedConnection>();
  readonly #state: ProxyState = { mode: { kind: "pass" }, target: undefined, injected: 0, timesLeft: 0 };
  #accepted = 0;

  private constructor(server: Server) {
    this.#server = server;
    server.on("connection", (client) => this.#take(client));
  }

  static async listen(target?: Target): Promise<FaultProxy> {
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const proxy = new FaultProxy(server);
    proxy.#state.target = target;
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Connections so far. */
  get accepted(): number {
    return this.#accepted;
  }

  /** Faults that really happened in the present mode. */
  get injected(): number {
    return this.#state.injected;
  }

  set target(target: Target) {
    this.#state.target = target;
  }

  get mode(): FaultMode {
    return this.#state.mode;
  }

  set mode(mode: FaultMode) {
    this.#state.mode = mode;
    this.#state.injected = 0;
    this.#state.timesLeft = "times" in mode && mode.times !== undefined ? mode.times : Number.POSITIVE_INFINITY;
    for (const connection of this.#connections) connection.modeChanged();
  }

  /** Resets every connection that stands. */
  cut(): void {
    for (const connection of this.#connections) connection.reset();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    this.#server.close();
    if (this.#server.listening) await once(this.#server, "close");
  }

  #take(client: Socket): void {
    this.#accepted++;
    const connection = new ProxiedConnection(client, this.#state);
    this.#connections.add(connection);
    connection.closed.then(
      () => this.#connections.delete(connection),
      () => undefined,
    );
  }
}
