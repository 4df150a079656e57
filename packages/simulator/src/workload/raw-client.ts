import {
  type ChunkId,
  type ChunkService,
  type CommitId,
  type CommitResult,
  type CommittedChunk,
  chunkIdFromHash,
  fromHex,
  type Generation,
  type GroupMember,
  generationOf,
  isKind,
  type Lease,
  newId,
  type Receipt,
  StorageError,
} from "@cairn/protocol";
import type { ClientHost } from "../world/client-host.ts";
import { digestOf } from "./contents.ts";
import type { WorkloadParts } from "./file-operations.ts";

/** A chunk that nobody else has. */
export interface RawChunk {
  readonly id: ChunkId;
  readonly bytes: Uint8Array;
}

export interface RawCommit {
  readonly lease: Lease;
  readonly name: string;
  readonly chunk: RawChunk;
  /** As it is told to the metadata server. */
  readonly told: CommittedChunk;
  readonly commit?: CommitId;
}

const chunkBytes = 1024;

/**
 * A program that speaks to the services itself, step by step, and may leave steps out, repeat them, or take them late or in
 * another order, as a client with a bug does, or a hostile one. What it is told to have committed enters the ledger.
 */
export class RawClient {
  readonly #parts: WorkloadParts;
  readonly #client: ClientHost;
  #counter = 0;

  constructor(parts: WorkloadParts, client: ClientHost) {
    this.#parts = parts;
    this.#client = client;
  }

  newChunk(length: number = chunkBytes): RawChunk {
    const bytes = this.#parts.world.will.bytes(length);
    return { id: chunkIdFromHash(fromHex(digestOf(bytes))), bytes };
  }

  open(): Promise<Lease> {
    return this.#client.parts.metadata.openLease(this.#parts.drive.id, "raw");
  }

  renew({ id }: Lease): Promise<Lease> {
    return this.#client.parts.metadata.renewLease(id);
  }

  close({ id }: Lease): Promise<void> {
    return this.#client.parts.metadata.closeLease(id);
  }

  /** Sends a chunk to all members of one of the lease's groups. */
  async send(lease: Lease, { id, bytes }: RawChunk): Promise<CommittedChunk> {
    const [group] = lease.groups;
    if (!group) throw new StorageError("unavailable", "send chunk", "the lease has no group");
    const generation = this.newGeneration(lease);
    const write = { id, bytes, generation, token: group.writeToken };
    const receipts = await Promise.all(group.members.map((member) => this.nodeOf(member).put(write)));
    return { id, length: bytes.length, group: group.id, written: { generation, receipts } };
  }

  newGeneration({ id }: Lease): Generation {
    return generationOf(id, ++this.#counter);
  }

  nodeOf({ url }: GroupMember): ChunkService {
    return this.#client.parts.chunksAt(url);
  }

  newCommitId(): CommitId {
    return newId("cm_", this.#parts.world.timeline.now, this.#parts.world.will.bytes(10));
  }

  /** Throws what the commit is refused with. */
  async commit(order: RawCommit): Promise<CommitResult> {
    const { ledger, world } = this.#parts;
    const { name, chunk } = order;
    const change = ledger.begin(name, digestOf(chunk.bytes), world.timeline.now);
    const result = await this.repeat(order);
    ledger.acknowledge(change, world.timeline.now);
    const { entry, changed } = result;
    if (entry.version !== undefined && changed) {
      ledger.remember({ path: name, entry: entry.id, version: entry.version, state: digestOf(chunk.bytes) });
    }
    return result;
  }

  /** The same request once more, which must change nothing: the ledger does not hear of it. */
  async repeat({ lease, name, chunk, told, commit = this.newCommitId() }: RawCommit): Promise<CommitResult> {
    const { drive } = this.#parts;
    const target = { drive: drive.id, parent: drive.root, name, onConflict: "version" as const };
    const request = { commit, lease: lease.id, target, size: chunk.bytes.length, chunks: [told] };
    const [outcome] = await this.#client.parts.metadata.commit([request]);
    if (!outcome?.ok) throw outcome?.error ?? new StorageError("internal", "commit", "there is no outcome");
    return outcome.value;
  }
}

/** The chunk with these receipts in place of its own. */
export function withReceipts(chunk: CommittedChunk, receipts: readonly Receipt[]): CommittedChunk {
  return chunk.written ? { ...chunk, written: { ...chunk.written, receipts } } : chunk;
}

/** A refusal that says that nothing was done; other failures leave it open. */
export function isRefusal(error: unknown): boolean {
  return isKind(error, "invalid", "unauthenticated", "chunk-gone", "stale", "forbidden", "not-found", "conflict");
}
