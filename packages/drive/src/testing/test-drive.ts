import type { Clock, Log, Metrics } from "@cairn/env";
import { NodeClock, NodeHasher } from "@cairn/env-node";
import type { ChunkService, CommitTarget, DriveId, EntryId } from "@cairn/protocol";
import { SeededRandom } from "@cairn/simulator";
import type { DriveEnv } from "../drive-env.ts";
import { NodeBoard } from "../nodes/node-board.ts";
import { DriveReader } from "../read/drive-reader.ts";
import { DriveWriter } from "../write/drive-writer.ts";
import { MemoryMetadata } from "./memory-metadata.ts";
import { MemoryNode } from "./memory-node.ts";

const silent: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silent,
};
const unmeasured: Metrics = {
  counter: () => ({ add: () => undefined }),
  gauge: () => ({ set: () => undefined }),
  histogram: () => ({ observe: () => undefined }),
  expose: async () => "",
};

export interface TestDriveOptions {
  readonly nodes?: number;
  readonly copies?: number;
  readonly chunkBytes?: number;
  readonly clock?: Clock;
  readonly windowBytesMax?: number;
  readonly seed?: number;
}

/** The drive library over nodes and a metadata server in memory. */
export class TestDrive implements AsyncDisposable {
  readonly env: DriveEnv;
  readonly nodes: readonly MemoryNode[];
  readonly metadata: MemoryMetadata;
  readonly board: NodeBoard;
  readonly writer: DriveWriter;
  readonly reader: DriveReader;

  constructor(options: TestDriveOptions = {}) {
    const { nodes = 3, copies = 2, chunkBytes = 1024, clock = new NodeClock(), windowBytesMax, seed = 1 } = options;
    this.env = { clock, random: new SeededRandom(seed), hasher: new NodeHasher(), log: silent, metrics: unmeasured };
    this.nodes = Array.from({ length: nodes }, (_, index) => new MemoryNode(index + 1));
    this.metadata = new MemoryMetadata(this.nodes);
    this.metadata.copies = copies;
    this.metadata.chunkBytes = chunkBytes;
    const chunksAt = (url: string): ChunkService => {
      const node = this.nodes.find((candidate) => candidate.url === url);
      if (!node) throw new Error(`no node at ${url}`);
      return node;
    };
    this.board = new NodeBoard(this.env, chunksAt);
    const services = { metadata: this.metadata, chunksAt, nodes: this.board };
    this.writer = new DriveWriter(this.env, services, { holder: "test", windowBytesMax });
    this.reader = new DriveReader(this.env, services);
  }

  get bytesReceived(): number {
    return this.nodes.reduce((sum, { bytesReceived }) => sum + bytesReceived, 0);
  }

  async readAll(name: string): Promise<Uint8Array> {
    const { bytes } = await this.reader.open({ drive: target(name).drive, path: `/${name}` });
    return collect(bytes);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.writer[Symbol.asyncDispose]();
  }
}

export function target(name: string): CommitTarget {
  return { drive: "dr_1" as DriveId, parent: "f_root" as EntryId, name, onConflict: "fail" };
}

/** Bytes that differ everywhere and are the same at every run. */
export function bytesOf(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed * 2654435761;
  for (let index = 0; index < length; index++) {
    state = (Math.imul(state ^ (state >>> 15), 2246822519) + 3266489917) | 0;
    bytes[index] = state >>> 24;
  }
  return bytes;
}

export async function* streamOf(...pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* pieces;
}

export async function collect(bytes: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of bytes) pieces.push(piece);
  return new Uint8Array(Buffer.concat(pieces));
}
