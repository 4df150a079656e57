import type { Server } from "node:http";
import type { Socket } from "node:net";
import type { Clock } from "@cairn/env";

/** The connections of a server, so that stopping waits for requests and not for those who only keep a connection open. */
export class Connections {
  readonly #server: Server;
  /** Requests under way on each. */
  readonly #sockets = new Map<Socket, number>();

  constructor(server: Server) {
    this.#server = server;
    server.on("connection", (socket) => {
      this.#sockets.set(socket, 0);
      socket.once("close", () => this.#sockets.delete(socket));
    });
    server.on("request", ({ socket }, response) => {
      this.#count(socket, 1);
      response.once("close", () => this.#count(socket, -1));
    });
  }

  get count(): number {
    return this.#sockets.size;
  }

  /** Ends what nobody uses now, and what is still used after `drainMs`: broken off, never ended as if it were whole. */
  end(clock: Clock, drainMs: number): { cancel(): void } {
    for (const [socket, requests] of this.#sockets) if (requests === 0) socket.destroy();
    return clock.after(drainMs, () => this.#server.closeAllConnections());
  }

  #count(socket: Socket, change: number): void {
    const before = this.#sockets.get(socket);
    if (before !== undefined) this.#sockets.set(socket, before + change);
  }
}
