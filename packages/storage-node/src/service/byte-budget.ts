import { StorageError } from "@cairn/protocol";

/** Bytes that may be held in memory at once. What does not fit is refused at once, not queued. */
export class ByteBudget {
  readonly #max: number;
  readonly #what: string;
  #taken = 0;

  /** `what` names the bytes in refusals. */
  constructor(max: number, what: string) {
    this.#max = max;
    this.#what = what;
  }

  /** Runs `work` while the bytes are taken. Throws overloaded; one that is larger than all runs alone. */
  async hold<Result>(bytes: number, work: () => Promise<Result>): Promise<Result> {
    if (this.#taken + bytes > this.#max && this.#taken > 0) {
      throw new StorageError("overloaded", "admit request", `too many ${this.#what} are under way`, {
        hint: "Send again in a moment, or to another node.",
      });
    }
    this.#taken += bytes;
    try {
      return await work();
    } finally {
      this.#taken -= bytes;
    }
  }
}
