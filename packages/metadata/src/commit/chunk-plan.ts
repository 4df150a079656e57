import {
  type ChunkId,
  type CommittedChunk,
  hashOfChunkId,
  type LeaseId,
  leaseOfGeneration,
  limits,
  parseChunkId,
  parseGeneration,
  parseGroupId,
  StorageError,
} from "@cairn/protocol";
import type { WrittenChunk } from "../contracts.ts";
import type { ChunkUse } from "./chunk-ledger.ts";

/** What a list of committed chunks asks for, worked out before any transaction. */
export interface ChunkPlan {
  readonly chunks: readonly CommittedChunk[];
  /** Each distinct chunk once, in the order of the hashes. */
  readonly uses: readonly ChunkUse[];
  readonly size: number;
  /** Leases under which chunks were written, and the one of the request. */
  readonly leases: readonly LeaseId[];
}

/** Checks chunks as far as that needs no database. Throws invalid, too-large. */
export function planChunks(chunks: readonly CommittedChunk[], lease: LeaseId): ChunkPlan {
  if (chunks.length > limits.commitEntriesMax) {
    throw new StorageError("too-large", "commit", `${chunks.length} chunks`, {
      hint: `At most ${limits.commitEntriesMax} at once; larger files go through an upload session.`,
    });
  }
  const uses = new Map<ChunkId, ChunkUse>();
  const leases = new Set<LeaseId>([lease]);
  let size = 0;
  for (const chunk of chunks) {
    checkChunk(chunk);
    size += chunk.length;
    const use = uses.get(chunk.id);
    if (use && use.length !== chunk.length) throw invalid(`chunk ${chunk.id} comes with two lengths`);
    const written = use?.written ?? (isWritten(chunk) ? chunk : undefined);
    if (written) leases.add(leaseOfGeneration(written.written.generation));
    const hash = use?.hash ?? hashOfChunkId(chunk.id);
    uses.set(chunk.id, { id: chunk.id, hash, length: chunk.length, count: (use?.count ?? 0) + 1, written });
  }
  return { chunks, uses: inHashOrder([...uses.values()]), size, leases: [...leases] };
}

/** Hex digits sort as the bytes they spell. */
function inHashOrder(uses: ChunkUse[]): ChunkUse[] {
  if (uses.length < 2) return uses;
  return uses.sort((a, b) => (a.id < b.id ? -1 : 1));
}

function checkChunk(chunk: CommittedChunk): void {
  parseChunkId(chunk.id);
  parseGroupId(chunk.group);
  if (!Number.isSafeInteger(chunk.length) || chunk.length < 1 || chunk.length > limits.chunkBytesMax) {
    throw invalid(`chunk ${chunk.id} with ${chunk.length} bytes`);
  }
  if (chunk.group >= 2 ** 32) throw invalid(`group ${chunk.group} of chunk ${chunk.id}`);
  if (chunk.written) parseGeneration(chunk.written.generation);
}

function isWritten(chunk: CommittedChunk): chunk is WrittenChunk {
  return chunk.written !== undefined;
}

function invalid(what: string): StorageError {
  return new StorageError("invalid", "commit", what);
}
