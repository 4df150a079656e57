import type { AddressInfo } from "node:net";
import { StorageError } from "@cairn/protocol";
import type { FastifyInstance } from "fastify";
import { installAuthentication } from "./auth/authentication.ts";
import type { GatewayOptions } from "./gateway-options.ts";
import { methodRoutes } from "./http/method-routes.ts";
import { createServer } from "./http/server.ts";
import { clusterRoutes } from "./rest/cluster-routes.ts";
import { contentRoutes } from "./rest/content-routes.ts";
import { fileChangeRoutes } from "./rest/file-change-routes.ts";
import { fileInsightRoutes } from "./rest/file-insight-routes.ts";
import { fileLookupRoutes } from "./rest/file-lookup-routes.ts";
import { relayRoutes } from "./rest/relay-routes.ts";
import { RequestContext } from "./rest/request-context.ts";
import { trashRoutes } from "./rest/trash-routes.ts";

/** A gateway that listens. */
export interface Gateway extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
}

const prefix = "/api/v1";

/** A gateway with all its routes, not listening yet. */
export async function createGateway(options: GatewayOptions): Promise<FastifyInstance> {
  const app = await createServer(options);
  installAuthentication(app, options.metadata);
  const context = new RequestContext(options);
  for (const routes of [fileLookupRoutes, fileChangeRoutes, fileInsightRoutes, trashRoutes]) {
    await app.register(async (scope) => routes(scope, options, context), { prefix });
  }
  await app.register(async (scope) => clusterRoutes(scope, options), { prefix });
  await app.register(async (scope) => contentRoutes(scope, options, context), { prefix });
  await app.register(async (scope) => relayRoutes(scope, options), { prefix });
  await app.register(async (scope) => methodRoutes(scope, options));
  await app.register(async (scope) => operationRoutes(scope, options));
  return app;
}

/** Starts a gateway. Throws conflict when the port is taken. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const app = await createGateway(options);
  const { host, port } = options.listen;
  try {
    await app.listen({ host, port });
  } catch (cause) {
    const taken = (cause as { code?: string }).code === "EADDRINUSE";
    throw new StorageError(taken ? "conflict" : "internal", "listen", `${host}:${port}`, {
      cause,
      hint: taken
        ? `Another program uses port ${port}. Stop it, or choose another with --port.`
        : "Check the address given with --host.",
    });
  }
  const address = app.server.address() as AddressInfo;
  const shown = address.address.includes(":") ? `[${address.address}]` : address.address;
  return {
    url: `http://${shown}:${address.port}`,
    port: address.port,
    [Symbol.asyncDispose]: async () => {
      app.server.closeIdleConnections();
      await app.close();
    },
  };
}

/** For those who watch the process: alive, ready, measured. */
function operationRoutes(app: FastifyInstance, { env, openMetrics, notReady }: GatewayOptions): void {
  app.get("/healthz", { config: { scope: "public" }, schema: { hide: true }, handler: async () => "ok\n" });
  app.get("/readyz", {
    config: { scope: "public" },
    schema: { hide: true },
    handler: async (_request, reply) => {
      const reason = notReady?.();
      return reply.code(reason === undefined ? 200 : 503).send({ ready: reason === undefined, reason });
    },
  });
  app.get("/metrics", {
    config: { scope: openMetrics ? "public" : "admin" },
    schema: { hide: true },
    handler: async (_request, reply) =>
      reply.type("text/plain; version=0.0.4; charset=utf-8").send(await env.metrics.expose()),
  });
  app.get(`${prefix}/openapi.json`, {
    config: { scope: "public" },
    schema: { hide: true },
    handler: async () => app.swagger(),
  });
}
