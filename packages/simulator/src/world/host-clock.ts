import type { Clock, Timer } from "@cairn/env";
import { StorageError } from "@cairn/protocol";
import type { Life } from "./life.ts";
import type { Timeline } from "./timeline.ts";

const epochMs = Date.UTC(2026, 0, 1);

/** The wall clock of one machine: it may be wrong, and jump. */
export interface WallClock {
  offsetMs: number;
  /** Virtual ms at which it jumped last. */
  jumpedAt: number;
}

/** What the clock shows, or showed if it has not jumped since; ms. */
export function wallTime(wall: WallClock, virtualMs: number): number {
  return Math.floor(epochMs + virtualMs + wall.offsetMs);
}

/** Time as one process on one machine sees it. */
export class HostClock implements Clock {
  readonly #timeline: Timeline;
  readonly #life: Life;
  readonly #wall: WallClock;

  constructor(timeline: Timeline, life: Life, wall: WallClock) {
    this.#timeline = timeline;
    this.#life = life;
    this.#wall = wall;
  }

  now(): number {
    return wallTime(this.#wall, this.#timeline.now);
  }

  monotonic(): number {
    return this.#timeline.now;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        timer.cancel();
        signal?.removeEventListener("abort", stop);
        reject(new StorageError("cancelled", "wait", "the caller asked to stop"));
      };
      const timer = this.after(ms, () => {
        signal?.removeEventListener("abort", stop);
        resolve();
      });
      if (signal?.aborted) stop();
      else signal?.addEventListener("abort", stop, { once: true });
    });
  }

  after(ms: number, callback: () => void): Timer {
    return this.#life.after(ms, callback);
  }
}
