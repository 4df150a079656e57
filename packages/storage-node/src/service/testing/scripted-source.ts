import { type ChunkRead, failed, type Outcome, StorageError, succeeded } from "@cairn/protocol";

/** A source of copies: what it holds, what it does wrong, and what it was asked. */
export class ScriptedSource {
  readonly chunks: Map<string, Uint8Array> = new Map();
  batches: string[][] = [];
  singles: string[] = [];
  /** Bytes that were handed out and not taken up yet. */
  answer: (read: ChunkRead) => Promise<Uint8Array> = async ({ id }) => {
    const bytes = this.chunks.get(id);
    if (!bytes) throw new StorageError("not-found", "get chunk", id);
    return bytes;
  };
  before: () => Promise<void> = async () => undefined;

  async get(read: ChunkRead): Promise<Uint8Array> {
    this.singles.push(read.id);
    return await this.answer(read);
  }

  async getMany(reads: readonly ChunkRead[], signal?: AbortSignal): Promise<readonly Outcome<Uint8Array>[]> {
    this.batches.push(reads.map(({ id }) => id));
    await this.before();
    if (signal?.aborted) throw new StorageError("cancelled", "get chunks", "stopped");
    return Promise.all(reads.map((read) => this.answer(read).then(succeeded, (error) => failed(error, "get chunk"))));
  }
}
