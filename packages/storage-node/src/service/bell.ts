import type { Clock } from "@cairn/env";

/** Timers of some platforms cannot be longer than 24 days. */
const sleepMsMax = 3600_000;

/** Lets loops sleep until their time has come or somebody rings. */
export class Bell {
  readonly #clock: Clock;
  readonly #sleepers = new Set<() => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Wakes all who sleep now. */
  ring(): void {
    for (const wake of [...this.#sleepers]) wake();
  }

  /** Ends after `ms` (an hour at most), on the next ring, or when the signal aborts; the sleeper looks what it was. */
  sleep(ms: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = (): void => {
        timer.cancel();
        this.#sleepers.delete(wake);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      const timer = this.#clock.after(Math.min(ms, sleepMsMax), wake);
      this.#sleepers.add(wake);
      signal.addEventListener("abort", wake, { once: true });
    });
  }
}
