import { type Entry, StorageError } from "@cairn/protocol";
import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import type { FastifyInstance } from "fastify";
import { Type } from "typebox";
import type { GatewayOptions } from "../gateway-options.ts";
import type { RequestContext } from "./request-context.ts";
import { entryResource } from "./resources.ts";
import { driveQuery, entrySchema, idParams } from "./schemas.ts";

/** Making, moving and deleting files and folders. */
export function fileChangeRoutes(base: FastifyInstance, { metadata }: GatewayOptions, context: RequestContext): void {
  const app = base.withTypeProvider<TypeBoxTypeProvider>();

  app.post("/files", {
    config: { scope: "write" },
    schema: {
      summary: "Make a folder",
      querystring: Type.Object(driveQuery),
      body: Type.Object({
        path: Type.Optional(Type.String()),
        parentId: Type.Optional(Type.String()),
        name: Type.Optional(Type.String()),
        parents: Type.Optional(Type.Boolean()),
      }),
      response: { 201: entrySchema },
    },
    handler: async (request, reply) => {
      const { path, parentId, name, parents = false } = request.body;
      const drive = (await context.drive(request.query.drive)).id;
      const place =
        path ?? childPath(await metadata.stat(await context.address(parentId ?? "", request.query.drive)), name);
      const entry = await metadata.createFolder(await context.commitId(request), { drive, path: place, parents });
      return reply.code(201).send(entryResource(entry));
    },
  });

  app.patch("/files/:id", {
    config: { scope: "write" },
    schema: {
      summary: "Move or rename",
      params: idParams,
      querystring: Type.Object({
        ...driveQuery,
        onConflict: Type.Optional(Type.Union([Type.Literal("fail"), Type.Literal("rename"), Type.Literal("replace")])),
      }),
      body: Type.Object({ parentId: Type.Optional(Type.String()), name: Type.Optional(Type.String()) }),
      response: { 200: entrySchema },
    },
    handler: async (request) => {
      const { parentId, name } = request.body;
      const entry = await context.entryId(await context.address(request.params.id, request.query.drive));
      const moved = await metadata.move(await context.commitId(request), entry, {
        ...(parentId === undefined
          ? {}
          : { parent: await context.entryId(await context.address(parentId, request.query.drive)) }),
        ...(name === undefined ? {} : { name }),
        onConflict: request.query.onConflict ?? "fail",
      });
      return entryResource(moved);
    },
  });

  app.delete("/files/:id", {
    config: { scope: "write" },
    schema: {
      summary: "To the trash, or gone for good",
      params: idParams,
      querystring: Type.Object({ ...driveQuery, permanent: Type.Optional(Type.Boolean()) }),
      response: { 200: entrySchema },
    },
    handler: async (request) => {
      const entry = await metadata.stat(await context.address(request.params.id, request.query.drive));
      const commit = await context.commitId(request);
      if (!request.query.permanent) return entryResource(await metadata.trash(commit, entry.id));
      await metadata.remove(commit, entry.id);
      return entryResource(entry);
    },
  });
}

function childPath(parent: Entry, name: string | undefined): string {
  if (name === undefined) throw new StorageError("invalid", "make folder", "name a path, or parentId and name");
  return `${parent.path === "/" ? "" : parent.path}/${name}`;
}
