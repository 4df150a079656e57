import { parseId, StorageError } from "@cairn/protocol";
import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import type { FastifyInstance } from "fastify";
import { Type } from "typebox";
import type { GatewayOptions } from "../gateway-options.ts";
import { sendContent } from "./content-download.ts";
import { receiveContent } from "./content-upload.ts";
import type { RequestContext } from "./request-context.ts";
import { driveQuery, entrySchema, idParams } from "./schemas.ts";

const conflictQuery = {
  onConflict: Type.Optional(
    Type.Union([Type.Literal("fail"), Type.Literal("rename"), Type.Literal("replace"), Type.Literal("version")]),
  ),
};
const uploadConfig = { scope: "write", pool: "upload", streams: true } as const;

/** The bytes of files, streamed through the gateway both ways. */
export function contentRoutes(base: FastifyInstance, options: GatewayOptions, context: RequestContext): void {
  const app = base.withTypeProvider<TypeBoxTypeProvider>();
  const { metadata } = options;
  // Any content type is a file's content here; the body stays a stream.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", (_request, payload, done) => done(null, payload));

  app.route({
    method: ["GET", "HEAD"],
    url: "/files/:id/content",
    config: { scope: "read", pool: "download" },
    schema: {
      summary: "Read a file, whole or one range",
      params: idParams,
      querystring: Type.Object({ ...driveQuery, version: Type.Optional(Type.String()) }),
    },
    handler: async (request, reply) => {
      const { params, query } = request;
      const address = await context.address(params.id, query.drive);
      const version = query.version === undefined ? undefined : parseId("v_", query.version);
      return sendContent(options, { request, reply, address, version });
    },
  });

  app.put("/files/:id/content", {
    config: uploadConfig,
    schema: {
      summary: "Give a file a new version",
      params: idParams,
      querystring: Type.Object(driveQuery),
      response: { 200: entrySchema },
    },
    handler: async (request, reply) => {
      const { params, query } = request;
      const existing = await metadata.stat(await context.address(params.id, query.drive));
      const { kind, parent, drive, name, path, trashedAt } = existing;
      if (kind !== "file" || !parent) throw new StorageError("invalid", "write file", `${path} is a folder`);
      if (trashedAt !== undefined)
        throw new StorageError("conflict", "write file", `${path} is in the trash`, { hint: "Restore it first." });
      return receiveContent(options, {
        request,
        reply,
        place: { drive, parent, name, onConflict: "version", existing },
        commit: await context.commitId(request),
      });
    },
  });

  app.put("/files/by-path/*", {
    config: uploadConfig,
    schema: {
      summary: "Write a file at a path; missing folders are made",
      params: Type.Object({ "*": Type.String() }),
      querystring: Type.Object({ ...driveQuery, ...conflictQuery }),
      response: { 200: entrySchema },
    },
    handler: async (request, reply) => {
      const { drive: wanted, onConflict = "fail" } = request.query;
      const drive = await context.drive(wanted);
      const path = `/${request.params["*"]}`;
      const slash = path.lastIndexOf("/");
      const name = path.slice(slash + 1);
      if (name === "") throw new StorageError("invalid", "write file", `${path} names no file`);
      // This also refuses what is no path, before a byte of the body comes.
      const existing = await context.find({ drive: drive.id, path });
      const parent = existing?.parent ?? (await context.folderAt(request, drive, path.slice(0, slash)));
      const place = { drive: drive.id, parent, name, onConflict, existing };
      return receiveContent(options, { request, reply, place, commit: await context.commitId(request) });
    },
  });
}
