import type { Clock } from "@cairn/env";
import { StorageError } from "@cairn/protocol";
import type { Bell } from "./bell.ts";

/** What may be spent at once after a pause, as seconds of the rate. */
const burstSeconds = 0.25;
/** How long a pacer that stands still sleeps unless the bell rings. */
const standstillMs = 3600_000;

export interface PacerParts {
  readonly clock: Clock;
  /** Rung when the rate may have changed. */
  readonly bell: Bell;
  /** Bytes per second; 0 stands still. Looked at whenever somebody waits. */
  readonly rate: () => number;
}

/**
 * Holds work to a rate of bytes per second. Work may be larger than what is allowed at once: it is let through when nothing is
 * owed, and the next one waits until it is paid off.
 */
export class Pacer {
  readonly #parts: PacerParts;
  #credit = 0;
  #countedAt: number;

  constructor(parts: PacerParts) {
    this.#parts = parts;
    // As after a pause: who begins has spent nothing yet.
    this.#countedAt = parts.clock.monotonic() - burstSeconds * 1000;
  }

  /** Ends when the bytes may be moved. Throws cancelled when the signal aborts before. */
  async spend(bytes: number, signal: AbortSignal): Promise<void> {
    while (true) {
      if (signal.aborted) throw new StorageError("cancelled", "wait for its turn", "the work was stopped");
      const rate = this.#count();
      if (rate > 0 && this.#credit >= 0) break;
      const waitMs = rate > 0 ? Math.max((-this.#credit / rate) * 1000, 1) : standstillMs;
      await this.#parts.bell.sleep(waitMs, signal);
    }
    this.#credit -= bytes;
  }

  #count(): number {
    const { clock, rate } = this.#parts;
    const bytesPerSecond = rate();
    const now = clock.monotonic();
    const earned = ((now - this.#countedAt) / 1000) * bytesPerSecond;
    this.#countedAt = now;
    this.#credit = Math.min(this.#credit + earned, bytesPerSecond * burstSeconds);
    return bytesPerSecond;
  }
}
