import type { Entry, EntryAddress, ObjectAttributes, ReadPlan, VersionId } from "@cairn/protocol";
import type { DriveEnv } from "../drive-env.ts";
import { abortable } from "../nodes/deadline.ts";
import { NodeBoard } from "../nodes/node-board.ts";
import { patience, retrying } from "../retry.ts";
import type { DriveServices } from "../services.ts";
import type { StoredPiece, TransferControl } from "../transfer.ts";
import { BadCopyReports } from "./bad-copy-reports.ts";
import type { ChunkCheck } from "./chunk-check.ts";
import { ChunkReader } from "./chunk-reader.ts";
import { checkFile } from "./file-check.ts";
import { FileRead, type ReadPath } from "./file-read.ts";
import { GroupCache } from "./group-cache.ts";
import { PlanBatcher } from "./plan-batcher.ts";

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
  /** Of a version that came through an object API. */
  readonly attributes: ObjectAttributes | undefined;
  /** The version was written by an object API while the bucket kept no versions. */
  readonly unversioned: boolean;
  /** Bytes [offset, offset + length) of the file, as `bytes` will give them. */
  readonly offset: number;
  readonly length: number;
  /** In order, verified, once. The buffers are the caller's. Leaving the loop early stops the reading. */
  readonly bytes: AsyncIterable<Uint8Array>;
  /** The same, as pieces that are read only if asked for: the source of a copy. */
  readonly pieces: AsyncIterable<StoredPiece>;
}

/** Reads files from the healthiest copies and verifies them. One for a whole process; any number of reads at once. */
export class DriveReader {
  readonly #path: ReadPath;
  readonly #plans: PlanBatcher;

  constructor(env: DriveEnv, services: DriveServices) {
    const { metadata } = services;
    const board = services.nodes ?? new NodeBoard(env, services.chunksAt);
    const chunks = new ChunkReader(env, board, new BadCopyReports(env, metadata));
    this.#plans = new PlanBatcher(metadata);
    this.#path = { env, metadata, groups: new GroupCache(env, metadata), chunks };
  }

  /**
   * Plans a read. Throws not-found, range (offset at or behind the end of a file that is not empty), invalid (a folder); while iterating: lost (no good
   * copy anywhere), unavailable (details.nodes: whose return would help), cancelled.
   */
  async open(address: EntryAddress, request: ReadRequest = {}): Promise<OpenFile> {
    const { offset = 0, signal, onProgress } = request;
    const plan = await this.#plan(address, request);
    const { entry, attributes, unversioned = false } = plan;
    const length = Math.min(request.length ?? entry.size, entry.size - offset);
    const bytes = new FileRead(this.#path, { plan, offset, length, signal, onProgress });
    return { entry, attributes, unversioned, offset, length, bytes, pieces: bytes.pieces() };
  }

  /** Reads every chunk of a file on every one of its copies and tells each copy's state, in order of the file. */
  async *check(address: EntryAddress, control: TransferControl = {}): AsyncGenerator<ChunkCheck> {
    yield* checkFile(this.#path, await this.#plan(address, control), control);
  }

  async #plan(address: EntryAddress, request: ReadRequest): Promise<ReadPlan> {
    const { version, offset = 0, signal } = request;
    const { env, groups } = this.#path;
    const planning = retrying(env, { signal, patienceMs: patience.atStart }, () =>
      this.#plans.plan({ address, version, offset }, signal),
    );
    const plan = await abortable(planning, signal, "read file");
    groups.learn(plan.groups);
    return plan;
  }
}
