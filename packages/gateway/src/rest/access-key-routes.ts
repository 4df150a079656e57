import { type AccessKey, StorageError } from "@cairn/protocol";
import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import type { FastifyInstance } from "fastify";
import { Type } from "typebox";
import type { GatewayOptions } from "../gateway-options.ts";
import { timeText } from "./resources.ts";

const scopeSchema = Type.Union([Type.Literal("read"), Type.Literal("write")]);
const driveNames = Type.Array(Type.String({ minLength: 1, maxLength: 100 }), { minItems: 1, maxItems: 100 });
const keySchema = Type.Object({
  accessKeyId: Type.String(),
  name: Type.String(),
  scopes: Type.Array(scopeSchema),
  drives: Type.Union([driveNames, Type.Null()]),
  createdAt: Type.String(),
  expiresAt: Type.Union([Type.String(), Type.Null()]),
});

/** Access keys of the S3 door. */
export function accessKeyRoutes(base: FastifyInstance, { metadata, s3 }: GatewayOptions): void {
  const app = base.withTypeProvider<TypeBoxTypeProvider>();

  app.get("/s3/keys", {
    config: { scope: "admin" },
    schema: {
      summary: "Access keys of S3, without their secrets",
      response: { 200: Type.Object({ items: Type.Array(keySchema) }) },
    },
    handler: async () => ({ items: (await metadata.listAccessKeys()).map(keyResource) as never }),
  });
  app.post("/s3/keys", {
    config: { scope: "admin" },
    schema: {
      summary: "Make an access key for S3; its secret is shown once",
      body: Type.Object({
        name: Type.String({ minLength: 1, maxLength: 100 }),
        scopes: Type.Array(scopeSchema, { minItems: 1, maxItems: 2 }),
        drives: Type.Optional(driveNames),
        expiresInMs: Type.Optional(Type.Integer({ minimum: 1 })),
      }),
      response: {
        201: Type.Object({
          endpoint: Type.String(),
          region: Type.String(),
          accessKeyId: Type.String(),
          secretAccessKey: Type.String(),
          key: keySchema,
        }),
      },
    },
    handler: async ({ body }, reply) => {
      if (!s3) throw new StorageError("unavailable", "make access key", "this gateway has no S3 door");
      const { key, secret } = await metadata.createAccessKey({ ...body, scopes: body.scopes as AccessKey["scopes"] });
      return reply.code(201).send({
        endpoint: s3.url,
        region: s3.region,
        accessKeyId: key.id,
        secretAccessKey: secret,
        key: keyResource(key) as never,
      });
    },
  });
  app.delete("/s3/keys/:key", {
    config: { scope: "admin" },
    schema: { summary: "Revoke an access key of S3", params: Type.Object({ key: Type.String({ maxLength: 64 }) }) },
    handler: async ({ params }, reply) => {
      await metadata.revokeAccessKey(params.key);
      return reply.code(204).send();
    },
  });
}

function keyResource({ id, name, scopes, drives, createdAt, expiresAt }: AccessKey): object {
  return {
    accessKeyId: id,
    name,
    scopes,
    drives: drives ?? null,
    createdAt: timeText(createdAt),
    expiresAt: expiresAt === undefined ? null : timeText(expiresAt),
  };
}
