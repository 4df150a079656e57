import { type Entry, type EntryAddress, StorageError, type VersionId } from "@cairn/protocol";
import type { DriveEnv, DriveServices } from "../services.ts";
import type { TransferControl } from "../transfer.ts";
import type { ChunkCheck } from "./chunk-check.ts";

export interface ReadRequest extends TransferControl {
  /** Absent: the current version. */
  readonly version?: VersionId | undefined;
  /** First byte. Default: 0. */
  readonly offset?: number | undefined;
  /** Bytes wanted; more than there are is no error. Default: all from the offset on. */
  readonly length?: number | undefined;
}

/** A file being read. */
export interface OpenFile {
  readonly entry: Entry;
  /** Bytes [offset, offset + length) of the file, as `bytes` will give them. */
  readonly offset: number;
  readonly length: number;
  /** In order, verified, once. The buffers are the caller's. Leaving the loop early stops the reading. */
  readonly bytes: AsyncIterable<Uint8Array>;
}

/** Reads files from the healthiest copies and verifies them. One for a whole process; any number of reads at once. */
export class DriveReader {
  constructor(_env: DriveEnv, _services: DriveServices) {}

  /**
   * Plans a read. Throws not-found, range (offset behind the end), invalid (a folder); while iterating: lost (no good copy
   * anywhere), unavailable (details.nodes: whose return would help), cancelled.
   */
  async open(_address: EntryAddress, _request: ReadRequest = {}): Promise<OpenFile> {
    throw new StorageError("internal", "read file", "");
  }

  /** Reads every chunk of a file on every one of its copies and tells each copy's state, in order of the file. */
  async *check(_address: EntryAddress, _control: TransferControl = {}): AsyncGenerator<ChunkCheck> {}
}
