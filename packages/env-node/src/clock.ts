import type { Clock, Timer } from "@cairn/env";
import { StorageError } from "@cairn/protocol";

/** The longest wait that Node's timers know, ms (24.8 days); they take a longer one for 1 ms. Longer waits end then. */
const longestMs = 2 ** 31 - 1;

/** The machine's clocks. */
export class NodeClock implements Clock {
  now(): number {
    return Date.now();
  }

  monotonic(): number {
    return performance.now();
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const cancelled = (): void => {
        clearTimeout(timer);
        reject(new StorageError("cancelled", "wait", "the caller asked to stop"));
      };
      const timer = setTimeout(
        () => {
          signal?.removeEventListener("abort", cancelled);
          resolve();
        },
        Math.min(ms, longestMs),
      );
      if (signal?.aborted) cancelled();
      else signal?.addEventListener("abort", cancelled, { once: true });
    });
  }

  after(ms: number, callback: () => void): Timer {
    const timer = setTimeout(callback, Math.min(ms, longestMs));
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  }
}
