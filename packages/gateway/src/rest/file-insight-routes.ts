import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import type { FastifyInstance } from "fastify";
import { Type } from "typebox";
import type { GatewayOptions } from "../gateway-options.ts";
import type { RequestContext } from "./request-context.ts";
import { pageResource, versionResource } from "./resources.ts";
import { driveQuery, idParams, pageQuery, pageSchema, placementSchema, versionSchema } from "./schemas.ts";

const placementsMax = 1024;

/** What stands behind a file: its chunks and its versions. */
export function fileInsightRoutes(base: FastifyInstance, { metadata }: GatewayOptions, context: RequestContext): void {
  const app = base.withTypeProvider<TypeBoxTypeProvider>();

  app.get("/files/:id/chunks", {
    config: { scope: "read" },
    schema: {
      summary: "Which node holds which chunk",
      params: idParams,
      querystring: Type.Object({ ...driveQuery, cursor: Type.Optional(Type.String({ pattern: "^[0-9]{1,16}$" })) }),
      response: { 200: pageSchema(placementSchema) },
    },
    handler: async ({ params, query }) => {
      const { entry, chunks } = await metadata.placements(
        await context.address(params.id, query.drive),
        Number(query.cursor ?? 0),
      );
      const items = chunks.slice(0, placementsMax);
      const last = items.at(-1);
      const next = last ? last.offset + last.length : entry.size;
      return { items, nextCursor: next < entry.size ? String(next) : null, totalCount: entry.chunks };
    },
  });

  app.get("/files/:id/versions", {
    config: { scope: "read" },
    schema: {
      summary: "The contents a file has had, newest first",
      params: idParams,
      querystring: Type.Object({ ...driveQuery, ...pageQuery }),
      response: { 200: pageSchema(versionSchema) },
    },
    handler: async ({ params, query }) => {
      const entry = await context.entryId(await context.address(params.id, query.drive));
      return pageResource(
        await metadata.listVersions(entry, { cursor: query.cursor, size: query.pageSize }),
        versionResource,
      );
    },
  });
}
