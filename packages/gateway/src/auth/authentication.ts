import { type Principal, type Scope, StorageError } from "@cairn/protocol";
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Admission, RequestClass } from "../http/admission.ts";
import type { Principals } from "./principals.ts";

/** `public`: no token. `own`: the handler checks the caller itself. */
export type RouteScope = Scope | "public" | "own";

declare module "fastify" {
  interface FastifyContextConfig {
    /** Every route says who may call it, some by what is asked for. */
    scope?: RouteScope | ((request: FastifyRequest) => RouteScope);
    /** Whose room it takes, with some by what is asked for; absent: `rest`. */
    pool?: RequestClass | ((request: FastifyRequest) => RequestClass);
    /** True when the handler reads the body itself, piece by piece. */
    streams?: boolean;
  }
  interface FastifyRequest {
    principal: Principal | undefined;
  }
}

/**
 * Checks the bearer token of every request against the scope that its route declares, then waits for room; both before
 * the body is read. A route without a scope does not start.
 */
export function installAuthentication(app: FastifyInstance, principals: Principals, admission: Admission): void {
  app.decorateRequest("principal", undefined);
  app.addHook("onRoute", (route) => {
    if (!route.config?.scope) throw new Error(`${route.url} declares no scope`);
  });
  app.addHook("onRequest", async (request, reply) => {
    const { scope: declared = "public", pool = "rest" } = request.routeOptions.config;
    const scope = typeof declared === "function" ? declared(request) : declared;
    if (scope !== "public" && scope !== "own") {
      request.principal = await principals.authorise(bearerOf(request), scope);
    }
    const room = typeof pool === "function" ? pool(request) : pool;
    const leave = await admission.enter(request.is404 ? "free" : room);
    if (reply.raw.destroyed) leave();
    else reply.raw.once("close", leave);
  });
}

/**
 * The token of a user: `Authorization: Bearer`, or `X-Cairn-Token` where that header carries a chunk token. Throws
 * unauthenticated.
 */
export function bearerOf(request: FastifyRequest): string {
  const own = request.headers["x-cairn-token"];
  if (typeof own === "string") return own;
  const match = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? "");
  if (match?.[1]) return match[1];
  throw new StorageError("unauthenticated", "check access token", "no access token came with the request", {
    hint: "Send it as 'Authorization: Bearer cairn_…'.",
  });
}
