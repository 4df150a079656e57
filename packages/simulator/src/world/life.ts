import type { Timer } from "@cairn/env";
import type { Timeline } from "./timeline.ts";

/** What a process's code sees when its end comes in the middle of a call. */
export class ProcessEnded extends Error {
  override readonly name: string = "ProcessEnded";
}

/**
 * One run of a process. When it ends, none of its timers fires and no call that it waits for ever returns: its code stops
 * where it stood. A frozen one stands still and goes on later, without knowing.
 */
export class Life {
  readonly #timeline: Timeline;
  readonly #atEnd = new Set<() => void>();
  #alive = true;
  #frozenUntil = 0;

  constructor(timeline: Timeline) {
    this.#timeline = timeline;
  }

  get alive(): boolean {
    return this.#alive;
  }

  get frozen(): boolean {
    return this.#timeline.now < this.#frozenUntil;
  }

  /** The process ends here and now, whatever it was doing. */
  end(): void {
    if (!this.#alive) return;
    this.#alive = false;
    for (const callback of [...this.#atEnd]) callback();
    this.#atEnd.clear();
  }

  freeze(ms: number): void {
    this.#frozenUntil = Math.max(this.#frozenUntil, this.#timeline.now + ms);
  }

  /** Calls back when the process ends; answers how to call that off. */
  atEnd(callback: () => void): () => void {
    this.#atEnd.add(callback);
    return () => void this.#atEnd.delete(callback);
  }

  /** A timer of the process. */
  after(ms: number, callback: () => void): Timer {
    let timer = this.#timeline.after(ms, () => ring());
    const ring = (): void => {
      if (!this.#alive) return;
      if (this.frozen) timer = this.#timeline.after(this.#frozenUntil - this.#timeline.now, ring);
      else callback();
    };
    return { cancel: () => timer.cancel() };
  }

  /** Waits `ms` as part of a call of the process; never returns when it has ended meanwhile. */
  pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.after(ms, resolve));
  }

  /** What the world answers to the process: never, once it has ended. */
  hears<Result>(call: Promise<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      call.then(
        (value) => {
          if (this.#alive) resolve(value);
        },
        (error: unknown) => {
          if (this.#alive) reject(error);
        },
      );
    });
  }
}
