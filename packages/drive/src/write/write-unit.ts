import {
  type ChunkId,
  type CommittedChunk,
  chunkIdFromHash,
  isKind,
  type LeaseId,
  StorageError,
  type UploadPart,
} from "@cairn/protocol";
import type { StoredPiece } from "../transfer.ts";
import type { ChunkInput, InputChunk } from "./chunk-input.ts";
import type { HeldLease } from "./held-lease.ts";
import type { DrivePath, WritePath } from "./write-path.ts";

/** Chunks that become durable in one transaction: all of a small file, or one part of an upload. */
export const unitChunksMax = 64;
const mendsMax = 3;

export interface UnitOptions {
  readonly path: WritePath;
  readonly drive: DrivePath;
  readonly lease: HeldLease;
  readonly input: ChunkInput;
  /** Number of the unit's first chunk in the file. */
  readonly firstChunk: number;
  /** What an earlier attempt stored as this part: equal chunks are not sent again. */
  readonly stored: UploadPart | undefined;
  readonly signal: AbortSignal;
  /** A chunk is stored, or was there already. */
  readonly onChunk: (bytes: number, known: boolean) => void;
  /** Called once, as soon as a chunk fails. */
  readonly onFailure: (error: unknown) => void;
}

/** A chunk with a name, and how to have its bytes. */
interface NamedChunk {
  readonly id: ChunkId;
  readonly length: number;
  readonly read: () => Uint8Array | Promise<Uint8Array>;
}

/** A run of chunks that are written under one lease and committed together. */
export class WriteUnit {
  readonly #options: UnitOptions;
  readonly #chunks: Promise<CommittedChunk>[] = [];
  readonly #seen = new Map<ChunkId, Promise<CommittedChunk>>();
  readonly #pieces = new Map<number, StoredPiece>();
  #lease: HeldLease;
  #released = false;

  constructor(options: UnitOptions) {
    this.#options = options;
    this.#lease = options.lease;
  }

  get full(): boolean {
    return this.#chunks.length === unitChunksMax;
  }

  /** Starts to store the next chunk. `done` is called when its bytes are not needed any more. */
  add(chunk: InputChunk, options: { lookup: boolean; done: () => void }): void {
    const index = this.#chunks.length;
    if (!(chunk instanceof Uint8Array)) this.#pieces.set(index, chunk);
    const stored = this.#store(chunk, index, options.lookup);
    stored.then(options.done, (error: unknown) => {
      options.done();
      this.#options.onFailure(error);
    });
    this.#chunks.push(stored);
  }

  /**
   * Waits for all chunks, then hands them to `send`. What the metadata server refuses because a chunk was collected or
   * the lease is over is written again and sent again. `unchanged`: an earlier attempt stored exactly these chunks.
   */
  async commit<Result>(
    send: (lease: LeaseId, chunks: readonly CommittedChunk[], unchanged: boolean) => Promise<Result>,
  ): Promise<Result> {
    let chunks: readonly CommittedChunk[] = await Promise.all(this.#chunks);
    for (let mends = 0; ; mends++) {
      try {
        return await send(this.#lease.id, chunks, this.#isStored(chunks));
      } catch (error) {
        if (mends === mendsMax || !isKind(error, "chunk-gone", "stale")) throw error;
        chunks = await this.#mend(chunks, error);
      }
    }
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#lease.release();
  }

  async #store(source: InputChunk, index: number, lookup: boolean): Promise<CommittedChunk> {
    const { stored, onChunk } = this.#options;
    const { length } = source;
    const { id, read } = await this.#named(source);
    const before = stored?.chunks[index];
    if (before?.id === id && before.length === length) {
      onChunk(length, true);
      return before;
    }
    const twin = this.#seen.get(id);
    if (twin) {
      const chunk = await twin;
      onChunk(length, true);
      return chunk;
    }
    const storing = this.#lookUpOrWrite({ id, length, read }, lookup);
    this.#seen.set(id, storing);
    const chunk = await storing;
    onChunk(length, chunk.written === undefined);
    return chunk;
  }

  /** A piece that is no whole chunk gets its name from its bytes. */
  async #named(chunk: InputChunk): Promise<NamedChunk> {
    const { length } = chunk;
    if (!(chunk instanceof Uint8Array) && chunk.id !== undefined) return { id: chunk.id, length, read: chunk.read };
    const bytes = chunk instanceof Uint8Array ? chunk : await chunk.read();
    const id = chunkIdFromHash(await this.#options.path.env.hasher.sha256(bytes));
    return { id, length, read: () => bytes };
  }

  async #lookUpOrWrite({ id, length, read }: NamedChunk, lookup: boolean): Promise<CommittedChunk> {
    const { path, drive, signal } = this.#options;
    const group = lookup ? await drive.find(id, signal) : undefined;
    if (group !== undefined) return { id, length, group };
    return path.replicated.write(this.#lease, { id, bytes: await read() }, signal);
  }

  #isStored(chunks: readonly CommittedChunk[]): boolean {
    const before = this.#options.stored?.chunks;
    return before?.length === chunks.length && chunks.every((chunk, index) => chunk === before[index]);
  }

  /** Writes again what the commit was refused for. */
  async #mend(chunks: readonly CommittedChunk[], error: StorageError): Promise<readonly CommittedChunk[]> {
    const { path, drive, signal } = this.#options;
    const gone = new Set(isKind(error, "chunk-gone") ? (error.details["chunks"] as readonly ChunkId[]) : []);
    if (isKind(error, "stale")) {
      const old = this.#lease;
      old.retire();
      this.#lease = await drive.leases.acquire(signal);
      old.release();
    }
    // Its receipts were overtaken: the group it was written to has other members by now.
    const overtaken = chunks.some((chunk) => gone.has(chunk.id) && chunk.written);
    if (overtaken) await this.#lease.refresh(path.env.clock.monotonic());
    const again = new Map<ChunkId, CommittedChunk>();
    const mended: CommittedChunk[] = [];
    for (const [index, chunk] of chunks.entries()) {
      const lost = gone.has(chunk.id) || (isKind(error, "stale") && chunk.written !== undefined);
      let good = lost ? again.get(chunk.id) : chunk;
      if (!good) {
        const bytes = await this.#readAgain(index, chunk, error);
        good = await path.replicated.write(this.#lease, { id: chunk.id, bytes }, signal);
        again.set(chunk.id, good);
      }
      mended.push(good);
    }
    return mended;
  }

  async #readAgain(index: number, chunk: CommittedChunk, cause: StorageError): Promise<Uint8Array> {
    const { path, input, firstChunk } = this.#options;
    const bytes = await (this.#pieces.get(index)?.read() ?? input.again(firstChunk + index));
    if (!bytes) {
      throw new StorageError(cause.kind, "commit", "chunks must be sent again, and the source cannot be read twice", {
        hint: "Send the file again.",
        details: cause.details,
        cause,
      });
    }
    const id = chunkIdFromHash(await path.env.hasher.sha256(bytes));
    if (id === chunk.id) return bytes;
    throw new StorageError("invalid", "read source", `chunk ${firstChunk + index} is not what it was`, {
      hint: "The file changed while it was being read; try again.",
    });
  }
}
