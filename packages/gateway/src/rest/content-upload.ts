import { Readable } from "node:stream";
import { type CommitId, type CommitTarget, type Entry, isKind, limits, StorageError } from "@cairn/protocol";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { GatewayOptions } from "../gateway-options.ts";
import { pacedBody } from "../http/body-pace.ts";
import { abortWhenGone } from "../http/client-gone.ts";
import { parseEntityTags } from "../http/content-conditions.ts";
import { sendContinue } from "../http/expect-continue.ts";
import { quoted } from "./content-download.ts";
import { entryResource } from "./resources.ts";

const fileBytesMax: number = limits.uploadPartsMax * limits.commitEntriesMax * limits.chunkBytesMax;
const contentTypeLengthMax = 255;

/** Where an upload goes and what stands there now, if anything does. */
export interface UploadPlace extends CommitTarget {
  readonly existing: Entry | undefined;
}

export interface UploadCall {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly place: UploadPlace;
  /** The change that the request names; a repetition of it gets the first answer. */
  readonly commit: CommitId;
}

/** Takes a file's bytes in as they come, and answers with the entry when they are on disk on every copy. */
export async function receiveContent(
  { writer, env }: GatewayOptions,
  { request, reply, place, commit }: UploadCall,
): Promise<FastifyReply> {
  const { existing, ...target } = place;
  const ifMatch = writeCondition(request, existing);
  if (request.headers["idempotency-key"] === undefined) refuseEarly(place, ifMatch);
  const size = request.headers["content-length"] === undefined ? undefined : Number(request.headers["content-length"]);
  if (size !== undefined && size > fileBytesMax)
    throw new StorageError("too-large", "write file", `a file has at most ${fileBytesMax} bytes`);
  const type = request.headers["content-type"];
  if (type !== undefined && type.length > contentTypeLengthMax)
    throw new StorageError("invalid", "write file", `the content type is longer than ${contentTypeLengthMax}`);
  const stop = new AbortController();
  abortWhenGone(reply, stop);
  sendContinue(request.raw, reply.raw);
  const stream = request.body instanceof Readable ? pacedBody(request.body, env.clock) : Readable.from([]);
  const { entry } = await writer.write(
    { ...target, ...(ifMatch === undefined ? {} : { ifMatch }), ...(type === undefined ? {} : { contentType: type }) },
    { stream: whatCame(stream), ...(size === undefined ? {} : { size }) },
    { signal: stop.signal, commit },
  );
  return reply.code(200).header("etag", quoted(entry)).send(entryResource(entry));
}

/** If-Match and If-None-Match: * as the commit understands them: an etag, null for "no such file", undefined for none. */
function writeCondition({ headers }: FastifyRequest, existing: Entry | undefined): string | null | undefined {
  const ifMatch = headers["if-match"];
  if (ifMatch !== undefined) {
    const tags = parseEntityTags(ifMatch);
    const current = existing?.etag;
    const strong = tags === "*" ? [] : tags.filter(({ weak }) => !weak).map(({ tag }) => tag);
    if (current !== undefined && (tags === "*" || strong.includes(current))) return current;
    // No tag at all matches nothing, as does one that no file can have.
    return strong[0] ?? "";
  }
  return headers["if-none-match"]?.trim() === "*" ? null : undefined;
}

/** What the commit would refuse at the end is refused before a byte is sent; the commit decides all the same. */
function refuseEarly({ existing, onConflict }: UploadPlace, ifMatch: string | null | undefined): void {
  if (ifMatch !== undefined && (existing?.etag ?? null) !== ifMatch) {
    throw new StorageError("precondition-failed", "write file", existing?.path ?? "there is no such file", {
      hint: existing ? "The file was changed meanwhile: read it again." : "There is no such file any more.",
      details: { etag: existing?.etag ?? null },
    });
  }
  if (!existing) return;
  const { id, kind, path, etag } = existing;
  if (onConflict === "rename" || (kind === "file" && onConflict !== "fail")) return;
  throw new StorageError("conflict", "write file", `${path} exists`, {
    hint: "Pick another name, or say what to do with the one that is there: onConflict=rename, replace or version.",
    details: { existing: { id, kind, path, etag } },
  });
}

/** A body that ends early is the client's doing and no failure of ours. */
async function* whatCame(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (cause) {
    if (isKind(cause, "invalid")) throw cause;
    throw new StorageError("cancelled", "read body", "the client went away", { cause });
  }
}
