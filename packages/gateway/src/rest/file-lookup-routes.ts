import { StorageError } from "@cairn/protocol";
import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import type { FastifyInstance } from "fastify";
import { Type } from "typebox";
import type { GatewayOptions } from "../gateway-options.ts";
import type { RequestContext } from "./request-context.ts";
import { entryResource, pageResource } from "./resources.ts";
import { driveQuery, entrySchema, idParams, pageQuery, pageSchema } from "./schemas.ts";

/** Finding files and folders. */
export function fileLookupRoutes(base: FastifyInstance, { metadata }: GatewayOptions, context: RequestContext): void {
  const app = base.withTypeProvider<TypeBoxTypeProvider>();

  app.get("/files", {
    config: { scope: "read" },
    schema: {
      summary: "One entry by path or id",
      querystring: Type.Object({ ...driveQuery, path: Type.Optional(Type.String()), id: Type.Optional(Type.String()) }),
      response: { 200: entrySchema },
    },
    handler: async ({ query }) => {
      if (query.path === undefined && query.id === undefined)
        throw new StorageError("invalid", "find entry", "name a path or an id");
      const address =
        query.id !== undefined
          ? await context.address(query.id, query.drive)
          : { drive: (await context.drive(query.drive)).id, path: query.path ?? "/" };
      return entryResource(await metadata.stat(address));
    },
  });

  app.get("/files/:id", {
    config: { scope: "read" },
    schema: {
      summary: "One entry",
      params: idParams,
      querystring: Type.Object(driveQuery),
      response: { 200: entrySchema },
    },
    handler: async ({ params, query }) =>
      entryResource(await metadata.stat(await context.address(params.id, query.drive))),
  });

  app.get("/files/:id/children", {
    config: { scope: "read" },
    schema: {
      summary: "What is in a folder",
      params: idParams,
      querystring: Type.Object({
        ...driveQuery,
        ...pageQuery,
        orderBy: Type.Optional(Type.Union([Type.Literal("name"), Type.Literal("modified")])),
      }),
      response: { 200: pageSchema(entrySchema) },
    },
    handler: async ({ params, query }) => {
      const folder = await context.entryId(await context.address(params.id, query.drive));
      const page = await metadata.list(folder, {
        cursor: query.cursor,
        size: query.pageSize,
        orderBy: query.orderBy ?? "name",
      });
      // Counting costs; who follows the pages has the count from the first one.
      const totalCount = query.cursor === undefined ? await metadata.countChildren(folder) : undefined;
      return pageResource(page, entryResource, totalCount);
    },
  });
}
