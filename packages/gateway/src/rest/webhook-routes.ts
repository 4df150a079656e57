import { StorageError, targetOfWebhook } from "@cairn/protocol";
import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import type { FastifyInstance } from "fastify";
import { Type } from "typebox";
import type { GatewayOptions } from "../gateway-options.ts";
import { timeText } from "./resources.ts";

const nameSchema = Type.String({ minLength: 1, maxLength: 63 });
const webhookSchema = Type.Object({
  name: Type.String(),
  url: Type.String(),
  target: Type.String(),
  createdAt: Type.String(),
  waiting: Type.Integer(),
});

/** Where events of buckets are posted. */
export function webhookRoutes(base: FastifyInstance, { metadata }: GatewayOptions): void {
  const app = base.withTypeProvider<TypeBoxTypeProvider>();

  app.get("/s3/webhooks", {
    config: { scope: "admin" },
    schema: {
      summary: "Webhooks that notifications of buckets may name, and how many events wait for each",
      response: { 200: Type.Object({ items: Type.Array(webhookSchema) }) },
    },
    handler: async () => ({
      items: (await metadata.webhooks()).map((webhook) => ({
        ...webhook,
        target: targetOfWebhook(webhook.name),
        createdAt: timeText(webhook.createdAt),
      })),
    }),
  });
  app.post("/s3/webhooks", {
    config: { scope: "admin" },
    schema: {
      summary: "Add a webhook, or give it another address",
      body: Type.Object({ name: nameSchema, url: Type.String({ minLength: 1, maxLength: 2048 }) }),
      response: { 200: Type.Object({ name: Type.String(), target: Type.String() }) },
    },
    handler: async ({ body: { name, url } }) => {
      if (!URL.canParse(url)) throw new StorageError("invalid", "add webhook", url.slice(0, 80));
      await metadata.putWebhook({ name, url });
      return { name, target: targetOfWebhook(name) };
    },
  });
  app.delete("/s3/webhooks/:name", {
    config: { scope: "admin" },
    schema: { summary: "Remove a webhook and what waits for it", params: Type.Object({ name: nameSchema }) },
    handler: async ({ params }, reply) => {
      await metadata.removeWebhook(params.name);
      return reply.code(204).send();
    },
  });
}
