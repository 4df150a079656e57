import type { IncomingRequest } from "@cairn/env";
import { type ChunkId, parseChunkId, parseGroupId, StorageError } from "@cairn/protocol";

/** The token of the Authorization header. Throws unauthenticated. */
export function bearerOf({ headers }: IncomingRequest): string {
  const match = /^Bearer (\S+)$/i.exec(headers["authorization"] ?? "");
  if (match?.[1]) return match[1];
  throw new StorageError("unauthenticated", "check token", "no token came with the request", {
    hint: "Send the token of the lease or of the group as Authorization: Bearer.",
  });
}

/** The bytes that the body will have, or `most` when the sender does not say. Throws invalid, too-large. */
export function bodyBytesOf({ headers }: IncomingRequest, most: number): number {
  const declared = headers["content-length"];
  if (declared === undefined) return most;
  const bytes = /^\d{1,19}$/.test(declared) ? Number(declared) : Number.NaN;
  if (Number.isNaN(bytes)) throw malformed(`content-length ${declared.slice(0, 80)}`);
  if (bytes > most) throw new StorageError("too-large", "read body", `${bytes} bytes; at most ${most} are taken here`);
  return bytes;
}

/** The query's parameters. Throws invalid for one that is unknown, repeated, or has characters no value here has. */
export function parametersOf(target: string, known: readonly string[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const start = target.indexOf("?");
  if (start < 0) return found;
  for (const pair of target.slice(start + 1).split("&")) {
    const [, name = "", value = ""] = /^([a-z]+)=([\w.-]{1,200})$/.exec(pair) ?? [];
    if (!known.includes(name) || found.has(name)) throw malformed(`the query holds ${pair.slice(0, 80)}`);
    found.set(name, value);
  }
  return found;
}

/** A positive whole number, spelled in one way only. Throws invalid. */
export function numberOf(text: string | undefined): number {
  if (text === undefined || !/^[1-9]\d{0,15}$/.test(text)) throw malformed(`a number is missing or malformed`);
  return Number(text);
}

/** `/groups/{group}/chunks/{id}`. Throws invalid. */
export function chunkAddressOf(match: RegExpMatchArray): { group: ReturnType<typeof parseGroupId>; id: ChunkId } {
  return { group: parseGroupId(numberOf(match[1])), id: parseChunkId(match[2] ?? "") };
}

/** `bytes=first-last`; anything else is refused, because half an answer would be taken for a whole one. Throws range. */
export function rangeOf({ headers }: IncomingRequest): { offset: number; length: number } | undefined {
  const header = headers["range"];
  if (header === undefined) return undefined;
  const match = /^bytes=(\d{1,10})-(\d{1,10})$/.exec(header);
  const first = Number(match?.[1]);
  const last = Number(match?.[2]);
  if (!match || last < first) throw new StorageError("range", "get chunk", header.slice(0, 80));
  return { offset: first, length: last - first + 1 };
}

function malformed(why: string): StorageError {
  return new StorageError("invalid", "read request", why, { hint: "See docs/api/chunk.md." });
}
