import type { HttpMethod, IncomingRequest } from "@cairn/env";
import { limits, StorageError } from "@cairn/protocol";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { authorise } from "../auth/authentication.ts";
import type { GatewayOptions } from "../gateway-options.ts";

/** Mounts the methods of services that came ready-made: the data path for SDKs, the internal services for nodes. */
export function methodRoutes(app: FastifyInstance, { mounts, metadata }: GatewayOptions): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer", bodyLimit: limits.metadataBodyBytesMax }, (_request, body, done) =>
    done(null, body),
  );
  for (const mount of mounts) {
    app.post<{ Params: { method: string } }>(`${mount.base}/:method`, {
      config: { scope: "own" },
      bodyLimit: limits.metadataBodyBytesMax,
      schema: { hide: true },
      handler: async (request, reply) => {
        const scope = mount.scopeOf(request.params.method);
        if (scope !== "own") await authorise(metadata, bearerOf(request), scope);
        const answer = await mount.handler(asIncoming(request));
        for (const [name, value] of Object.entries(answer.headers ?? {})) void reply.header(name, value);
        return reply.code(answer.status).send(Buffer.concat(answer.body ?? []));
      },
    });
  }
}

function bearerOf(request: FastifyRequest): string {
  const match = /^Bearer (\S+)$/.exec(request.headers.authorization ?? "");
  if (match?.[1]) return match[1];
  throw new StorageError("unauthenticated", "check access token", "no access token came with the request");
}

/** A request whose body Fastify has read, as the services see requests. */
function asIncoming(request: FastifyRequest): IncomingRequest {
  return {
    method: request.method as HttpMethod,
    target: request.url,
    headers: request.headers as Record<string, string | undefined>,
    id: request.id,
    body: async (bytesMax) => {
      const body = Buffer.isBuffer(request.body) ? request.body : new Uint8Array(0);
      if (body.length > bytesMax)
        throw new StorageError("too-large", "read body", `at most ${bytesMax} bytes are taken here`);
      return body;
    },
    signal: new AbortController().signal,
  };
}
