import { type MetadataService, type Principal, type Scope, StorageError } from "@cairn/protocol";
import type { FastifyInstance, FastifyRequest } from "fastify";

/** `public`: no token. `own`: the handler checks the caller itself. */
export type RouteScope = Scope | "public" | "own";

declare module "fastify" {
  interface FastifyContextConfig {
    /** Every route says who may call it. */
    scope?: RouteScope;
  }
  interface FastifyRequest {
    principal: Principal | undefined;
  }
}

/** Checks the bearer token of every request against the scope that its route declares; a route without one does not start. */
export function installAuthentication(app: FastifyInstance, metadata: MetadataService): void {
  app.decorateRequest("principal", undefined);
  app.addHook("onRoute", (route) => {
    if (!route.config?.scope) throw new Error(`${route.url} declares no scope`);
  });
  app.addHook("onRequest", async (request) => {
    const scope = request.routeOptions.config.scope ?? "public";
    if (scope === "public" || scope === "own") return;
    request.principal = await authorise(metadata, bearerOf(request), scope);
  });
}

/** Throws unauthenticated, forbidden. */
export async function authorise(metadata: MetadataService, secret: string, scope: Scope): Promise<Principal> {
  const principal = await metadata.authenticate(secret);
  if (allows(principal, scope)) return principal;
  throw new StorageError("forbidden", "check access token", `this needs the scope '${scope}'`, {
    hint: "Use a token that was created with this scope.",
  });
}

function allows({ scopes }: Principal, scope: Scope): boolean {
  return scopes.includes("admin") || scopes.includes(scope) || (scope === "read" && scopes.includes("write"));
}

/** The token of a user: `Authorization: Bearer`, or `X-Cairn-Token` where that header carries a chunk token. */
function bearerOf(request: FastifyRequest): string {
  const own = request.headers["x-cairn-token"];
  if (typeof own === "string") return own;
  const match = /^Bearer (\S+)$/.exec(request.headers.authorization ?? "");
  if (match?.[1]) return match[1];
  throw new StorageError("unauthenticated", "check access token", "no access token came with the request", {
    hint: "Send it as 'Authorization: Bearer cairn_…'.",
  });
}
