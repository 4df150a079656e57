import { type CommitResult, type CommitTarget, StorageError, type UploadPart } from "@cairn/protocol";
import type { WriteControl } from "../transfer.ts";
import type { RunSink } from "./source-write.ts";
import { UploadSession } from "./upload-session.ts";
import type { WritePath } from "./write-path.ts";
import type { WriteUnit } from "./write-unit.ts";

/** Makes a source a version: one commit for a small one, an upload session whose parts are its runs for a large one. */
export class FileWrite implements RunSink<CommitResult> {
  readonly #path: WritePath;
  readonly #target: CommitTarget;
  readonly #control: WriteControl;
  #signal: AbortSignal = new AbortController().signal;
  #session: UploadSession | undefined;
  #opening: Promise<UploadSession> | undefined;

  constructor(path: WritePath, target: CommitTarget, control: WriteControl) {
    this.#path = path;
    this.#target = target;
    this.#control = control;
  }

  get inRuns(): boolean {
    return this.#session !== undefined;
  }

  async begin(signal: AbortSignal): Promise<void> {
    this.#signal = signal;
    const { resume } = this.#control;
    if (resume !== undefined) this.#session = await UploadSession.resume(this.#path, resume, signal);
  }

  async stored(run: number): Promise<UploadPart | undefined> {
    return this.#session?.storedPart(run);
  }

  async whole(unit: WriteUnit, size: number): Promise<CommitResult> {
    const { committer } = this.#path;
    // One id for all attempts: a request that was refused may arrive once more when a later one has been taken.
    const commit = this.#control.commit ?? committer.newCommitId();
    const target = { ...this.#target, attributes: await this.#control.attributes?.() };
    return unit.commit((lease, chunks) => committer.commit({ commit, lease, target, size, chunks }, this.#signal));
  }

  async put(unit: WriteUnit, run: number): Promise<void> {
    this.#opening ??= this.#session ? Promise.resolve(this.#session) : this.#open();
    const session = await this.#opening;
    await unit.commit(async (lease, chunks, unchanged) => {
      if (chunks.length > 0 && !unchanged) await session.putPart(lease, run, chunks);
    });
  }

  async finish(runs: number, size: number): Promise<CommitResult> {
    const session = this.#session;
    if (!session) throw new StorageError("internal", "complete upload", "no session was opened");
    if (await session.storedPart(runs)) {
      await session.abort();
      throw new StorageError("conflict", "resume upload", `the source is shorter than what upload ${session.id} has`, {
        hint: "The file changed; upload it again.",
      });
    }
    return session.complete(size, { commit: this.#control.commit, attributes: await this.#control.attributes?.() });
  }

  /** A session that nobody knows of cannot be resumed. */
  async abandon(): Promise<void> {
    if (!this.#control.onUpload && this.#control.resume === undefined) await this.#session?.abort();
  }

  async #open(): Promise<UploadSession> {
    const session = await UploadSession.create(this.#path, this.#target, this.#signal);
    this.#session = session;
    await this.#control.onUpload?.(session.id);
    return session;
  }
}
