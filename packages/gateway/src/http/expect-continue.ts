import type { IncomingMessage, Server, ServerResponse } from "node:http";

const waiting = new WeakSet<IncomingMessage>();

/**
 * Keeps Node from asking for a body before anybody has looked at the request: a client that sends `Expect: 100-continue`
 * is refused before it sends a byte.
 */
export function awaitContinue(server: Server): void {
  server.on("checkContinue", (request, response) => {
    waiting.add(request);
    server.emit("request", request, response);
  });
}

/** Tells a client that waits for it to send its body. */
export function sendContinue(request: IncomingMessage, response: ServerResponse): void {
  if (waiting.delete(request)) response.writeContinue();
}
