import type { Scope } from "@cairn/protocol";
import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import type { FastifyInstance } from "fastify";
import { Type } from "typebox";
import type { GatewayOptions } from "../gateway-options.ts";
import { timeText, tokenResource } from "./resources.ts";
import { driveSchema, tokenSchema } from "./schemas.ts";

const joinTokenMs = 3_600_000;
const scopeSchema = Type.Union([Type.Literal("read"), Type.Literal("write"), Type.Literal("admin")]);

/** The cluster and who may use it. */
export function clusterRoutes(base: FastifyInstance, { metadata, version, env }: GatewayOptions): void {
  const app = base.withTypeProvider<TypeBoxTypeProvider>();

  app.get("/cluster", {
    config: { scope: "read" },
    schema: { summary: "State of the cluster" },
    handler: async () => {
      const { startedAt, ...status } = await metadata.status();
      return { ...status, startedAt: timeText(startedAt) };
    },
  });
  app.get("/nodes", {
    config: { scope: "read" },
    schema: { summary: "The storage nodes" },
    handler: async () => ({ items: await metadata.nodes() }),
  });
  app.get("/drives", {
    config: { scope: "read" },
    schema: { summary: "The drives", response: { 200: Type.Object({ items: Type.Array(driveSchema) }) } },
    handler: async () => ({ items: [...(await metadata.drives())] }),
  });
  app.get("/version", {
    config: { scope: "public" },
    schema: { summary: "Version of this gateway" },
    handler: async () => ({ version }),
  });

  app.get("/tokens", {
    config: { scope: "admin" },
    schema: {
      summary: "Access tokens, without their secrets",
      response: { 200: Type.Object({ items: Type.Array(tokenSchema) }) },
    },
    handler: async () => ({ items: (await metadata.listTokens()).map(tokenResource) as never }),
  });
  app.post("/tokens", {
    config: { scope: "admin" },
    schema: {
      summary: "Make an access token; its secret is shown once",
      body: Type.Object({
        name: Type.String({ minLength: 1, maxLength: 100 }),
        scopes: Type.Array(scopeSchema, { minItems: 1, maxItems: 3 }),
        expiresInMs: Type.Optional(Type.Integer({ minimum: 1 })),
      }),
      response: { 201: Type.Object({ token: tokenSchema, secret: Type.String() }) },
    },
    handler: async ({ body }, reply) => {
      const { token, secret } = await metadata.createToken({ ...body, scopes: body.scopes as Scope[] });
      return reply.code(201).send({ token: tokenResource(token) as never, secret });
    },
  });
  app.delete("/tokens/:token", {
    config: { scope: "admin" },
    schema: { summary: "Revoke an access token", params: Type.Object({ token: Type.String({ maxLength: 64 }) }) },
    handler: async ({ params }, reply) => {
      await metadata.revokeToken(params.token);
      return reply.code(204).send();
    },
  });
  app.post("/nodes/join-tokens", {
    config: { scope: "admin" },
    schema: {
      summary: "Make a secret with which machines may join",
      body: Type.Optional(Type.Object({ expiresInMs: Type.Optional(Type.Integer({ minimum: 1000 })) })),
      response: { 201: Type.Object({ secret: Type.String(), expiresAt: Type.String() }) },
    },
    handler: async ({ body }, reply) => {
      const token = await metadata.createJoinToken({ expiresInMs: body?.expiresInMs ?? joinTokenMs });
      env.log.info({ until: token.expiresAt }, "join token made");
      return reply.code(201).send({ ...token, expiresAt: timeText(token.expiresAt) });
    },
  });
}
