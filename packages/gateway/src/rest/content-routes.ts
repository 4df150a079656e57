import { Readable } from "node:stream";
import { type CommitTarget, type Entry, type EntryAddress, limits, parseId, StorageError } from "@cairn/protocol";
import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { Type } from "typebox";
import type { GatewayOptions } from "../gateway-options.ts";
import { contentDisposition } from "./content-disposition.ts";
import { parseByteRange } from "./content-range.ts";
import type { RequestContext } from "./request-context.ts";
import { entryResource } from "./resources.ts";
import { driveQuery, entrySchema, idParams } from "./schemas.ts";

const conflictQuery = {
  onConflict: Type.Optional(
    Type.Union([Type.Literal("fail"), Type.Literal("rename"), Type.Literal("replace"), Type.Literal("version")]),
  ),
};

/** The bytes of files, streamed through the gateway both ways. */
export function contentRoutes(base: FastifyInstance, options: GatewayOptions, context: RequestContext): void {
  const app = base.withTypeProvider<TypeBoxTypeProvider>();
  const { metadata, reader } = options;
  // Any content type is a file's content here; the body stays a stream.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", (_request, payload, done) => done(null, payload));

  app.route({
    method: ["GET", "HEAD"],
    url: "/files/:id/content",
    config: { scope: "read" },
    schema: {
      summary: "Read a file, whole or one range",
      params: idParams,
      querystring: Type.Object({ ...driveQuery, version: Type.Optional(Type.String()) }),
    },
    handler: async (request, reply) => {
      const { params, query } = request;
      return sendContent({
        reader,
        request,
        reply,
        address: await context.address(params.id, query.drive),
        version: query.version,
      });
    },
  });

  app.put("/files/:id/content", {
    config: { scope: "write" },
    schema: {
      summary: "Give a file a new version",
      params: idParams,
      querystring: Type.Object(driveQuery),
      response: { 200: entrySchema },
    },
    handler: async (request, reply) => {
      const { params, query } = request;
      const entry = await metadata.stat(await context.address(params.id, query.drive));
      if (entry.kind !== "file" || !entry.parent)
        throw new StorageError("invalid", "write file", `${entry.path} is a folder`);
      const target = { drive: entry.drive, parent: entry.parent, name: entry.name, onConflict: "version" as const };
      return receiveContent(options, { request, reply, target: { ...target, ...conditions(request, entry) } });
    },
  });

  app.put("/files/by-path/*", {
    config: { scope: "write" },
    schema: {
      summary: "Write a file at a path; missing folders are made",
      params: Type.Object({ "*": Type.String() }),
      querystring: Type.Object({ ...driveQuery, ...conflictQuery }),
      response: { 200: entrySchema },
    },
    handler: async (request, reply) => {
      const { query } = request;
      const drive = await context.drive(query.drive);
      const path = `/${request.params["*"]}`;
      const slash = path.lastIndexOf("/");
      const folder = path.slice(0, slash);
      const parent =
        folder === ""
          ? drive.root
          : (
              await metadata.createFolder(await context.commitId(request), {
                drive: drive.id,
                path: folder,
                parents: true,
              })
            ).id;
      const target = { drive: drive.id, parent, name: path.slice(slash + 1), onConflict: query.onConflict ?? "fail" };
      return receiveContent(options, { request, reply, target: { ...target, ...conditions(request) } });
    },
  });
}

/** If-Match and If-None-Match: * as the commit understands them. */
function conditions(request: FastifyRequest, entry?: Entry): Pick<CommitTarget, "ifMatch"> {
  const match = request.headers["if-match"];
  if (match === "*") return entry ? { ifMatch: entry.etag } : {};
  if (typeof match === "string") return { ifMatch: match.replace(/^"|"$/g, "") };
  return request.headers["if-none-match"] === "*" ? { ifMatch: null } : {};
}

async function receiveContent(
  { writer }: GatewayOptions,
  { request, reply, target }: { request: FastifyRequest; reply: FastifyReply; target: CommitTarget },
): Promise<FastifyReply> {
  const length = request.headers["content-length"];
  const type = request.headers["content-type"];
  const stalled = (): unknown => request.raw.destroy(new StorageError("invalid", "read body", "it stopped coming"));
  request.raw.setTimeout(limits.bodyStallMs, stalled);
  const stream = request.body instanceof Readable ? request.body : Readable.from([]);
  const result = await writer.write(
    { ...target, ...(type === undefined ? {} : { contentType: type }) },
    { stream, ...(length === undefined ? {} : { size: Number(length) }) },
  );
  request.raw.setTimeout(0);
  return reply.code(200).header("etag", quoted(result.entry)).send(entryResource(result.entry));
}

interface ContentCall {
  readonly reader: GatewayOptions["reader"];
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly address: EntryAddress;
  readonly version: string | undefined;
}

async function sendContent({ reader, request, reply, address, version }: ContentCall): Promise<FastifyReply> {
  const stop = new AbortController();
  const pinned = version === undefined ? {} : { version: parseId("v_", version) };
  // Opening plans the read; no byte moves before the first is asked for.
  const whole = await reader.open(address, { ...pinned, signal: stop.signal });
  const { entry } = whole;
  const etag = quoted(entry);
  void reply
    .header("etag", etag)
    .header("last-modified", new Date(entry.modifiedAt).toUTCString())
    .header("accept-ranges", "bytes")
    .header("cache-control", "private, no-cache")
    .header("x-content-type-options", "nosniff")
    .header("content-security-policy", "sandbox")
    .header("content-disposition", contentDisposition(entry.name))
    .header("content-type", safeType(entry.contentType));
  if (request.headers["if-none-match"] === etag) return reply.code(304).send();
  const ifRange = request.headers["if-range"];
  const range =
    ifRange === undefined || ifRange === etag ? parseByteRange(request.headers.range, whole.length) : undefined;
  const file = range ? await reader.open(address, { ...pinned, ...range, signal: stop.signal }) : whole;
  if (range)
    void reply
      .code(206)
      .header("content-range", `bytes ${range.offset}-${range.offset + range.length - 1}/${whole.length}`);
  void reply.header("content-length", range?.length ?? whole.length);
  if (request.method === "HEAD") return reply.send();
  reply.raw.once("close", () => stop.abort());
  return reply.send(await startedStream(file.bytes));
}

/** A stream whose first bytes are there: what fails before them is still an answer, and not a broken connection. */
async function startedStream(bytes: AsyncIterable<Uint8Array>): Promise<Readable> {
  const iterator = bytes[Symbol.asyncIterator]();
  const first = await iterator.next();
  const rest = async function* (): AsyncGenerator<Uint8Array> {
    if (first.done) return;
    yield first.value;
    yield* { [Symbol.asyncIterator]: () => iterator };
  };
  return Readable.from(rest(), { objectMode: false, highWaterMark: 1 });
}

function quoted(entry: Entry): string {
  return `"${entry.etag ?? ""}"`;
}

/** What a user once declared must not break the header, nor make a browser run it. */
function safeType(type: string | undefined): string {
  return type !== undefined && /^[\w.+-]+\/[\w.+-]+(; ?charset=[\w-]+)?$/.test(type)
    ? type
    : "application/octet-stream";
}
