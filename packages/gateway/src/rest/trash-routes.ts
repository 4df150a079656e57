import { type EntryId, StorageError } from "@cairn/protocol";
import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import type { FastifyInstance } from "fastify";
import { Type } from "typebox";
import type { GatewayOptions } from "../gateway-options.ts";
import type { RequestContext } from "./request-context.ts";
import { entryResource, pageResource } from "./resources.ts";
import { driveQuery, entrySchema, idParams, pageQuery, pageSchema } from "./schemas.ts";

/** What was deleted and can come back. */
export function trashRoutes(base: FastifyInstance, { metadata, env }: GatewayOptions, context: RequestContext): void {
  const app = base.withTypeProvider<TypeBoxTypeProvider>();

  app.get("/trash", {
    config: { scope: "read" },
    schema: {
      summary: "The trash, newest first",
      querystring: Type.Object({ ...driveQuery, ...pageQuery }),
      response: { 200: pageSchema(entrySchema) },
    },
    handler: async ({ query }) => {
      const { id } = await context.drive(query.drive);
      return pageResource(await metadata.listTrash(id, { cursor: query.cursor, size: query.pageSize }), entryResource);
    },
  });

  app.post("/trash/:id/restore", {
    config: { scope: "write" },
    schema: {
      summary: "Back to where it was",
      params: idParams,
      querystring: Type.Object(driveQuery),
      body: Type.Optional(
        Type.Object({ onConflict: Type.Optional(Type.Union([Type.Literal("fail"), Type.Literal("rename")])) }),
      ),
      response: { 200: entrySchema },
    },
    handler: async (request) => {
      const address = await context.address(request.params.id, request.query.drive);
      const id: EntryId = "id" in address ? address.id : (await metadata.stat(address)).id;
      return entryResource(
        await metadata.restore(await context.commitId(request), id, request.body?.onConflict ?? "fail"),
      );
    },
  });

  app.delete("/trash", {
    config: { scope: "write" },
    schema: {
      summary: "Remove for good what was deleted before a time",
      querystring: Type.Object({ ...driveQuery, olderThan: Type.Optional(Type.String()) }),
      response: { 200: Type.Object({ removed: Type.Integer() }) },
    },
    handler: async (request) => {
      const { id } = await context.drive(request.query.drive);
      const before = timeBefore(request.query.olderThan, env.clock.now());
      return { removed: await metadata.emptyTrash(await context.commitId(request), id, before) };
    },
  });
}

/** A time in RFC 3339, or an age such as `30d`, `12h`; absent: everything. */
function timeBefore(text: string | undefined, now: number): number {
  if (text === undefined) return now + 1;
  const age = /^(\d{1,6})([smhd])$/.exec(text);
  const unitMs = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
  const time = age ? now - Number(age[1]) * unitMs[age[2] as keyof typeof unitMs] : Date.parse(text);
  if (Number.isNaN(time))
    throw new StorageError(
      "invalid",
      "empty trash",
      "olderThan is a time such as 2026-01-31T00:00:00Z or an age such as 30d",
    );
  return time;
}
