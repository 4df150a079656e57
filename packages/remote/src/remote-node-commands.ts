import type { Clock, IncomingReply, Random } from "@cairn/env";
import {
  type CopyOrder,
  type CopyResult,
  type DiskId,
  type ExactChunk,
  type GroupDigest,
  type GroupId,
  type InventoryPage,
  limits,
  type NodeCommandService,
  type NodeCommandsAt,
  type NodeIdentity,
  type Outcome,
  parseChunkId,
  parseDiskId,
  parseGeneration,
  utf8,
} from "@cairn/protocol";
import { outcomesOf, senseless } from "./chunk-answers.ts";
import { askNode, type NodeAddress, type NodeRequest } from "./node-request.ts";
import { errorOfReply, jsonOfReply } from "./reply-error.ts";
import { triesMax, withRetries } from "./retries.ts";

/** Outcomes and errors of one order. */
const outcomesBytesMax = 1024 * 1024;
/** A page of an inventory, or the digests of all groups. */
const listBytesMax = 16 * 1024 * 1024;
/** Copies are made at the pace of repair. A node begins none when the command's token has ended, which is sooner. */
const copyTimeoutMs = 90_000;
/** Damaged bytes are told of by hundreds, never by more than the order had sources. */
const badSourcesMax: number = limits.copiesMax;

export interface NodeCommandsOptions extends NodeAddress {
  readonly clock: Clock;
  readonly random: Random;
}

/** The commands of each node that is named by its URL. */
export function nodeCommandsAt(options: Omit<NodeCommandsOptions, "base">): NodeCommandsAt {
  return (base) => new RemoteNodeCommands({ ...options, base });
}

/**
 * The commands of a storage node over HTTP (docs/api/chunk.md). What may be asked twice is asked again when no answer came;
 * an order for copies is not, because whoever gave it looks first at what it has done.
 */
export class RemoteNodeCommands implements NodeCommandService {
  readonly #options: NodeCommandsOptions;

  constructor(options: NodeCommandsOptions) {
    this.#options = options;
  }

  async copyIn(order: CopyOrder, command: string, signal?: AbortSignal): Promise<readonly Outcome<CopyResult>[]> {
    const { group, epoch, disk, readToken } = order;
    // Nothing but what the node wants to know, whatever else the objects hold.
    const sources = order.sources.map(({ node, disk: from, url }) => ({ node, disk: from, url }));
    const chunks = order.chunks.map(({ id, generation, length }) => ({ id, generation, length }));
    const body = [utf8(JSON.stringify({ group, epoch, disk, readToken, sources, chunks }))];
    const answer = { bytesMax: outcomesBytesMax };
    const request = {
      method: "POST",
      path: "/copies",
      token: command,
      body,
      answer,
      timeoutMs: copyTimeoutMs,
    } as const;
    const reply = await askNode(this.#options, request, signal);
    return outcomesOf(reply, { count: chunks.length, operation: "copy chunk", read: ({ copy }) => copyResultOf(copy) });
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

  dropGroup(group: GroupId, disk: DiskId, command: string, signal?: AbortSignal): Promise<void> {
    return this.#order("DELETE", `/groups/${group}/disks/${disk}`, command, signal);
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
    if (page.cursor !== undefined && typeof page.cursor !== "string") throw senseless("list chunks");
    return { chunks: page.chunks.map(recordOf), cursor: page.cursor };
  }

  async digests(command: string, signal?: AbortSignal): Promise<readonly GroupDigest[]> {
    const { groups } = await this.#ask<{ groups?: GroupDigest[] }>("/digests", command, signal);
    if (!Array.isArray(groups)) throw senseless("read digests");
    return groups;
  }

  startScrub(command: string, signal?: AbortSignal): Promise<void> {
    return this.#order("POST", "/scrub", command, signal);
  }

  startCompaction(command: string, signal?: AbortSignal): Promise<void> {
    return this.#order("POST", "/compaction", command, signal);
  }

  identity(command: string, signal?: AbortSignal): Promise<NodeIdentity> {
    return this.#ask<NodeIdentity>("/identity", command, signal);
  }

  async #order(method: "POST" | "DELETE", path: string, token: string, signal: AbortSignal | undefined): Promise<void> {
    const reply = await this.#send({ method, path, token, answer: { bytesMax: outcomesBytesMax } }, signal);
    if (reply.status >= 400) throw errorOfReply(reply, "command node");
  }

  async #ask<Value extends object>(path: string, token: string, signal: AbortSignal | undefined): Promise<Value> {
    const reply = await this.#send({ method: "GET", path, token, answer: { bytesMax: listBytesMax } }, signal);
    const value = jsonOfReply<Value | null>(reply, "ask node");
    if (typeof value !== "object" || value === null) throw senseless("ask node");
    return value;
  }

  /** A busy node is asked again; what it answers in the end is its answer. */
  #send(request: NodeRequest, signal: AbortSignal | undefined): Promise<IncomingReply> {
    return withRetries(this.#options, { tries: triesMax, signal }, async () => {
      const reply = await askNode(this.#options, request, signal);
      if (reply.status === 503) throw errorOfReply(reply, "command node");
      return reply;
    });
  }
}

/** What a list names is copied and deleted later: an entry that makes no sense spoils the whole page. */
function recordOf(value: unknown): InventoryPage["chunks"][number] {
  const { id, generation, length } = (value ?? {}) as Readonly<Record<string, unknown>>;
  const isGood = typeof id === "string" && typeof generation === "number" && Number.isSafeInteger(length);
  if (!isGood || (length as number) < 1) throw senseless("list chunks");
  try {
    return { id: parseChunkId(id), generation: parseGeneration(generation), length: length as number };
  } catch {
    throw senseless("list chunks");
  }
}

function copyResultOf(value: unknown): CopyResult {
  const { fetchedBytes, badSources } = (value ?? {}) as Partial<Record<keyof CopyResult, unknown>>;
  const isGood = Number.isSafeInteger(fetchedBytes) && (fetchedBytes as number) >= 0 && Array.isArray(badSources);
  if (!isGood || badSources.length > badSourcesMax) throw senseless("copy chunk");
  return { fetchedBytes: fetchedBytes as number, badSources: badSources.map(badSourceOf) };
}

function badSourceOf(value: unknown): CopyResult["badSources"][number] {
  const { disk, what } = (value ?? {}) as { disk?: unknown; what?: unknown };
  if (!Number.isSafeInteger(disk) || (what !== "corrupt" && what !== "missing")) throw senseless("copy chunk");
  return { disk: parseDiskId(disk as number), what };
}
