import type { CommitResult, CommitTarget, DriveId, FinishedPart, UploadId } from "@cairn/protocol";
import type { DriveEnv } from "../drive-env.ts";
import type { DriveServices } from "../services.ts";
import type { PartWriteControl, WriteControl, WriteSource } from "../transfer.ts";
import { FileWrite } from "./file-write.ts";
import { ObjectPartWrite } from "./object-part-write.ts";
import { SourceWrite } from "./source-write.ts";
import { WritePath } from "./write-path.ts";

const windowBytesDefault = 67_108_864;

export interface DriveWriterOptions {
  /** Names this writer in the leases it opens, for people. */
  readonly holder: string;
  /** Bytes of chunks on their way at once, over all writes. Default: 64 MiB. */
  readonly windowBytesMax?: number | undefined;
}

/** Writes files: cuts, hashes, sends to all copies, commits. One for a whole process; any number of writes at once. */
export class DriveWriter implements AsyncDisposable {
  readonly #path: WritePath;

  constructor(env: DriveEnv, services: DriveServices, options: DriveWriterOptions) {
    const { holder, windowBytesMax = windowBytesDefault } = options;
    this.#path = new WritePath(env, services, { holder, windowBytesMax });
  }

  /**
   * Writes one file and answers when all its bytes are synced on every copy and the version is committed.
   * Throws as DataPathService.commit; unavailable when no group takes a chunk; chunk-gone or stale when chunks must be
   * sent again and the source cannot be read twice; invalid when the source does not have its `size`; cancelled.
   */
  write(target: CommitTarget, source: WriteSource, control: WriteControl = {}): Promise<CommitResult> {
    const sink = new FileWrite(this.#path, target, control);
    return new SourceWrite({ path: this.#path, drive: this.#path.drive(target.drive), sink }, source, control).run();
  }

  /**
   * Writes one part of an object, 1 … objectPartsMax, in place of an earlier one of its number. Answers when its bytes are
   * synced on every copy and the part is noted. Throws as `write`, and not-found when the upload is not there.
   */
  writePart(
    to: { readonly drive: DriveId; readonly upload: UploadId; readonly number: number },
    source: WriteSource,
    control: PartWriteControl,
  ): Promise<FinishedPart> {
    const sink = new ObjectPartWrite(this.#path, to.upload, { ...control, number: to.number });
    return new SourceWrite({ path: this.#path, drive: this.#path.drive(to.drive), sink }, source, control).run();
  }

  /** Closes the leases; writes under way fail. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#path[Symbol.asyncDispose]();
  }
}
