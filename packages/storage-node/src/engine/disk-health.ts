import type { Log } from "@cairn/env";
import { type DiskId, StorageError } from "@cairn/protocol";

/** What the disk's own errors say of it. It gets better only with a new start of the node. */
export class DiskHealth {
  readonly #log: Log;
  readonly #readErrorsMax: number;
  #state: "ok" | "suspect" | "failed" = "ok";
  #readErrors = 0;

  constructor(log: Log, readErrorsMax: number) {
    this.#log = log;
    this.#readErrorsMax = readErrorsMax;
  }

  /** suspect: it is read from, and takes no more chunks. failed: it is given up. */
  get state(): "ok" | "suspect" | "failed" {
    return this.#state;
  }

  /** Throws unavailable. */
  assertWritable(disk: DiskId): void {
    if (this.#state === "ok") return;
    throw new StorageError("unavailable", "put chunk", `disk ${disk} failed and takes no more chunks`, {
      hint: "Check the disk, then restart the node.",
    });
  }

  /** Throws unavailable. */
  assertReadable(): void {
    if (this.#state === "failed") throw new StorageError("unavailable", "scrub disk", "the disk fails reads");
  }

  /** An I/O error of the disk itself means: read from it, write no more to it, and let the operator know. */
  judgeWrite(error: StorageError): void {
    if (error.kind !== "internal" || this.#state !== "ok") return;
    this.#state = "suspect";
    this.#log.error({ err: error }, "the disk failed a write; it takes no more chunks until the node is restarted");
  }

  readWell(): void {
    this.#readErrors = 0;
  }

  /** Another copy serves meanwhile; a disk that fails again and again is given up. */
  readFailure(what: string, cause: unknown, errors = 1): StorageError {
    this.#readErrors += errors;
    if (this.#readErrors >= this.#readErrorsMax && this.#state !== "failed") {
      this.#state = "failed";
      this.#log.error({ err: cause, errors: this.#readErrors }, "the disk fails reads and is given up");
    }
    const hint = "Another copy serves this chunk. Check the disk.";
    return new StorageError("unavailable", "read chunk", what, { hint, cause });
  }
}
