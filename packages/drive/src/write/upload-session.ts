import {
  type CommitId,
  type CommitResult,
  type CommitTarget,
  type CommittedChunk,
  type FinishedPart,
  isKind,
  type LeaseId,
  type ObjectAttributes,
  type UploadId,
  type UploadPart,
} from "@cairn/protocol";
import { abortable } from "../nodes/deadline.ts";
import { patience, retrying } from "../retry.ts";
import type { WritePath } from "./write-path.ts";

const partsPerPage = 32;

/** A large file on its way: parts become durable one by one, and the whole becomes visible at once. */
export class UploadSession {
  readonly id: UploadId;
  readonly #path: WritePath;
  readonly #signal: AbortSignal;
  /** Parts of an earlier attempt from the next one on, a page at a time. */
  #stored: readonly UploadPart[] = [];
  #cursor: string | undefined;

  private constructor(path: WritePath, id: UploadId, signal: AbortSignal) {
    this.#path = path;
    this.id = id;
    this.#signal = signal;
  }

  static async create(path: WritePath, target: CommitTarget, signal: AbortSignal): Promise<UploadSession> {
    const commit = path.committer.newCommitId();
    const upload = await asking(path, signal, () => path.metadata.createUpload(commit, target));
    return new UploadSession(path, upload.id, signal);
  }

  /** A session that is known to be there; what it holds is not looked at. */
  static of(path: WritePath, id: UploadId, signal: AbortSignal): UploadSession {
    return new UploadSession(path, id, signal);
  }

  /** Goes on with a session; undefined when it is gone. */
  static async resume(path: WritePath, id: UploadId, signal: AbortSignal): Promise<UploadSession | undefined> {
    const session = new UploadSession(path, id, signal);
    try {
      await session.#readPage(undefined);
      return session;
    } catch (error) {
      if (isKind(error, "not-found")) return undefined;
      throw error;
    }
  }

  /** What an earlier attempt stored as this part. Must be asked in rising order. */
  async storedPart(part: number): Promise<UploadPart | undefined> {
    for (;;) {
      this.#stored = this.#stored.filter((stored) => stored.part >= part);
      const [first] = this.#stored;
      if (first) return first.part === part ? first : undefined;
      if (this.#cursor === undefined) return undefined;
      await this.#readPage(this.#cursor);
    }
  }

  async putPart(
    lease: LeaseId,
    part: number,
    chunks: readonly CommittedChunk[],
    finished?: FinishedPart,
  ): Promise<void> {
    const commit = this.#path.committer.newCommitId();
    const request = { commit, lease, upload: this.id, part, chunks, finished };
    await asking(this.#path, this.#signal, () => this.#path.metadata.putPart(request));
  }

  complete(
    size: number,
    { commit = this.#path.committer.newCommitId(), attributes }: Completion,
  ): Promise<CommitResult> {
    const { metadata } = this.#path;
    return asking(this.#path, this.#signal, () => metadata.completeUpload(commit, this.id, size, attributes));
  }

  /** Drops what was stored. A session that cannot be dropped now runs out by itself. */
  async abort(): Promise<void> {
    try {
      await this.#path.metadata.abortUpload(this.id);
    } catch (err) {
      this.#path.env.log.debug({ upload: this.id, err }, "an upload could not be dropped and will run out");
    }
  }

  async #readPage(cursor: string | undefined): Promise<void> {
    const page = await asking(this.#path, this.#signal, () =>
      this.#path.metadata.listParts(this.id, { cursor, size: partsPerPage }),
    );
    this.#stored = page.items;
    this.#cursor = page.cursor;
  }
}

interface Completion {
  readonly commit: CommitId | undefined;
  readonly attributes: ObjectAttributes | undefined;
}

function asking<Result>(path: WritePath, signal: AbortSignal, work: () => Promise<Result>): Promise<Result> {
  return abortable(retrying(path.env, { signal, patienceMs: patience.underWay }, work), signal, "upload");
}
