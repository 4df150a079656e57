import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { httpUrl } from "../reachable-host.ts";

/** Who takes connections that somebody else has accepted; false: not now. */
export interface ConnectionTaker {
  hand(connection: Socket): boolean;
}

/** A port whose connections go round among several processes. A connection that nobody takes is closed: clients try again. */
export class SharedPort implements AsyncDisposable {
  readonly #server: Server;
  #takers: readonly ConnectionTaker[] = [];
  #turn = 0;

  private constructor(server: Server) {
    this.#server = server;
    server.on("connection", (connection) => this.#handOver(connection));
  }

  /** Throws conflict when the port is taken. */
  static listen(host: string, port: number): Promise<SharedPort> {
    return new Promise((resolve, reject) => {
      // What is read here would be missing there.
      const server = createServer({ pauseOnConnect: true, noDelay: true });
      server.on("error", async (cause) => {
        // Loaded for its words only when they are needed: a supervisor does without all that a gateway is made of.
        const { listenFailure } = await import("@cairn/gateway");
        reject(listenFailure(cause, { host, port }, "--s3-port"));
      });
      server.listen(port, host, () => resolve(new SharedPort(server)));
    });
  }

  get url(): string {
    const { address, port } = this.#server.address() as AddressInfo;
    return httpUrl(address, port);
  }

  /** From now on these take turns. */
  handTo(takers: readonly ConnectionTaker[]): void {
    this.#takers = takers;
  }

  /** Takes no more connections; those that were handed over live on. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
  }

  #handOver(connection: Socket): void {
    connection.on("error", () => connection.destroy());
    for (let tries = 0; tries < this.#takers.length; tries++) {
      if (this.#takers[this.#turn++ % this.#takers.length]?.hand(connection)) return;
    }
    connection.destroy();
  }
}
