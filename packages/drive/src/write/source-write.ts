import { limits, type UploadPart } from "@cairn/protocol";
import { abortable, type LinkedController, linkedController } from "../nodes/deadline.ts";
import type { TransferControl, WriteSource } from "../transfer.ts";
import { ByteWindow } from "./byte-window.ts";
import { ChunkInput, type InputChunk, sizeOf } from "./chunk-input.ts";
import type { HeldLease } from "./held-lease.ts";
import type { DrivePath, WritePath } from "./write-path.ts";
import { unitChunksMax, WriteUnit } from "./write-unit.ts";

/** Bytes of one source on their way at once. */
const sourceWindowBytes = 8 * limits.chunkBytesDefault;
/** Sending less than this to the nodes costs less than asking whether they have it. */
const lookupBytesMin = 131_072;
const runsUnderWayMax = 2;

/** What becomes of the chunks of a source, a run of at most unitChunksMax at a time. */
export interface RunSink<Result> {
  /** Before the first run; an earlier attempt may have stored some. */
  begin(signal: AbortSignal): Promise<void>;
  /** What an earlier attempt stored as this run. Asked in rising order. */
  stored(run: number): Promise<UploadPart | undefined>;
  /** True when there must be runs even though one unit holds everything. */
  readonly inRuns: boolean;
  /**
   * Called for each run unless one unit holds everything; ends when it is durable. Two are under way at once. `size`: bytes
   * of the whole source, with its last run.
   */
  put(unit: WriteUnit, run: number, size: number | undefined): Promise<void>;
  /** Everything was in one unit, which no `put` has seen. */
  whole(unit: WriteUnit, size: number): Promise<Result>;
  /** All runs are durable. */
  finish(runs: number, size: number): Promise<Result>;
  /** The write has failed. */
  abandon(): Promise<void>;
}

/** One source on its way in: chunks are stored while the next ones are read, and handed to the sink run by run. */
export class SourceWrite<Result> {
  readonly #path: WritePath;
  readonly #drive: DrivePath;
  readonly #source: WriteSource;
  readonly #control: TransferControl;
  readonly #sink: RunSink<Result>;
  readonly #stop: LinkedController;
  readonly #window = new ByteWindow(sourceWindowBytes);
  readonly #units = new Set<WriteUnit>();
  #puts: Promise<void>[] = [];
  #runCount = 0;
  #chunkCount = 0;
  #failure: { readonly error: unknown } | undefined;
  readonly #progress = { bytesDone: 0, bytesKnown: 0, chunksDone: 0 };

  constructor(
    to: { readonly path: WritePath; readonly drive: DrivePath; readonly sink: RunSink<Result> },
    source: WriteSource,
    control: TransferControl,
  ) {
    this.#path = to.path;
    this.#drive = to.drive;
    this.#sink = to.sink;
    this.#source = source;
    this.#control = control;
    this.#stop = linkedController(control.signal);
  }

  async run(): Promise<Result> {
    let input: ChunkInput | undefined;
    try {
      const lease = await this.#drive.leases.acquire(this.#stop.signal);
      input = new ChunkInput(this.#source, lease.chunkBytes);
      return await this.#writeAll(input, lease);
    } catch (error) {
      this.#fail(error);
      // Not waited for: a source that has stalled does not close before its next bytes have come.
      input?.close().catch((err: unknown) => this.#path.env.log.debug({ err }, "a source could not be closed"));
      await Promise.allSettled(this.#puts);
      await this.#sink.abandon();
      throw this.#failure?.error;
    } finally {
      this.#stop.unlink();
      for (const unit of this.#units) unit.release();
    }
  }

  async #writeAll(input: ChunkInput, lease: HeldLease): Promise<Result> {
    await this.#sink.begin(this.#stop.signal);
    let unit = await this.#newUnit(input, lease);
    for (let chunk = await this.#next(input); chunk; chunk = await this.#next(input)) {
      if (unit.full) {
        await this.#seal(unit, undefined);
        unit = await this.#newUnit(input, await this.#drive.leases.acquire(this.#stop.signal));
      }
      await this.#admit(unit, chunk, input);
    }
    if (this.#runCount === 0 && !this.#sink.inRuns) return this.#sink.whole(unit, input.bytesRead);
    await this.#seal(unit, input.bytesRead);
    await Promise.all(this.#puts);
    return this.#sink.finish(this.#runCount, input.bytesRead);
  }

  /** A source that stalls does not keep a stopped write. */
  #next(input: ChunkInput): Promise<InputChunk | undefined> {
    return abortable(input.next(), this.#stop.signal, "read source");
  }

  /** Takes over the hold on the lease. */
  async #newUnit(input: ChunkInput, lease: HeldLease): Promise<WriteUnit> {
    let stored: UploadPart | undefined;
    try {
      stored = await this.#sink.stored(this.#runCount);
    } catch (error) {
      lease.release();
      throw error;
    }
    const unit = new WriteUnit({
      path: this.#path,
      drive: this.#drive,
      lease,
      input,
      firstChunk: this.#runCount * unitChunksMax,
      stored,
      signal: this.#stop.signal,
      onChunk: (bytes, known) => this.#tell(bytes, known),
      onFailure: (error) => this.#fail(error),
    });
    this.#units.add(unit);
    return unit;
  }

  /** Waits until there is room for the chunk, then lets it go. */
  async #admit(unit: WriteUnit, chunk: InputChunk, input: ChunkInput): Promise<void> {
    const { signal } = this.#stop;
    const { length } = chunk;
    const first = this.#chunkCount++ === 0;
    const alone = first && (input.size === undefined ? length < input.chunkBytes : length === input.size);
    await this.#window.enter(length, signal);
    try {
      await this.#path.window.enter(length, signal);
    } catch (error) {
      this.#window.leave(length);
      throw error;
    }
    unit.add(chunk, {
      lookup: !alone || length >= lookupBytesMin || !(chunk instanceof Uint8Array),
      done: () => {
        this.#window.leave(length);
        this.#path.window.leave(length);
      },
    });
  }

  /** Hands the unit to the sink; at most two are on their way there. */
  async #seal(unit: WriteUnit, size: number | undefined): Promise<void> {
    const put = this.#sink.put(unit, this.#runCount++, size).finally(() => {
      unit.release();
      this.#units.delete(unit);
    });
    put.catch((error: unknown) => this.#fail(error));
    this.#puts.push(put);
    if (this.#puts.length >= runsUnderWayMax) await this.#puts.shift();
  }

  /** The first failure is the one that is told; all else stops. */
  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#stop.abort();
  }

  #tell(bytes: number, known: boolean): void {
    const progress = this.#progress;
    progress.bytesDone += bytes;
    progress.chunksDone++;
    if (known) progress.bytesKnown += bytes;
    this.#control.onProgress?.({ ...progress, bytesTotal: sizeOf(this.#source) });
  }
}
