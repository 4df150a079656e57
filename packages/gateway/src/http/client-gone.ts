import type { FastifyReply } from "fastify";

/** Stops what is done for a client that leaves before it has its answer. */
export function abortWhenGone(reply: FastifyReply, stop: AbortController): void {
  reply.raw.once("close", () => {
    // An abort makes an error with its stack: too dear for every request that ends well.
    if (!reply.raw.writableFinished) stop.abort();
  });
}
