import { assert, type FinishedPart, type UploadId, type UploadPart } from "@cairn/protocol";
import type { PartWriteControl } from "../transfer.ts";
import type { RunSink } from "./source-write.ts";
import { UploadSession } from "./upload-session.ts";
import type { WritePath } from "./write-path.ts";
import type { WriteUnit } from "./write-unit.ts";

/** Runs of one attempt to put a part stand behind each other, away from those of any other attempt: 2^22 of 2^10 each. */
const runsPerAttempt = 1024;
const attempts = 2 ** 22;

/** Makes a source one part of an object: its last run tells the metadata server that the part is whole. */
export class ObjectPartWrite implements RunSink<FinishedPart> {
  readonly inRuns = false;
  readonly #path: WritePath;
  readonly #upload: UploadId;
  #session: UploadSession | undefined;
  readonly #control: PartWriteControl;
  readonly #first: number;
  readonly #puts: Promise<void>[] = [];
  #finished: FinishedPart | undefined;

  constructor(path: WritePath, upload: UploadId, control: PartWriteControl & { readonly number: number }) {
    this.#path = path;
    this.#control = control;
    const attempt = Math.floor(path.env.random.fraction() * attempts);
    this.#first = (control.number * attempts + attempt) * runsPerAttempt;
    this.#upload = upload;
  }

  async begin(signal: AbortSignal): Promise<void> {
    this.#session = UploadSession.of(this.#path, this.#upload, signal);
  }

  async stored(): Promise<UploadPart | undefined> {
    return undefined;
  }

  async whole(unit: WriteUnit, size: number): Promise<FinishedPart> {
    const finished = { ...(await this.#control.finish()), runs: 1, size };
    await unit.commit((lease, chunks) => this.#putPart(lease, this.#first, chunks, finished));
    return finished;
  }

  /** The last run says that the part is whole, so it waits for the others. */
  async put(unit: WriteUnit, run: number, size: number | undefined): Promise<void> {
    const putting = this.#put(unit, run, size, [...this.#puts]);
    this.#puts.push(putting);
    await putting;
  }

  async #put(unit: WriteUnit, run: number, size: number | undefined, before: Promise<void>[]): Promise<void> {
    if (size !== undefined) {
      await Promise.all(before);
      this.#finished = { ...(await this.#control.finish()), runs: run + 1, size };
    }
    await unit.commit((lease, chunks) => this.#putPart(lease, this.#first + run, chunks, this.#finished));
  }

  async #putPart(...request: Parameters<UploadSession["putPart"]>): Promise<void> {
    await this.#session?.putPart(...request);
  }

  async finish(): Promise<FinishedPart> {
    assert(this.#finished, "the last run comes before the end");
    return this.#finished;
  }

  /** What was put of the part goes with its upload, or when the part is put anew. */
  async abandon(): Promise<void> {}
}
