import type { Hasher, IncomingReply } from "@cairn/env";
import {
  type ChunkBlocks,
  type ChunkLocator,
  type ChunkPlace,
  type ChunkRead,
  type ChunkService,
  type ChunkStat,
  type ChunkWrite,
  decodeBlocks,
  encodeGetBatch,
  encodePutBatch,
  limits,
  type Outcome,
  parseDiskId,
  parseGeneration,
  type Receipt,
} from "@cairn/protocol";
import { damaged, decodeChunkFrames, inBatches, outcomesOf, receiptOf, senseless } from "./chunk-answers.ts";
import { askNode, type NodeAddress, type NodeRequest } from "./node-request.ts";
import { errorOfReply, jsonOfReply } from "./reply-error.ts";

/** Bytes of an answer beside its payload: frames, CRCs, errors. */
const overheadBytesMax = 1024 * 1024;
/** Receipts, outcomes and errors of one request. */
const outcomesBytesMax = 1024 * 1024;
/** `base` is that of the node's chunk API, or of a gateway's relay to it. */
export interface RemoteChunkOptions extends NodeAddress {
  readonly hasher: Hasher;
}

/** The chunk service of each node that is named by its URL. */
export function chunkServicesAt(options: Omit<RemoteChunkOptions, "base">): (url: string) => RemoteChunkService {
  return (base) => new RemoteChunkService({ ...options, base });
}

/** A storage node's chunk service over HTTP (docs/api/chunk.md). */
export class RemoteChunkService implements ChunkService, ChunkLocator {
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

  async locate(read: ChunkRead, signal?: AbortSignal): Promise<ChunkPlace> {
    const answer = { bytesMax: outcomesBytesMax };
    const reply = await this.#send({ method: "GET", path: `${pathOf(read)}/place`, token: read.token, answer }, signal);
    const { disk, segment, offset, length, generation } = jsonOfReply<ChunkPlace>(reply, "find chunk");
    const isPlace = [disk, segment, offset, length, generation].every(
      (value) => Number.isSafeInteger(value) && value > 0,
    );
    if (!isPlace) throw senseless("find chunk");
    return { disk: parseDiskId(disk), segment, offset, length, generation: parseGeneration(generation) };
  }

  #send(request: NodeRequest, signal: AbortSignal | undefined): Promise<IncomingReply> {
    return askNode(this.#options, request, signal);
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
