import type { AddressInfo } from "node:net";
import type { FastifyInstance } from "fastify";
import { installAuthentication } from "./auth/authentication.ts";
import { Principals } from "./auth/principals.ts";
import type { GatewayOptions } from "./gateway-options.ts";
import { Admission } from "./http/admission.ts";
import { Connections } from "./http/connections.ts";
import { listenFailure } from "./http/listen-failure.ts";
import { methodRoutes } from "./http/method-routes.ts";
import { createServer } from "./http/server.ts";
import { accessKeyRoutes } from "./rest/access-key-routes.ts";
import { clusterRoutes } from "./rest/cluster-routes.ts";
import { contentRoutes } from "./rest/content-routes.ts";
import { fileChangeRoutes } from "./rest/file-change-routes.ts";
import { fileInsightRoutes } from "./rest/file-insight-routes.ts";
import { fileLookupRoutes } from "./rest/file-lookup-routes.ts";
import { collectionRoutes, maintenanceRoutes } from "./rest/maintenance-routes.ts";
import { operationsRoutes } from "./rest/operations-routes.ts";
import { relayRoutes } from "./rest/relay-routes.ts";
import { RequestContext } from "./rest/request-context.ts";
import { trashRoutes } from "./rest/trash-routes.ts";
import { webhookRoutes } from "./rest/webhook-routes.ts";

/** A gateway that listens. */
export interface Gateway extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
}

const prefix = "/api/v1";
const rememberPrincipalsMsMax = 1000;
/** How long requests under way may still take when the gateway stops. */
const drainMs = 10_000;

/** A gateway with all its routes, not listening yet. */
export async function createGateway(options: GatewayOptions): Promise<FastifyInstance> {
  const app = await createServer(options);
  const { env, metadata, rememberPrincipalsMs = 0 } = options;
  const principals = new Principals(env.clock, metadata, Math.min(rememberPrincipalsMs, rememberPrincipalsMsMax));
  installAuthentication(app, principals, new Admission(env, options.requestsMax));
  const context = new RequestContext(options);
  for (const routes of [fileLookupRoutes, fileChangeRoutes, fileInsightRoutes, trashRoutes]) {
    await app.register(async (scope) => routes(scope, options, context), { prefix });
  }
  for (const routes of [
    accessKeyRoutes,
    webhookRoutes,
    clusterRoutes,
    operationsRoutes,
    maintenanceRoutes,
    collectionRoutes,
  ]) {
    await app.register(async (scope) => routes(scope, options), { prefix });
  }
  await app.register(async (scope) => contentRoutes(scope, options, context), { prefix });
  await app.register(async (scope) => relayRoutes(scope, options), { prefix });
  await app.register(async (scope) => methodRoutes(scope, options));
  await app.register(async (scope) => processRoutes(scope, options));
  return app;
}

/** Starts a gateway. Throws conflict when the port is taken. Disposing finishes what is under way, for ten seconds at most. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const app = await createGateway(options);
  const connections = new Connections(app.server);
  try {
    await app.listen(options.listen);
  } catch (cause) {
    await app.close();
    throw listenFailure(cause, options.listen, "--port");
  }
  const address = app.server.address() as AddressInfo;
  const shown = address.address.includes(":") ? `[${address.address}]` : address.address;
  return {
    url: `http://${shown}:${address.port}`,
    port: address.port,
    [Symbol.asyncDispose]: async () => {
      const closed = app.close();
      const timer = connections.end(options.env.clock, drainMs);
      await closed;
      timer.cancel();
    },
  };
}

/** For those who watch the process: alive, ready, measured. */
function processRoutes(app: FastifyInstance, { env, openMetrics, notReady }: GatewayOptions): void {
  app.get("/healthz", {
    config: { scope: "public", pool: "free" },
    schema: { hide: true },
    handler: async () => "ok\n",
  });
  app.get("/readyz", {
    config: { scope: "public", pool: "free" },
    schema: { hide: true },
    handler: async (_request, reply) => {
      const reason = notReady?.();
      return reply.code(reason === undefined ? 200 : 503).send({ ready: reason === undefined, reason });
    },
  });
  app.get("/metrics", {
    config: { scope: openMetrics ? "public" : "admin", pool: "free" },
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
