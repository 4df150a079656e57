import type { Clock, Hasher } from "@cairn/env";
import {
  asStorageError,
  type ChunkBlocks,
  type ChunkId,
  type ChunkPlace,
  type ChunkRead,
  type ChunkStat,
  type ChunkWrite,
  type DiskId,
  failed,
  type GroupId,
  isKind,
  limits,
  type Outcome,
  type Receipt,
  StorageError,
  signReceipt,
  succeeded,
} from "@cairn/protocol";
import type { DiskEngine } from "../engine/index.ts";
import type { TokenGate } from "./token-gate.ts";

export interface LocalChunkParts {
  readonly engines: readonly DiskEngine[];
  readonly gate: TokenGate;
  readonly hasher: Hasher;
  readonly receiptKey: Uint8Array;
  readonly clock: Clock;
  /** How long a read of a disk took, ms. */
  readonly readTook: (engine: DiskEngine, ms: number) => void;
}

/** What a node does once it is registered: checks the right to do it, does it on the right disk, and proves it. */
export class LocalChunkService {
  readonly #parts: LocalChunkParts;

  constructor(parts: LocalChunkParts) {
    this.#parts = parts;
  }

  /** Each chunk keeps its own outcome; see ChunkService.putMany. */
  putMany(writes: readonly ChunkWrite[]): Promise<readonly Outcome<Receipt>[]> {
    return Promise.all(writes.map((write) => this.put(write)));
  }

  async put(write: ChunkWrite): Promise<Outcome<Receipt>> {
    const { id, generation, bytes } = write;
    try {
      const { group, epoch, chunkBytesMax, disks } = this.#parts.gate.write(write);
      if (bytes.length > chunkBytesMax) {
        throw new StorageError("too-large", "put chunk", `${bytes.length} bytes; this lease allows ${chunkBytesMax}`);
      }
      if (bytes.length === 0) throw new StorageError("invalid", "put chunk", "a chunk has at least one byte");
      const engine = this.#engineOf(disks, group);
      const outcome = await engine.put({ group, epoch, id, generation, bytes });
      if (!outcome.ok) return outcome;
      const { disk } = engine.identity;
      const claims = { id, generation, group, epoch, length: bytes.length, disk };
      return succeeded(signReceipt(claims, (message) => this.#parts.hasher.hmac(this.#parts.receiptKey, message)));
    } catch (error) {
      return failed(error, "put chunk");
    }
  }

  /** Before a body is read: the most bytes that this write may have. Throws unauthenticated, forbidden. */
  admitWrite(write: Pick<ChunkWrite, "token" | "generation">): number {
    const { group, disks, chunkBytesMax } = this.#parts.gate.write(write);
    this.#engineOf(disks, group);
    return Math.min(chunkBytesMax, limits.chunkBytesMax);
  }

  /** Before the body of a batch is read: its sender may write something. Throws unauthenticated, forbidden. */
  admitWriter(token: string): void {
    this.#parts.gate.writer(token);
  }

  /** Before memory is set aside for a read. Throws unauthenticated, forbidden. */
  admitRead(token: string, group: GroupId): void {
    this.#parts.gate.read(token, group);
  }

  /** Before the body of a batch is read: its sender may read something. Throws unauthenticated, forbidden. */
  admitReader(token: string): void {
    this.#parts.gate.reader(token);
  }

  /** Blocks of a chunk. Throws as ChunkService.get. */
  async read(request: {
    group: GroupId;
    id: ChunkId;
    token: string;
    range?: { offset: number; length: number };
  }): Promise<ChunkBlocks> {
    this.#parts.gate.read(request.token, request.group);
    let failure: StorageError | undefined;
    for (const engine of this.#holders(request.group)) {
      const startedAt = this.#parts.clock.monotonic();
      try {
        const blocks = await engine.read(request.group, request.id, request.range);
        this.#parts.readTook(engine, this.#parts.clock.monotonic() - startedAt);
        return blocks;
      } catch (error) {
        // A copy that is there but cannot be read must not be reported as one that is not there.
        if (!failure || isKind(failure, "not-found")) failure = asStorageError(error, "read chunk");
      }
    }
    throw failure ?? new StorageError("not-found", "read chunk", request.id);
  }

  async stat(read: ChunkRead): Promise<ChunkStat> {
    const { id, group } = read;
    const { generation, length, disk } = await this.locate(read);
    return { id, group, generation, length, disk };
  }

  async locate({ group, id, token }: ChunkRead): Promise<ChunkPlace> {
    this.#parts.gate.read(token, group);
    for (const engine of this.#holders(group)) {
      const found = await engine.find(group, id);
      if (found) return { disk: engine.identity.disk, ...found };
    }
    throw new StorageError("not-found", "find chunk", id);
  }

  #holders(group: GroupId): DiskEngine[] {
    return this.#parts.engines.filter((engine) => engine.holds(group));
  }

  #engineOf(disks: readonly DiskId[], group: GroupId): DiskEngine {
    const engine = this.#parts.engines.find(({ identity }) => disks.includes(identity.disk));
    if (engine) return engine;
    throw new StorageError("forbidden", "put chunk", `group ${group} has no disk on this node`, {
      hint: "Send the chunk to the members of its group.",
    });
  }
}
