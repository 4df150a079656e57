import { type CommitResult, type CommitTarget, StorageError, type UploadId } from "@cairn/protocol";
import type { DriveEnv, DriveServices } from "../services.ts";
import type { TransferControl, WriteSource } from "../transfer.ts";

export interface DriveWriterOptions {
  /** Names this writer in the leases it opens, for people. */
  readonly holder: string;
  /** Bytes of chunks on their way at once, over all writes. Default: 64 MiB. */
  readonly windowBytesMax?: number;
}

export interface WriteControl extends TransferControl {
  /** Goes on with this upload session when it still exists; only what is missing or differs is sent. Needs a source with `open` or `bytes`. */
  readonly resume?: UploadId | undefined;
  /** Told the session's id as soon as a large file has one, so that the caller can keep it for `resume`. */
  readonly onUpload?: ((upload: UploadId) => void | Promise<void>) | undefined;
}

/** Writes files: cuts, hashes, sends to all copies, commits. One for a whole process; any number of writes at once. */
export class DriveWriter implements AsyncDisposable {
  constructor(_env: DriveEnv, _services: DriveServices, _options: DriveWriterOptions) {}

  /**
   * Writes one file and answers when all its bytes are synced on every copy and the version is committed.
   * Throws as DataPathService.commit; unavailable when no group takes a chunk; chunk-gone when a chunk was collected
   * meanwhile and the source cannot be read again; invalid when the source does not have its `size`; cancelled.
   */
  async write(target: CommitTarget, _source: WriteSource, _control: WriteControl = {}): Promise<CommitResult> {
    throw new StorageError("internal", "write file", target.name);
  }

  /** Closes the leases; writes under way fail. */
  async [Symbol.asyncDispose](): Promise<void> {}
}
