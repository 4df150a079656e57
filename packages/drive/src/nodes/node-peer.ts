import {
  asStorageError,
  type ChunkRead,
  type ChunkService,
  type ChunkWrite,
  isKind,
  limits,
  type NodeId,
  type Receipt,
  type StorageError,
} from "@cairn/protocol";
import type { DriveEnv } from "../drive-env.ts";
import { Batcher } from "./batcher.ts";
import { CircuitBreaker } from "./circuit-breaker.ts";
import { abortable, withDeadline } from "./deadline.ts";
import { LatencyWindow } from "./latency-window.ts";
import { isSilence } from "./silence.ts";

/** One more than one keeps the node busy while an answer is on its way. */
const batchesInFlightMax = 2;
const timeoutFloorMs = 2000;
const hedgeFloorMs = 20;
const hedgeUnknownMs = 250;
const latencyWeight = 0.2;

/** A whole chunk, or part of one, to be read; `length` is the number of bytes that will come. */
export interface PeerRead extends ChunkRead {
  readonly length: number;
}

/** One storage node as the data path sees it: how it fares, and the way to it on which small chunks share requests. */
export class NodePeer {
  readonly id: NodeId;
  readonly url: string;
  readonly #env: DriveEnv;
  readonly #service: ChunkService;
  readonly #breaker = new CircuitBreaker();
  readonly #puts: Batcher<ChunkWrite, Receipt>;
  readonly #gets: Batcher<PeerRead, Uint8Array>;
  readonly #writeLatency = new LatencyWindow();
  readonly #readLatency = { small: new LatencyWindow(), large: new LatencyWindow() };
  #inFlight = 0;
  #ewmaMs = 0;

  constructor(env: DriveEnv, at: { readonly id: NodeId; readonly url: string }, service: ChunkService) {
    this.#env = env;
    this.id = at.id;
    this.url = at.url;
    this.#service = service;
    const batches = { inFlightMax: batchesInFlightMax, itemsMax: limits.batchChunksMax };
    this.#puts = new Batcher({
      ...batches,
      operation: "write chunk",
      bytesMax: limits.batchBytesMax,
      bytesOf: (write) => write.bytes.length,
      send: (writes) =>
        this.#ask("write chunk", this.#writeLatency, undefined, (signal) => this.#service.putMany(writes, signal)),
    });
    this.#gets = new Batcher({
      ...batches,
      operation: "read chunk",
      bytesMax: limits.batchBytesMax,
      bytesOf: (read) => read.length,
      send: (reads) =>
        this.#ask("read chunk", this.#readLatency.small, undefined, (signal) => this.#service.getMany(reads, signal)),
    });
  }

  /** False while the node is avoided because it failed just now. */
  get usable(): boolean {
    return this.#breaker.allows(this.#env.clock.monotonic());
  }

  /** Expected cost of one more read: the lower the better. */
  get score(): number {
    return this.#ewmaMs * (1 + this.#inFlight);
  }

  /** After how many ms an answer to a read is late enough to ask another node as well: its p95. */
  hedgeAfterMs(bytes: number): number {
    return Math.max(hedgeFloorMs, this.#latencyOf(bytes).quantile(0.95) ?? hedgeUnknownMs);
  }

  /** Stores a chunk on the node. The bytes must not change until the node has answered, which may be after this has thrown. */
  async put(write: ChunkWrite, signal?: AbortSignal): Promise<Receipt> {
    this.#inFlight++;
    try {
      if (write.bytes.length <= limits.batchedChunkBytesMax) {
        return await abortable(this.#puts.add(write, signal), signal, "write chunk");
      }
      return await this.#ask("write chunk", this.#writeLatency, signal, (stop) => this.#service.put(write, stop));
    } finally {
      this.#inFlight--;
    }
  }

  /** Bytes as the node has them: whoever asked verifies a whole chunk against its id. */
  async get(read: PeerRead, signal?: AbortSignal): Promise<Uint8Array> {
    this.#inFlight++;
    const startedAt = this.#env.clock.monotonic();
    try {
      const bytes = await this.#get(read, signal);
      this.#learn(this.#env.clock.monotonic() - startedAt);
      return bytes;
    } catch (error) {
      // A read that was given up took at least so long: else a slow node that loses every race would seem fast.
      this.#learn(Math.max(this.#env.clock.monotonic() - startedAt, this.#ewmaMs));
      throw error;
    } finally {
      this.#inFlight--;
    }
  }

  #learn(ms: number): void {
    this.#ewmaMs += latencyWeight * (ms - this.#ewmaMs);
  }

  async #get(read: PeerRead, signal: AbortSignal | undefined): Promise<Uint8Array> {
    if (read.range === undefined && read.length <= limits.batchedChunkBytesMax) {
      try {
        return await abortable(this.#gets.add(read, signal), signal, "read chunk");
      } catch (error) {
        // The batch as a whole was longer than one answer may be.
        if (!isKind(error, "too-large")) throw error;
      }
    }
    return this.#ask("read chunk", this.#latencyOf(read.length), signal, (stop) => this.#service.get(read, stop));
  }

  /** One request with a deadline; what becomes of it decides how much the node is trusted. */
  async #ask<Result>(
    operation: string,
    latency: LatencyWindow,
    signal: AbortSignal | undefined,
    work: (signal: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    const { clock } = this.#env;
    const startedAt = clock.monotonic();
    const ms = this.#timeoutMs(latency);
    this.#breaker.started(startedAt);
    try {
      const result = await withDeadline(clock, { ms, operation, subject: this.id, signal }, work);
      this.#breaker.succeeded();
      latency.add(clock.monotonic() - startedAt);
      return result;
    } catch (error) {
      this.#judge(asStorageError(error, operation), startedAt);
      throw error;
    }
  }

  #judge(error: StorageError, startedAt: number): void {
    const now = this.#env.clock.monotonic();
    if (isKind(error, "internal") || (isKind(error, "unavailable") && isSilence(error))) {
      this.#breaker.failed(now, startedAt);
    } else if (isKind(error, "overloaded")) this.#breaker.overloaded(now);
    else if (!isKind(error, "cancelled")) this.#breaker.succeeded();
  }

  #timeoutMs(latency: LatencyWindow): number {
    const late = latency.quantile(0.99);
    if (late === undefined) return limits.nodeTimeoutMs;
    return Math.min(limits.nodeTimeoutMs, Math.max(timeoutFloorMs, 3 * late));
  }

  #latencyOf(bytes: number): LatencyWindow {
    return bytes <= limits.batchedChunkBytesMax ? this.#readLatency.small : this.#readLatency.large;
  }
}
