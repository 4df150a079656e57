/**
 * Keeps the places of records and the file they stand in together: whoever looks a record up and reads it does so inside,
 * and a file is put in place of another only while nobody is. A use never begins another one inside of it.
 */
export class SwitchGate {
  #inside = 0;
  #switching: Promise<void> | undefined;
  #emptied: (() => void) | undefined;

  /** Waits for a switch that is under way, which takes no longer than a rename and its sync. */
  async use<Result>(work: () => Promise<Result>): Promise<Result> {
    while (this.#switching) await this.#switching.catch(() => undefined);
    this.#inside++;
    try {
      return await work();
    } finally {
      this.#inside--;
      if (this.#inside === 0) this.#emptied?.();
    }
  }

  /** Runs the work alone. */
  async switch(work: () => Promise<void>): Promise<void> {
    while (this.#switching) await this.#switching.catch(() => undefined);
    const switching = this.#alone(work);
    this.#switching = switching;
    try {
      await switching;
    } finally {
      this.#switching = undefined;
    }
  }

  async #alone(work: () => Promise<void>): Promise<void> {
    if (this.#inside > 0) {
      await new Promise<void>((resolve) => {
        this.#emptied = resolve;
      });
      this.#emptied = undefined;
    }
    await work();
  }
}
