import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import type { FastifyInstance } from "fastify";
import { Type } from "typebox";
import type { GatewayOptions } from "../gateway-options.ts";
import { collectionResource, jobResource, repairResource, scrubResource } from "./operations-resources.ts";
import { collectionSchema, jobSchema, repairSchema, scrubSchema } from "./operations-schemas.ts";

/** What the cluster does by itself for its data: repair and scrub. */
export function maintenanceRoutes(base: FastifyInstance, { operations }: GatewayOptions): void {
  const app = base.withTypeProvider<TypeBoxTypeProvider>();

  app.get("/repair", {
    config: { scope: "read" },
    schema: { summary: "What repair and moves are doing", response: { 200: repairSchema } },
    handler: async () => repairResource(await operations.repairStatus()),
  });
  for (const [verb, paused] of [
    ["pause", 1],
    ["resume", 0],
  ] as const) {
    app.post(`/repair/${verb}`, {
      config: { scope: "admin" },
      schema: {
        summary: paused === 1 ? "Repair and move nothing for now" : "Go on with repair and moves",
        response: { 200: repairSchema },
      },
      handler: async () => {
        await operations.changeSettings({ "repair.paused": paused });
        return repairResource(await operations.repairStatus());
      },
    });
  }
  app.get("/scrub", {
    config: { scope: "read" },
    schema: {
      summary: "How far every disk has been read to check it",
      response: { 200: Type.Object({ items: Type.Array(scrubSchema) }) },
    },
    handler: async () => ({ items: (await operations.scrubStatus()).map(scrubResource) as never }),
  });
  app.post("/scrub", {
    config: { scope: "admin" },
    schema: { summary: "Read every disk in full, from now on", response: { 202: jobSchema } },
    handler: async (_request, reply) => {
      const job = await operations.startScrub();
      return reply.code(202).header("location", `/api/v1/jobs/${job.id}`).send(jobResource(job));
    },
  });
}

/** What is deleted because nothing refers to it. */
export function collectionRoutes(base: FastifyInstance, { operations }: GatewayOptions): void {
  const app = base.withTypeProvider<TypeBoxTypeProvider>();

  app.get("/collection", {
    config: { scope: "read" },
    schema: { summary: "What is being deleted because nothing refers to it", response: { 200: collectionSchema } },
    handler: async () => collectionResource(await operations.collectionStatus()),
  });
  app.post("/collection", {
    config: { scope: "admin" },
    schema: { summary: "Collect now; the graces stay as they are set", response: { 202: jobSchema } },
    handler: async (_request, reply) => {
      const job = await operations.startCollection();
      return reply.code(202).header("location", `/api/v1/jobs/${job.id}`).send(jobResource(job));
    },
  });
  app.post("/collection/resume", {
    config: { scope: "admin" },
    schema: {
      summary: "Leave no-delete mode: what the database does not know counts as left over from then on",
      response: { 200: collectionSchema },
    },
    handler: async () => collectionResource(await operations.resumeCollection()),
  });
  app.get("/collection/preview", {
    config: { scope: "read" },
    schema: {
      summary: "What a run of the collection would delete, and why; changes nothing",
      response: {
        200: Type.Object({
          classes: Type.Array(
            Type.Object({
              why: Type.String(),
              chunks: Type.Integer(),
              bytes: Type.Integer(),
              explanation: Type.String(),
            }),
          ),
        }),
      },
    },
    handler: async () => {
      const { classes } = await operations.previewCollection();
      return { classes: classes.map((one) => ({ ...one })) };
    },
  });
}
