import type { ChunkId, CommitId, FinishedPart, ObjectAttributes, UploadId } from "@cairn/protocol";

/** How far a transfer is; every number only rises. */
export interface Progress {
  /** Bytes of the file that are done: stored on all copies or known already (write), handed out (read). */
  readonly bytesDone: number;
  /** Bytes of the whole transfer; undefined while nobody knows. */
  readonly bytesTotal: number | undefined;
  /** Of bytesDone: bytes that needed no transfer because the drive, or an earlier attempt, had them already. */
  readonly bytesKnown: number;
  readonly chunksDone: number;
}

/** Called often: at every chunk. Must be quick and must not throw. */
export type OnProgress = (progress: Progress) => void;

/** What a caller may watch and stop. A stopped transfer throws cancelled. */
export interface TransferControl {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
}

/**
 * Bytes to write. Buffers that were handed over must not be changed until the write has ended.
 * `bytes`: all at once. `stream`: once, of any length; `size`, when given, must be met. `open`: can be read again from
 * any byte on, such as a file, which lets a write mend itself and resume. `pieces`: what is stored already, such as a file
 * that was opened for reading: only pieces that the drive lacks are read and sent.
 */
export type WriteSource =
  | { readonly bytes: Uint8Array }
  | { readonly stream: AsyncIterable<Uint8Array>; readonly size?: number | undefined }
  | { readonly open: (offset: number) => AsyncIterable<Uint8Array>; readonly size: number }
  | { readonly pieces: AsyncIterable<StoredPiece>; readonly size: number };

/** Bytes that lie in the cluster as a chunk, or as a part of one. */
export interface StoredPiece {
  /** Of the chunk that has just these bytes; undefined for a part of a chunk. */
  readonly id: ChunkId | undefined;
  /** In bytes. */
  readonly length: number;
  /** The bytes, verified. Throws as the reading of a file. */
  readonly read: () => Promise<Uint8Array>;
}

export interface WriteControl extends TransferControl {
  /** Names the write, so that a repeated one gets the first answer. Absent: a new name. */
  readonly commit?: CommitId | undefined;
  /**
   * Asked when the source has ended, before the commit: what an object API keeps with the version. May throw to end the
   * write without one.
   */
  readonly attributes?: (() => Promise<ObjectAttributes>) | undefined;
  /** Goes on with this upload session when it still exists: only what is missing or differs is sent. */
  readonly resume?: UploadId | undefined;
  /**
   * Told the session's id as soon as a large file has one, so that the caller can keep it for `resume`. A session whose
   * id nobody was told is dropped when the write fails.
   */
  readonly onUpload?: ((upload: UploadId) => void | Promise<void>) | undefined;
}

/** What to make of the bytes of an object's part when the last of them has come. May throw to end the write. */
export interface PartWriteControl extends TransferControl {
  readonly finish: () => Promise<Omit<FinishedPart, "runs" | "size">>;
}
