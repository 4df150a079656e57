import {
  type DataPathService,
  type Entry,
  type GroupView,
  isKind,
  type ManifestEntry,
  type ReadPlan,
  StorageError,
} from "@cairn/protocol";
import type { DriveEnv } from "../drive-env.ts";
import { linkedController } from "../nodes/deadline.ts";
import { patience, retrying } from "../retry.ts";
import type { OnProgress, StoredPiece } from "../transfer.ts";
import type { ChunkReader, WantedChunk } from "./chunk-reader.ts";
import type { GroupCache } from "./group-cache.ts";
import { ReadFailures } from "./read-failures.ts";

const chunksAheadMin = 4;
const chunksAheadMax = 64;
const bytesAheadMax = 4 * 1_048_576;

/** What all reads of a process share. */
export interface ReadPath {
  readonly env: DriveEnv;
  readonly metadata: DataPathService;
  readonly groups: GroupCache;
  readonly chunks: ChunkReader;
}

export interface FileReadOptions {
  readonly plan: ReadPlan;
  /** Bytes [offset, offset + length) of the file; within the file. */
  readonly offset: number;
  readonly length: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
}

/** A chunk of a file with the part of it that is wanted. */
export interface FilePiece extends WantedChunk {
  readonly index: number;
  /** Byte of the file at which the chunk starts. */
  readonly start: number;
}

/** The bytes of one file in order, with the next chunks already under way. */
export class FileRead implements AsyncIterable<Uint8Array> {
  readonly #path: ReadPath;
  readonly #options: FileReadOptions;

  constructor(path: ReadPath, options: FileReadOptions) {
    this.#path = path;
    this.#options = options;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    const { length, signal, onProgress } = this.#options;
    const stop = linkedController(signal);
    const pieces = piecesOf(this.#path, this.#options);
    const ahead: { readonly bytes: Promise<Uint8Array>; readonly length: number }[] = [];
    let bytesAhead = 0;
    const progress = { bytesDone: 0, bytesTotal: length, bytesKnown: 0, chunksDone: 0 };
    const wantsMore = (): boolean =>
      ahead.length < chunksAheadMin || (ahead.length < chunksAheadMax && bytesAhead < bytesAheadMax);
    try {
      for (let ended = false; ; ) {
        while (!ended && wantsMore()) {
          const next = await pieces.next();
          if (next.done) {
            ended = true;
            break;
          }
          const bytes = this.#fetch(next.value, stop.signal);
          // Whoever reads in order meets the failure in its turn.
          bytes.catch(() => undefined);
          const wanted = next.value.range?.length ?? next.value.chunk.length;
          ahead.push({ bytes, length: wanted });
          bytesAhead += wanted;
        }
        const first = ahead.shift();
        if (!first) return;
        const bytes = await first.bytes;
        bytesAhead -= first.length;
        progress.bytesDone += bytes.length;
        progress.chunksDone++;
        onProgress?.({ ...progress });
        yield bytes;
      }
    } finally {
      stop.unlink();
      if (ahead.length > 0) stop.abort();
    }
  }

  /** In order, none of them read yet. */
  async *pieces(): AsyncGenerator<StoredPiece> {
    const { signal = new AbortController().signal } = this.#options;
    for await (const piece of piecesOf(this.#path, this.#options)) {
      const { chunk, range } = piece;
      const read = () => this.#fetch(piece, signal);
      yield { id: range ? undefined : chunk.id, length: range?.length ?? chunk.length, read };
    }
  }

  /** When all members of the group fail, the chunk may have moved: the plan is made once more before the verdict. */
  async #fetch(piece: FilePiece, signal: AbortSignal): Promise<Uint8Array> {
    const { groups, chunks } = this.#path;
    const first = await chunks.read(piece, await this.#groupOf(piece.chunk, signal), signal);
    if (!(first instanceof ReadFailures)) return first;
    groups.forget(piece.chunk.group);
    const moved = await this.#planAgain(piece, first, signal);
    const second = await chunks.read({ ...piece, chunk: moved }, await this.#groupOf(moved, signal), signal);
    if (!(second instanceof ReadFailures)) return second;
    throw second.verdict();
  }

  async #planAgain(piece: FilePiece, failures: ReadFailures, signal: AbortSignal): Promise<ManifestEntry> {
    try {
      const plan = await planFrom(this.#path, this.#options.plan.entry, { offset: piece.start, signal });
      const skipped = piece.index - plan.page.firstChunk;
      const moved = plan.page.entries[skipped];
      if (moved?.id === piece.chunk.id) return moved;
    } catch (error) {
      if (isKind(error, "not-found")) throw goneMeanwhile(this.#options.plan.entry, error);
      throw error;
    }
    throw failures.verdict();
  }

  /** A group that nobody knows any more has no members: then planning again has to help. */
  async #groupOf(chunk: ManifestEntry, signal: AbortSignal): Promise<GroupView> {
    try {
      return await this.#path.groups.get(chunk.group, signal);
    } catch (error) {
      if (!isKind(error, "not-found")) throw error;
      return { id: chunk.group, epoch: 0, members: [], readToken: "" };
    }
  }
}

/** A reader that stood still for long may come back to a version that was removed for good, with all its chunks. */
function goneMeanwhile({ name }: Entry, cause: StorageError): StorageError {
  return new StorageError("not-found", "read file", `${name} was removed while it was being read`, { cause });
}

/** The chunks that hold the wanted bytes, in order, page by page. */
export async function* piecesOf(path: ReadPath, options: FileReadOptions): AsyncGenerator<FilePiece> {
  const { offset, length, signal } = options;
  const end = offset + length;
  let { plan } = options;
  for (let position = offset; position < end; ) {
    const { page } = plan;
    const before = position;
    let start = page.firstByte;
    for (const [number, chunk] of page.entries.entries()) {
      const from = Math.max(start, offset);
      const to = Math.min(start + chunk.length, end);
      if (from < to) {
        const range = to - from === chunk.length ? undefined : { offset: from - start, length: to - from };
        yield { chunk, range, index: page.firstChunk + number, start };
        position = to;
      }
      start += chunk.length;
    }
    if (position === before) throw new StorageError("corrupt", "read file", `its manifest has no byte ${position}`);
    if (position < end) plan = await planFrom(path, plan.entry, { offset: position, signal });
  }
}

/** Plans on within the version that is being read. */
async function planFrom(
  path: ReadPath,
  entry: Entry,
  at: { offset: number; signal: AbortSignal | undefined },
): Promise<ReadPlan> {
  const plan = await retrying(path.env, { signal: at.signal, patienceMs: patience.underWay }, () =>
    path.metadata.planRead({ id: entry.id }, entry.version, at.offset),
  );
  path.groups.learn(plan.groups);
  return plan;
}
