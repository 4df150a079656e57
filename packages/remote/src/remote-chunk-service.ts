import type { Hasher, IncomingReply, Network, OutgoingRequest } from "@cairn/env";
import {
  type ChunkBlocks,
  type ChunkRead,
  type ChunkService,
  type ChunkStat,
  type ChunkWrite,
  decodeBlocks,
  type ExactChunk,
  encodeGetBatch,
  encodePutBatch,
  failed,
  fromUtf8,
  fromWireError,
  type GroupDigest,
  type GroupId,
  type InventoryPage,
  limits,
  type NodeIdentity,
  type Outcome,
  parseDiskId,
  parseGeneration,
  type Receipt,
  StorageError,
  succeeded,
  utf8,
} from "@cairn/protocol";
import { errorOfReply, jsonOfReply } from "./reply-error.ts";

/** Bytes of an answer beside its payload: frames, CRCs, errors. */
const overheadBytesMax = 1024 * 1024;
const bytesPerMsMin = 200;

export interface RemoteChunkOptions {
  readonly network: Network;
  readonly hasher: Hasher;
  /** Base URL of the node's chunk API, or of a gateway's relay to it. */
  readonly base: string;
  /** Further headers, such as the user's token for a relay. */
  readonly headers?: Readonly<Record<string, string>>;
  /** First wait for an answer, ms; larger bodies get more. */
  readonly timeoutMs?: number;
}

/** A storage node's chunk service over HTTP (docs/api/chunk.md). */
export class RemoteChunkService implements ChunkService {
  readonly #options: RemoteChunkOptions;

  constructor(options: RemoteChunkOptions) {
    this.#options = options;
  }

  async put(write: ChunkWrite, signal?: AbortSignal): Promise<Receipt> {
    const reply = await this.#send(
      {
        method: "PUT",
        path: `/chunks/${write.id}?generation=${write.generation}`,
        token: write.token,
        body: [write.bytes],
      },
      signal,
    );
    return jsonOfReply<{ receipt: Receipt }>(reply, "put chunk").receipt;
  }

  async putMany(writes: readonly ChunkWrite[], signal?: AbortSignal): Promise<readonly Outcome<Receipt>[]> {
    const reply = await this.#send({ method: "POST", path: "/chunks", body: encodePutBatch(writes) }, signal);
    const { outcomes } = jsonOfReply<{ outcomes: { receipt?: Receipt; error?: unknown }[] }>(reply, "put chunks");
    if (!Array.isArray(outcomes) || outcomes.length !== writes.length) throw senseless("put chunks");
    return outcomes.map(({ receipt, error }) =>
      receipt ? succeeded(receipt) : { ok: false, error: fromWireError(error, "put chunk") },
    );
  }

  async get(read: ChunkRead, signal?: AbortSignal): Promise<Uint8Array> {
    const { range } = read;
    if (range?.length === 0) return new Uint8Array(0);
    const headers = range ? { range: `bytes=${range.offset}-${range.offset + range.length - 1}` } : {};
    const reply = await this.#send({ method: "GET", path: pathOf(read), token: read.token, headers }, signal);
    if (reply.status >= 400) throw errorOfReply(reply, "get chunk");
    const { blocks } = decodeBlocks(reply.body, 0, (bytes) => this.#options.hasher.crc32c(bytes));
    return range ? cut(blocks, range) : blocks.bytes;
  }

  async getMany(reads: readonly ChunkRead[], signal?: AbortSignal): Promise<readonly Outcome<Uint8Array>[]> {
    const reply = await this.#send({ method: "POST", path: "/chunks/read", body: [encodeGetBatch(reads)] }, signal);
    if (reply.status >= 400) throw errorOfReply(reply, "get chunks");
    return this.#decodeMany(reply.body, reads.length);
  }

  async stat(read: ChunkRead, signal?: AbortSignal): Promise<ChunkStat> {
    const reply = await this.#send({ method: "HEAD", path: pathOf(read), token: read.token }, signal);
    if (reply.status >= 400) throw errorOfReply(reply, "stat chunk");
    const field = (name: string): number => Number(reply.headers[name] ?? Number.NaN);
    return {
      id: read.id,
      group: read.group,
      generation: parseGeneration(field("x-cairn-generation")),
      length: field("x-cairn-length"),
      disk: parseDiskId(field("x-cairn-disk")),
    };
  }

  async deleteExact(
    chunks: readonly ExactChunk[],
    command: string,
    signal?: AbortSignal,
  ): Promise<readonly Outcome<void>[]> {
    const body = [utf8(JSON.stringify({ chunks }))];
    const reply = await this.#send({ method: "POST", path: "/chunks/delete", token: command, body }, signal);
    const { outcomes } = jsonOfReply<{ outcomes: { error?: unknown }[] }>(reply, "delete chunks");
    if (!Array.isArray(outcomes) || outcomes.length !== chunks.length) throw senseless("delete chunks");
    return outcomes.map(({ error }) =>
      error === undefined ? succeeded(undefined) : { ok: false, error: fromWireError(error, "delete chunk") },
    );
  }

  async inventory(
    group: GroupId,
    cursor: string | undefined,
    command: string,
    signal?: AbortSignal,
  ): Promise<InventoryPage> {
    const query = cursor === undefined ? "" : `?cursor=${encodeURIComponent(cursor)}`;
    const reply = await this.#send(
      { method: "GET", path: `/groups/${group}/inventory${query}`, token: command },
      signal,
    );
    const { chunks, cursor: next } = jsonOfReply<{ chunks: InventoryPage["chunks"]; cursor?: string }>(
      reply,
      "list chunks",
    );
    return { chunks, cursor: next };
  }

  async digests(command: string, signal?: AbortSignal): Promise<readonly GroupDigest[]> {
    const reply = await this.#send({ method: "GET", path: "/digests", token: command }, signal);
    return jsonOfReply<{ groups: GroupDigest[] }>(reply, "read digests").groups;
  }

  async identity(command: string, signal?: AbortSignal): Promise<NodeIdentity> {
    const reply = await this.#send({ method: "GET", path: "/identity", token: command }, signal);
    return jsonOfReply<NodeIdentity>(reply, "read identity");
  }

  /** Frames one after the other: a byte 1 and blocks, or a byte 0, a length of 4 and a WireError as JSON. */
  #decodeMany(body: Uint8Array, count: number): Outcome<Uint8Array>[] {
    const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
    const crc32c = (bytes: Uint8Array): number => this.#options.hasher.crc32c(bytes);
    const outcomes: Outcome<Uint8Array>[] = [];
    let offset = 0;
    while (offset < body.length && outcomes.length < count) {
      const good = body[offset] === 1;
      const start = offset + 1;
      if (good) {
        offset = start + frameBytes(view, start);
        outcomes.push(decodeOne(body, start, crc32c));
      } else {
        const length = view.getUint32(start, true);
        offset = start + 4 + length;
        outcomes.push({
          ok: false,
          error: fromWireError(JSON.parse(fromUtf8(body.subarray(start + 4, offset))), "get chunk"),
        });
      }
    }
    if (outcomes.length !== count || offset !== body.length) throw senseless("get chunks");
    return outcomes;
  }

  #send(
    request: Pick<OutgoingRequest, "method" | "body" | "headers"> & { path: string; token?: string },
    signal: AbortSignal | undefined,
  ): Promise<IncomingReply> {
    const { network, base, headers, timeoutMs = limits.nodeTimeoutMs } = this.#options;
    const { path, token, body = [] } = request;
    const bytes = body.reduce((sum, part) => sum + part.length, 0);
    return network.request({
      method: request.method,
      url: base + path,
      headers: { ...headers, ...request.headers, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) },
      body,
      timeoutMs: timeoutMs + bytes / bytesPerMsMin,
      replyBytesMax: limits.batchBytesMax + limits.chunkBytesMax + overheadBytesMax,
      signal,
    });
  }
}

function decodeOne(body: Uint8Array, start: number, crc32c: (bytes: Uint8Array) => number): Outcome<Uint8Array> {
  try {
    return succeeded(decodeBlocks(body, start, crc32c).blocks.bytes);
  } catch (error) {
    return failed(error, "get chunk");
  }
}

/** Bytes of an encoded run of blocks, read from its header so that one bad block does not lose the rest. */
function frameBytes(view: DataView, start: number): number {
  if (start + 24 > view.byteLength) throw senseless("get chunks");
  return 24 + view.getUint32(start + 16, true) * 4 + view.getUint32(start + 20, true);
}

function cut(blocks: ChunkBlocks, range: { offset: number; length: number }): Uint8Array {
  const start = range.offset - blocks.offset;
  const bytes = blocks.bytes.subarray(start, start + range.length);
  if (start < 0 || bytes.length !== range.length) throw senseless("get chunk");
  return bytes;
}

function pathOf(read: ChunkRead): string {
  return `/groups/${read.group}/chunks/${read.id}`;
}

function senseless(operation: string): StorageError {
  return new StorageError("internal", operation, "the node's answer does not fit the request");
}
