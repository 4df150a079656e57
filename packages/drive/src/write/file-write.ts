import { type CommitResult, type CommitTarget, limits, StorageError, type UploadPart } from "@cairn/protocol";
import { abortable, type LinkedController, linkedController } from "../nodes/deadline.ts";
import type { WriteControl, WriteSource } from "../transfer.ts";
import { ByteWindow } from "./byte-window.ts";
import { ChunkInput, sizeOf } from "./chunk-input.ts";
import type { HeldLease } from "./held-lease.ts";
import { UploadSession } from "./upload-session.ts";
import type { DrivePath, WritePath } from "./write-path.ts";
import { unitChunksMax, WriteUnit } from "./write-unit.ts";

/** Bytes of one file on their way at once. */
const fileWindowBytes = 8 * limits.chunkBytesDefault;
/** Sending less than this to the nodes costs less than asking whether they have it. */
const lookupBytesMin = 131_072;
const partsUnderWayMax = 2;

/** One file on its way in: chunks are stored while the next ones are read, then one commit makes them a version. */
export class FileWrite {
  readonly #path: WritePath;
  readonly #drive: DrivePath;
  readonly #target: CommitTarget;
  readonly #source: WriteSource;
  readonly #control: WriteControl;
  readonly #stop: LinkedController;
  readonly #window = new ByteWindow(fileWindowBytes);
  readonly #units = new Set<WriteUnit>();
  #parts: Promise<void>[] = [];
  #partCount = 0;
  #chunkCount = 0;
  #session: UploadSession | undefined;
  #failure: { readonly error: unknown } | undefined;
  readonly #progress = { bytesDone: 0, bytesKnown: 0, chunksDone: 0 };

  constructor(path: WritePath, target: CommitTarget, source: WriteSource, control: WriteControl) {
    this.#path = path;
    this.#drive = path.drive(target.drive);
    this.#target = target;
    this.#source = source;
    this.#control = control;
    this.#stop = linkedController(control.signal);
  }

  async run(): Promise<CommitResult> {
    let input: ChunkInput | undefined;
    try {
      const lease = await this.#drive.leases.acquire(this.#stop.signal);
      input = new ChunkInput(this.#source, lease.chunkBytes);
      return await this.#writeAll(input, lease);
    } catch (error) {
      this.#fail(error);
      // Not waited for: a source that has stalled does not close before its next bytes have come.
      input?.close().catch((err: unknown) => this.#path.env.log.debug({ err }, "a source could not be closed"));
      await Promise.allSettled(this.#parts);
      // A session that nobody knows of cannot be resumed.
      if (!this.#control.onUpload && this.#control.resume === undefined) await this.#session?.abort();
      throw this.#failure?.error;
    } finally {
      this.#stop.unlink();
      for (const unit of this.#units) unit.release();
    }
  }

  async #writeAll(input: ChunkInput, lease: HeldLease): Promise<CommitResult> {
    const { resume } = this.#control;
    if (resume !== undefined) this.#session = await UploadSession.resume(this.#path, resume, this.#stop.signal);
    let unit = await this.#newUnit(input, lease);
    for (let bytes = await this.#next(input); bytes; bytes = await this.#next(input)) {
      if (unit.full) {
        await this.#sealPart(unit);
        unit = await this.#newUnit(input, await this.#drive.leases.acquire(this.#stop.signal));
      }
      await this.#admit(unit, bytes, input);
    }
    if (!this.#session) return this.#commitWhole(unit, input.bytesRead);
    await this.#sealPart(unit);
    return this.#complete(this.#session, input.bytesRead);
  }

  /** A source that stalls does not keep a stopped write. */
  #next(input: ChunkInput): Promise<Uint8Array | undefined> {
    return abortable(input.next(), this.#stop.signal, "read source");
  }

  /** Takes over the hold on the lease. */
  async #newUnit(input: ChunkInput, lease: HeldLease): Promise<WriteUnit> {
    let stored: UploadPart | undefined;
    try {
      stored = await this.#session?.storedPart(this.#partCount);
    } catch (error) {
      lease.release();
      throw error;
    }
    const unit = new WriteUnit({
      path: this.#path,
      drive: this.#drive,
      lease,
      input,
      firstChunk: this.#partCount * unitChunksMax,
      stored,
      signal: this.#stop.signal,
      onChunk: (bytes, known) => this.#tell(bytes, known),
      onFailure: (error) => this.#fail(error),
    });
    this.#units.add(unit);
    return unit;
  }

  /** Waits until there is room for the chunk, then lets it go. */
  async #admit(unit: WriteUnit, bytes: Uint8Array, input: ChunkInput): Promise<void> {
    const { signal } = this.#stop;
    const { length } = bytes;
    const first = this.#chunkCount++ === 0;
    const alone = first && (input.size === undefined ? length < input.chunkBytes : length === input.size);
    await this.#window.enter(length, signal);
    try {
      await this.#path.window.enter(length, signal);
    } catch (error) {
      this.#window.leave(length);
      throw error;
    }
    unit.add(bytes, {
      lookup: !alone || length >= lookupBytesMin,
      done: () => {
        this.#window.leave(length);
        this.#path.window.leave(length);
      },
    });
  }

  #commitWhole(unit: WriteUnit, size: number): Promise<CommitResult> {
    const { committer } = this.#path;
    // One id for all attempts: a request that was refused may arrive once more when a later one has been taken.
    const commit = this.#control.commit ?? committer.newCommitId();
    return unit.commit((lease, chunks) => {
      return committer.commit({ commit, lease, target: this.#target, size, chunks }, this.#stop.signal);
    });
  }

  /** Makes the unit a part of an upload as soon as its chunks are stored; at most two parts are under way. */
  async #sealPart(unit: WriteUnit): Promise<void> {
    const session = this.#session ?? (await this.#openSession());
    const part = this.#partCount++;
    const sealed = unit
      .commit(async (lease, chunks, unchanged) => {
        if (chunks.length > 0 && !unchanged) await session.putPart(lease, part, chunks);
      })
      .finally(() => {
        unit.release();
        this.#units.delete(unit);
      });
    sealed.catch((error: unknown) => this.#fail(error));
    this.#parts.push(sealed);
    if (this.#parts.length >= partsUnderWayMax) await this.#parts.shift();
  }

  async #openSession(): Promise<UploadSession> {
    const session = await UploadSession.create(this.#path, this.#target, this.#stop.signal);
    this.#session = session;
    await this.#control.onUpload?.(session.id);
    return session;
  }

  async #complete(session: UploadSession, size: number): Promise<CommitResult> {
    await Promise.all(this.#parts);
    if (await session.storedPart(this.#partCount)) {
      await session.abort();
      throw new StorageError("conflict", "resume upload", `the source is shorter than what upload ${session.id} has`, {
        hint: "The file changed; upload it again.",
      });
    }
    return session.complete(size, this.#control.commit);
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
