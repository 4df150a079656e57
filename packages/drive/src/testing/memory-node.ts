import {
  type ChunkId,
  type ChunkRead,
  type ChunkService,
  type ChunkStat,
  type ChunkWrite,
  type DiskId,
  failed,
  type GroupId,
  type NodeId,
  type Outcome,
  type Receipt,
  StorageError,
  succeeded,
} from "@cairn/protocol";

/** Called before a request is answered: may wait, may throw. */
export type NodeFault = (request: "put" | "get", id: ChunkId, signal: AbortSignal | undefined) => Promise<void> | void;

/** A storage node in memory, for tests of what stands before it. Counts what it is asked and fails on demand. */
export class MemoryNode implements ChunkService {
  readonly id: NodeId;
  readonly disk: DiskId;
  readonly url: string;
  readonly chunks: Map<string, Uint8Array> = new Map();
  readonly generations: Set<number> = new Set();
  fault: NodeFault = () => undefined;
  /** Which receipts it gives. */
  receipt: (write: ChunkWrite) => Receipt = () => ({ disk: this.disk, epoch: 1, mac: "genuine" });
  /** Groups below this number take no more chunks. */
  sealedBelow: { readonly group: number; readonly kind: "stale" | "unavailable" } | undefined;
  puts = 0;
  gets = 0;
  /** Items of each batch, in the order of the calls. */
  readonly putBatches: number[] = [];
  readonly getBatches: number[] = [];
  readonly ranges: { readonly offset: number; readonly length: number }[] = [];
  bytesReceived = 0;

  constructor(number: number, url: string = `http://node-${number}`) {
    this.id = `node-${number}` as NodeId;
    this.disk = number as DiskId;
    this.url = url;
  }

  async put(write: ChunkWrite, signal?: AbortSignal): Promise<Receipt> {
    this.puts++;
    await this.fault("put", write.id, signal);
    const group = Number(write.token.split(" ")[1]) as GroupId;
    if (this.sealedBelow && group < this.sealedBelow.group) {
      throw new StorageError(this.sealedBelow.kind, "put chunk", `group ${group} is sealed`);
    }
    this.bytesReceived += write.bytes.length;
    this.chunks.set(keyOf(group, write.id), write.bytes.slice());
    this.generations.add(write.generation);
    return this.receipt(write);
  }

  async putMany(writes: readonly ChunkWrite[], signal?: AbortSignal): Promise<readonly Outcome<Receipt>[]> {
    this.putBatches.push(writes.length);
    return Promise.all(
      writes.map((write) => this.put(write, signal).then(succeeded, (error: unknown) => failed(error, "put"))),
    );
  }

  async get(read: ChunkRead, signal?: AbortSignal): Promise<Uint8Array> {
    this.gets++;
    await this.fault("get", read.id, signal);
    const bytes = this.chunks.get(keyOf(read.group, read.id));
    if (!bytes) throw new StorageError("not-found", "get chunk", read.id);
    if (!read.range) return bytes.slice();
    this.ranges.push(read.range);
    return bytes.slice(read.range.offset, read.range.offset + read.range.length);
  }

  async getMany(reads: readonly ChunkRead[], signal?: AbortSignal): Promise<readonly Outcome<Uint8Array>[]> {
    this.getBatches.push(reads.length);
    return Promise.all(
      reads.map((read) => this.get(read, signal).then(succeeded, (error: unknown) => failed(error, "get"))),
    );
  }

  /** Turns one bit of a stored chunk, in every group. */
  damage(id: ChunkId): void {
    for (const [key, bytes] of this.chunks) {
      if (key.endsWith(id)) bytes[0] = (bytes[0] ?? 0) ^ 1;
    }
  }

  forget(id: ChunkId): void {
    for (const key of [...this.chunks.keys()]) if (key.endsWith(id)) this.chunks.delete(key);
  }

  stat(): Promise<ChunkStat> {
    throw new StorageError("internal", "stat chunk", "the data path does not ask this");
  }
}

export function keyOf(group: GroupId, id: ChunkId): string {
  return `${group} ${id}`;
}

/** The failure of a node whose process is not there. */
export function refused(node: string): StorageError {
  return new StorageError("unavailable", "request", `${node} (ECONNREFUSED)`, { details: { unreachable: true } });
}
