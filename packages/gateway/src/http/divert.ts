import type { IncomingMessage, Server, ServerResponse } from "node:http";

/** Who answers some requests of a server in place of its own listeners. */
export interface OtherDoor {
  takes(request: IncomingMessage): boolean;
  serve(request: IncomingMessage, response: ServerResponse): Promise<void>;
}

/** Leads requests that another door takes to it, those too that wait to be asked for their body; all others as before. */
export function divert(server: Server, door: OtherDoor): void {
  for (const event of ["request", "checkContinue"] as const) {
    const own = server.listeners(event) as ((request: IncomingMessage, response: ServerResponse) => void)[];
    server.removeAllListeners(event);
    server.on(event, (request: IncomingMessage, response: ServerResponse) => {
      if (door.takes(request)) void door.serve(request, response);
      else for (const listener of own) listener.call(server, request, response);
    });
  }
}
