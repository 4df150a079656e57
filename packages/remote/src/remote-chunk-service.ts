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
  type GroupDigest,
  type GroupId,
  type InventoryPage,
  limits,
  type NodeIdentity,
  type Outcome,
  parseDiskId,
  parseGeneration,
  type Receipt,
  utf8,
} from "@cairn/protocol";
import { damaged, decodeChunkFrames, inBatches, outcomesOf, receiptOf, senseless } from "./chunk-answers.ts";
import { errorOfReply, jsonOfReply } from "./reply-error.ts";

/** Bytes of an answer beside its payload: frames, CRCs, errors. */
const overheadBytesMax = 1024 * 1024;
/** Receipts, outcomes and errors of one request. */
const outcomesBytesMax = 1024 * 1024;
/** A page of an inventory, or the digests of all groups. */
const listBytesMax = 16 * 1024 * 1024;
/** A node that moves fewer bytes is as good as silent. */
const bytesPerMsMin = 200;

/** One request to the node. */
interface NodeRequest extends Pick<OutgoingRequest, "method" | "body" | "headers"> {
  readonly path: string;
  readonly token: string;
  /** Bytes that the answer will have at most, and has as a rule. */
  readonly answer: { readonly bytesMax: number; readonly bytes?: number };
}

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
    const { id, generation, token, bytes } = write;
    const path = `/chunks/${id}?generation=${generation}`;
    const answer = { bytesMax: outcomesBytesMax };
    const reply = await this.#send({ method: "PUT", path, token, body: [bytes], answer }, signal);
    return receiptOf(jsonOfReply<{ receipt?: unknown }>(reply, "put chunk").receipt);
  }

  putMany(writes: readonly ChunkWrite[], signal?: AbortSignal): Promise<readonly Outcome<Receipt>[]> {
    return inBatches(writes, "put chunk", async (batch, token) => {
      const answer = { bytesMax: outcomesBytesMax };
      const reply = await this.#send(
        { method: "POST", path: "/chunks", token, body: encodePutBatch(batch), answer },
        signal,
      );
      return outcomesOf(reply, {
        count: batch.length,
        operation: "put chunk",
        read: ({ receipt }) => receiptOf(receipt),
      });
    });
  }

  async get(read: ChunkRead, signal?: AbortSignal): Promise<Uint8Array> {
    const { range, token } = read;
    if (range?.length === 0) return new Uint8Array(0);
    const headers = range ? { range: `bytes=${range.offset}-${range.offset + range.length - 1}` } : {};
    const answer = {
      bytesMax: limits.chunkBytesMax + overheadBytesMax,
      bytes: range?.length ?? limits.chunkBytesDefault,
    };
    const reply = await this.#send({ method: "GET", path: pathOf(read), token, headers, answer }, signal);
    if (reply.status >= 400) throw errorOfReply(reply, "get chunk");
    const crc32c = range ? (bytes: Uint8Array): number => this.#options.hasher.crc32c(bytes) : undefined;
    const { blocks, end } = decodeBlocks(reply.body, 0, crc32c);
    if (end !== reply.body.length) throw damaged("bytes are left over");
    return cut(blocks, range ?? { offset: 0, length: blocks.chunkLength });
  }

  getMany(reads: readonly ChunkRead[], signal?: AbortSignal): Promise<readonly Outcome<Uint8Array>[]> {
    return inBatches(reads, "get chunk", async (batch, token) => {
      const answer = { bytesMax: limits.batchBytesMax + overheadBytesMax, bytes: limits.batchBytesMax };
      const request = { method: "POST", path: "/chunks/read", token, body: [encodeGetBatch(batch)], answer } as const;
      const reply = await this.#send(request, signal);
      if (reply.status >= 400) throw errorOfReply(reply, "get chunks");
      return decodeChunkFrames(reply.body, batch.length);
    });
  }

  async stat(read: ChunkRead, signal?: AbortSignal): Promise<ChunkStat> {
    const answer = { bytesMax: outcomesBytesMax };
    const reply = await this.#send({ method: "HEAD", path: pathOf(read), token: read.token, answer }, signal);
    if (reply.status >= 400) throw errorOfReply(reply, "stat chunk");
    const [generation = 0, length = 0, disk = 0] = ["generation", "length", "disk"].map((name) =>
      Number(reply.headers[`x-cairn-${name}`]),
    );
    if (![generation, length, disk].every((value) => Number.isSafeInteger(value) && value > 0)) {
      throw senseless("stat chunk");
    }
    const { id, group } = read;
    return { id, group, generation: parseGeneration(generation), length, disk: parseDiskId(disk) };
  }

  async deleteExact(
    chunks: readonly ExactChunk[],
    command: string,
    signal?: AbortSignal,
  ): Promise<readonly Outcome<void>[]> {
    const body = [utf8(JSON.stringify({ chunks }))];
    const answer = { bytesMax: outcomesBytesMax };
    const reply = await this.#send({ method: "POST", path: "/chunks/delete", token: command, body, answer }, signal);
    return outcomesOf(reply, { count: chunks.length, operation: "delete chunk", read: () => undefined });
  }

  async inventory(
    group: GroupId,
    cursor: string | undefined,
    command: string,
    signal?: AbortSignal,
  ): Promise<InventoryPage> {
    const query = cursor === undefined ? "" : `?cursor=${encodeURIComponent(cursor)}`;
    const page = await this.#ask<Partial<InventoryPage>>(`/groups/${group}/inventory${query}`, command, signal);
    if (!Array.isArray(page.chunks)) throw senseless("list chunks");
    return { chunks: page.chunks as InventoryPage["chunks"], cursor: page.cursor };
  }

  async digests(command: string, signal?: AbortSignal): Promise<readonly GroupDigest[]> {
    const { groups } = await this.#ask<{ groups?: GroupDigest[] }>("/digests", command, signal);
    if (!Array.isArray(groups)) throw senseless("read digests");
    return groups;
  }

  identity(command: string, signal?: AbortSignal): Promise<NodeIdentity> {
    return this.#ask<NodeIdentity>("/identity", command, signal);
  }

  async #ask<Value>(path: string, token: string, signal: AbortSignal | undefined): Promise<Value> {
    const reply = await this.#send({ method: "GET", path, token, answer: { bytesMax: listBytesMax } }, signal);
    return jsonOfReply<Value>(reply, "ask node");
  }

  #send(request: NodeRequest, signal: AbortSignal | undefined): Promise<IncomingReply> {
    const { network, base, headers, timeoutMs = limits.nodeTimeoutMs } = this.#options;
    const { method, path, token, body = [], answer } = request;
    const bytes = body.reduce((sum, part) => sum + part.length, answer.bytes ?? 0);
    return network.request({
      method,
      url: base + path,
      headers: { ...headers, ...request.headers, authorization: `Bearer ${token}` },
      body,
      timeoutMs: timeoutMs + bytes / bytesPerMsMin,
      replyBytesMax: answer.bytesMax,
      signal,
    });
  }
}

function cut(blocks: ChunkBlocks, range: { offset: number; length: number }): Uint8Array {
  const start = range.offset - blocks.offset;
  if (start < 0 || start + range.length > blocks.bytes.length) throw damaged("it has other bytes than were asked for");
  return start === 0 && range.length === blocks.bytes.length
    ? blocks.bytes
    : blocks.bytes.subarray(start, start + range.length);
}

function pathOf(read: ChunkRead): string {
  return `/groups/${read.group}/chunks/${read.id}`;
}
