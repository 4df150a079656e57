import type { Entry } from "@cairn/protocol";
import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import type { FastifyInstance, FastifyReply } from "fastify";
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
        parentId: Type.Optional(Type.String({ minLength: 1 })),
        name: Type.Optional(Type.String()),
        parents: Type.Optional(Type.Boolean()),
      }),
      response: { 201: entrySchema },
    },
    handler: async (request, reply) => {
      const { path, parentId, name, parents = false } = request.body;
      const drive = (await context.drive(request.query.drive)).id;
      const place = path ?? (await context.pathBelow({ parentId, name, drive: request.query.drive }));
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
      response: { 200: entrySchema, 204: Type.Null() },
    },
    handler: async (request, reply) => {
      const address = await context.address(request.params.id, request.query.drive);
      const commit = await context.commitId(request);
      const permanent = request.query.permanent === true;
      const entry = await context.find(address);
      if (!entry && permanent && "id" in address && request.headers["idempotency-key"] !== undefined) {
        // Gone already, perhaps by this very request: the commit knows.
        await metadata.remove(commit, address.id);
        return (reply as FastifyReply).code(204).send();
      }
      const { id } = entry ?? (await metadata.stat(address));
      if (!permanent) return entryResource(await metadata.trash(commit, id));
      await metadata.remove(commit, id);
      return entryResource(entry as Entry);
    },
  });
}
