import type { HttpReply, IncomingRequest } from "@cairn/env";
import { limits } from "@cairn/protocol";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { GatewayOptions } from "../gateway-options.ts";
import { abortWhenGone } from "./client-gone.ts";
import { sendContinue } from "./expect-continue.ts";
import { wholeBody } from "./whole-body.ts";

/** Mounts the methods of services that came ready-made: the data path for SDKs, the internal services for nodes. */
export function methodRoutes(app: FastifyInstance, { mounts, env }: GatewayOptions): void {
  // Bodies are read when the service asks for them, which it does when it knows the caller.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", (_request, _payload, done) => done(null));
  for (const mount of mounts) {
    app.post<{ Params: { method: string } }>(`${mount.base}/:method`, {
      config: {
        scope: ({ params }) => mount.scopeOf((params as { method: string }).method),
        pool: mount.pool ?? "data",
        streams: true,
      },
      schema: { hide: true },
      handler: async (request, reply) => {
        const answer = await mount.handler(asIncoming(request, reply, env.clock));
        for (const [name, value] of Object.entries(answer.headers ?? {})) void reply.header(name, value);
        return reply.code(answer.status).send(bodyOf(answer));
      },
    });
  }
}

function bodyOf({ body = [] }: HttpReply): Buffer {
  const [only = new Uint8Array(0)] = body;
  return body.length > 1 ? Buffer.concat(body) : Buffer.from(only.buffer, only.byteOffset, only.byteLength);
}

/** A request as the services see it. */
function asIncoming(
  request: FastifyRequest,
  reply: FastifyReply,
  clock: GatewayOptions["env"]["clock"],
): IncomingRequest {
  const gone = new AbortController();
  abortWhenGone(reply, gone);
  return {
    method: request.method,
    target: request.url,
    headers: request.headers as Record<string, string | undefined>,
    id: request.id,
    body: (bytesMax) => {
      sendContinue(request.raw, reply.raw);
      return wholeBody(request.raw, Math.min(bytesMax, limits.metadataBodyBytesMax), clock);
    },
    signal: gone.signal,
  };
}
