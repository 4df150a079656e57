import { limits, type MembershipChange, parseJobId, type Severity } from "@cairn/protocol";
import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import type { FastifyInstance } from "fastify";
import { Type } from "typebox";
import type { GatewayOptions } from "../gateway-options.ts";
import { eventStream } from "./event-stream.ts";
import { eventResource, healthResource, jobResource } from "./operations-resources.ts";
import {
  changeSchema,
  eventSchema,
  healthSchema,
  impactSchema,
  jobSchema,
  planSchema,
  settingSchema,
  severitySchema,
} from "./operations-schemas.ts";
import { pageResource } from "./resources.ts";
import { idParams, pageQuery, pageSchema } from "./schemas.ts";

const pageSizeDefault = 100;

/** What operators ask: is the data safe, what happened, what is set, what runs. Orders need the scope admin. */
export function operationsRoutes(base: FastifyInstance, options: GatewayOptions): void {
  const { operations } = options;
  const app = base.withTypeProvider<TypeBoxTypeProvider>();

  app.get("/cluster/health", {
    config: { scope: "read" },
    schema: { summary: "Is the data safe: every claim with its evidence and age", response: { 200: healthSchema } },
    handler: async () => healthResource(await operations.health()),
  });
  eventRoutes(base, options);
  app.get("/settings", {
    config: { scope: "read" },
    schema: { summary: "Thresholds", response: { 200: Type.Object({ items: Type.Array(settingSchema) }) } },
    handler: async () => ({ items: [...(await operations.settings())] }),
  });
  app.patch("/settings", {
    config: { scope: "admin" },
    schema: {
      summary: "Change thresholds, all or none",
      body: Type.Record(Type.String({ maxLength: 64 }), Type.Integer(), { maxProperties: 64 }),
      response: { 200: Type.Object({ items: Type.Array(settingSchema) }) },
    },
    handler: async ({ body }) => ({ items: [...(await operations.changeSettings(body))] }),
  });
  jobRoutes(base, options);
  changeRoutes(base, options);
}

function eventRoutes(base: FastifyInstance, { operations }: GatewayOptions): void {
  const app = base.withTypeProvider<TypeBoxTypeProvider>();
  const stopping = new AbortController();
  app.addHook("preClose", async () => stopping.abort());
  app.get("/events", {
    config: {
      scope: "read",
      pool: ({ query }) => ("follow" in (query as object) ? "follow" : "rest"),
    },
    schema: {
      summary: "What happened to the cluster, oldest first",
      description:
        "With follow=true as server-sent events, as they happen; Last-Event-ID goes on where such a stream broke off.",
      querystring: Type.Object({
        after: Type.Optional(Type.Integer({ description: "A sequence number; negative: so many from the end" })),
        severity: Type.Optional(severitySchema),
        limit: Type.Optional(Type.Integer({ minimum: 1, maximum: limits.eventsMax })),
        waitMs: Type.Optional(Type.Integer({ minimum: 0, maximum: limits.eventWaitMs })),
        follow: Type.Optional(Type.Boolean()),
      }),
      response: { 200: Type.Object({ items: Type.Array(eventSchema) }) },
    },
    handler: async ({ query, headers }, reply) => {
      const { limit = pageSizeDefault, waitMs } = query;
      const severity = query.severity as Severity | undefined;
      if (query.follow !== true) {
        const events = await operations.events(query.after ?? 0, { limit, waitMs, severity });
        return { items: events.map(eventResource) as never };
      }
      const after = resumedAt(headers["last-event-id"]) ?? query.after ?? 0;
      return reply
        .type("text/event-stream")
        .header("x-accel-buffering", "no")
        .send(eventStream(operations, { after, severity }, stopping.signal) as never);
    },
  });
}

function resumedAt(lastEventId: string | string[] | undefined): number | undefined {
  return typeof lastEventId === "string" && /^\d{1,15}$/.test(lastEventId) ? Number(lastEventId) : undefined;
}

function jobRoutes(base: FastifyInstance, { operations }: GatewayOptions): void {
  const app = base.withTypeProvider<TypeBoxTypeProvider>();

  app.get("/jobs", {
    config: { scope: "read" },
    schema: {
      summary: "Long work that somebody asked for, newest first",
      querystring: Type.Object(pageQuery),
      response: { 200: pageSchema(jobSchema) },
    },
    handler: async ({ query }) =>
      pageResource(await operations.jobs(query.cursor, query.pageSize ?? pageSizeDefault), jobResource),
  });
  app.get("/jobs/:id", {
    config: { scope: "read" },
    schema: { summary: "One job", params: idParams, response: { 200: jobSchema } },
    handler: async ({ params }) => jobResource(await operations.job(parseJobId(Number(params.id)))),
  });
  app.delete("/jobs/:id", {
    config: { scope: "admin" },
    schema: {
      summary: "Cancel a job; what it has done stays done",
      params: idParams,
      response: { 200: jobSchema },
    },
    handler: async ({ params }) => jobResource(await operations.cancelJob(parseJobId(Number(params.id)))),
  });
}

function changeRoutes(base: FastifyInstance, { operations }: GatewayOptions): void {
  const app = base.withTypeProvider<TypeBoxTypeProvider>();

  app.post("/changes/plan", {
    config: { scope: "read" },
    schema: {
      summary: "What a change of who stores what would do; changes nothing",
      body: changeSchema,
      response: { 200: planSchema },
    },
    handler: async ({ body }) => await operations.planChange(body as MembershipChange),
  });
  app.post("/changes", {
    config: { scope: "admin" },
    schema: {
      summary: "Make such a change: 202 and a job, or 204 when it is done at once",
      body: changeSchema,
      response: { 202: jobSchema, 204: Type.Null() },
    },
    handler: async ({ body }, reply) => {
      const job = await operations.applyChange(body as MembershipChange);
      if (!job) return reply.code(204).send(null);
      return reply.code(202).header("location", `/api/v1/jobs/${job.id}`).send(jobResource(job));
    },
  });
  app.get("/nodes/:id/impact", {
    config: { scope: "read" },
    schema: { summary: "What stands and falls with one node", params: idParams, response: { 200: impactSchema } },
    handler: async ({ params }) => await operations.nodeImpact(params.id as never),
  });
}
