import type { Clock, Disk, Hasher, Log, LogFields, Metrics } from "@cairn/env";
import {
  type ChunkId,
  chunkIdFromHash,
  type DiskId,
  type Generation,
  type GroupId,
  type NodeId,
  type Outcome,
  unwrap,
} from "@cairn/protocol";
import { DiskEngine, type EngineEnv, type EnginePut } from "../disk-engine.ts";
import { type DiskIdentity, initialiseDisk, readDiskIdentity } from "../disk-identity.ts";
import type { EngineOptions } from "../engine-parts.ts";

export const group7 = 7 as GroupId;
export const identity: DiskIdentity = {
  cluster: "c0".repeat(16),
  node: "node-1" as NodeId,
  disk: 3 as DiskId,
  uuid: "d3".repeat(16),
};

/** Segments of a few records, so that short programs see them end. */
export const smallSegments: Partial<EngineOptions> = { segmentBytes: 16 * 1024 };

/** A chunk with its name. */
export interface TestChunk {
  readonly id: ChunkId;
  readonly bytes: Uint8Array;
  readonly generation: Generation;
}

/** Chunks whose bytes depend on the number alone. */
export async function chunkOf(hasher: Hasher, number: number, length = 300): Promise<TestChunk> {
  const bytes = new Uint8Array(length);
  let state = (number * 2654435761 + 12345) >>> 0;
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[at] = state >>> 24;
  }
  const id = chunkIdFromHash(await hasher.sha256(bytes));
  return { id, bytes, generation: (2 ** 24 + number) as Generation };
}

/** As many different chunks of one length. */
export function chunksOf(hasher: Hasher, count: number, { from = 0, length = 300 } = {}): Promise<TestChunk[]> {
  return Promise.all(Array.from({ length: count }, (_, index) => chunkOf(hasher, from + index, length)));
}

export function putOf(chunk: TestChunk, { group = group7, epoch = 1 } = {}): EnginePut {
  return { group, epoch, id: chunk.id, generation: chunk.generation, bytes: chunk.bytes };
}

/** Lines of a log, for tests that look at them. */
export class ListLog implements Log {
  readonly lines: { level: string; message: string; fields: LogFields }[] = [];

  debug(): void {}
  info(): void {}
  warn(fields: LogFields, message: string): void {
    this.lines.push({ level: "warn", message, fields });
  }
  error(fields: LogFields, message: string): void {
    this.lines.push({ level: "error", message, fields });
  }
  child(): Log {
    return this;
  }
}

export interface FixtureOptions {
  readonly hasher: Hasher;
  readonly clock: Clock;
  readonly log?: Log;
  readonly crashPoint?: (name: string) => void;
}

export function engineEnv({ hasher, clock, log = new ListLog(), crashPoint = () => {} }: FixtureOptions): EngineEnv {
  return { hasher, clock, log, crashPoint, metrics: noMetrics };
}

/** Opens the disk as disk 3 of node-1, and makes it that when it is empty. */
export async function openEngine(
  env: EngineEnv,
  disk: Disk,
  options: Partial<EngineOptions> = {},
): Promise<DiskEngine> {
  if (!(await readDiskIdentity(disk))) await initialiseDisk(disk, identity);
  return DiskEngine.open(env, disk, { expected: identity, options });
}

/** Throws what a put answers. */
export async function mustPut(
  engine: DiskEngine,
  chunk: TestChunk,
  place?: { group?: GroupId; epoch?: number },
): Promise<void> {
  unwrap(await engine.put(putOf(chunk, place)));
}

/** The kind of an outcome's error, or `ok`. */
export function kindOf(outcome: Outcome<unknown> | undefined): string {
  return outcome === undefined ? "nothing" : outcome.ok ? "ok" : outcome.error.kind;
}

/** The kind of what a promise throws, or `ok`. */
export async function thrownKind(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "ok";
  } catch (error) {
    return (error as { kind?: string }).kind ?? String(error);
  }
}

const noMetrics: Metrics = {
  counter: () => ({ add: () => {} }),
  gauge: () => ({ set: () => {} }),
  histogram: () => ({ observe: () => {} }),
  expose: async () => "",
};
