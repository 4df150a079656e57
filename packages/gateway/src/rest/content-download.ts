import { Readable } from "node:stream";
import type { OpenFile } from "@cairn/drive";
import { type Entry, type EntryAddress, isKind, StorageError, type VersionId } from "@cairn/protocol";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { GatewayOptions } from "../gateway-options.ts";
import { parseByteRange } from "../http/byte-range.ts";
import { abortWhenGone } from "../http/client-gone.ts";
import { checkReadConditions, ifRangeHolds } from "../http/content-conditions.ts";
import { startedBytes } from "../http/started-bytes.ts";
import { contentDisposition } from "./content-disposition.ts";

/** A client that takes nothing for so long is gone; a player that pauses asks again for what it misses. */
const takeNothingMs = 120_000;

export interface ContentCall {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly address: EntryAddress;
  /** Absent: the current one. */
  readonly version: VersionId | undefined;
}

/** Answers GET and HEAD of a file's bytes: whole, one range, or nothing when the client has them already. */
export async function sendContent(options: GatewayOptions, call: ContentCall): Promise<FastifyReply> {
  const { request, reply, address, version } = call;
  const stop = new AbortController();
  abortWhenGone(reply, stop);
  const { signal } = stop;
  // Opening plans the read; no byte moves before the first is asked for.
  const whole = await options.reader.open(address, { version, signal });
  const { entry, length } = whole;
  describe(reply, entry);
  const verdict = checkReadConditions(request.headers, entry);
  if (verdict === "not-modified") return reply.code(304).send();
  if (verdict === "failed") {
    throw new StorageError("precondition-failed", "read file", entry.path, {
      hint: "The file is another one by now: read it without the condition.",
      details: { etag: entry.etag },
    });
  }
  // RFC 9110 §14.2 knows ranges of GET alone.
  const asked = request.method === "GET" && ifRangeHolds(request.headers["if-range"]?.toString(), entry);
  const range = asked ? parseByteRange(request.headers.range, length) : undefined;
  let file: OpenFile = whole;
  if (range) {
    // The very version whose size and tag go into the headers, whatever has become of the name meanwhile.
    file = await options.reader.open({ id: entry.id }, { version: entry.version, ...range, signal });
    const last = range.offset + range.length - 1;
    void reply.code(206).header("content-range", `bytes ${range.offset}-${last}/${length}`);
  }
  void reply.header("content-length", file.length);
  if (request.method === "HEAD") return reply.send();
  const stream = Readable.from(await startedBytes(file.bytes), { objectMode: false, highWaterMark: 1 });
  stream.on("error", (err: unknown) => {
    if (!isKind(err, "cancelled"))
      options.env.log.warn({ err, request: request.id, entry: entry.id }, "a download broke off in its middle");
  });
  reply.raw.setTimeout(takeNothingMs, () => reply.raw.destroy());
  return reply.send(stream);
}

function describe(reply: FastifyReply, entry: Entry): void {
  void reply
    .header("etag", quoted(entry))
    .header("last-modified", httpDate(entry.modifiedAt))
    .header("accept-ranges", "bytes")
    .header("cache-control", "private, no-cache")
    .header("x-content-type-options", "nosniff")
    .header("content-security-policy", "sandbox")
    .header("content-disposition", contentDisposition(entry.name))
    .header("content-type", safeType(entry.contentType));
}

/** The entity tag of a file's content, as headers spell it. */
export function quoted({ etag }: Entry): string {
  return `"${etag ?? ""}"`;
}

/** Users may give a file any time at all; headers know years of four digits. */
function httpDate(ms: number): string {
  const [first, last] = [-62_135_596_800_000, 253_402_300_799_000];
  return new Date(Math.min(Math.max(ms, first), last)).toUTCString();
}

/** What a user once declared must not break the header, nor make a browser run it. */
function safeType(type: string | undefined): string {
  return type !== undefined && /^[\w.+-]+\/[\w.+-]+(; ?charset=[\w-]+)?$/.test(type)
    ? type
    : "application/octet-stream";
}
