/** How far a check is. */
export interface FsckProgress {
  readonly step: "names" | "references" | "segments" | "files";
  readonly done: number;
  /** What `done` counts towards; 0 while nobody knows. */
  readonly total: number;
  /** Bytes of segments read so far. */
  readonly bytes: number;
}

const beatsPerPause = 4096;

/** Lets long work be watched and stopped: reading a database never waits for anything by itself. */
export class Pulse {
  readonly #signal: AbortSignal;
  readonly #tell: (progress: FsckProgress) => void;
  #beats = 0;
  #progress: FsckProgress = { step: "names", done: 0, total: 0, bytes: 0 };

  constructor(signal: AbortSignal, tell: (progress: FsckProgress) => void) {
    this.#signal = signal;
    this.#tell = tell;
  }

  begin(step: FsckProgress["step"], total: number): void {
    this.#progress = { ...this.#progress, step, done: 0, total };
    this.#tell(this.#progress);
  }

  advance({ done = 0, bytes = 0 }: { done?: number; bytes?: number }): void {
    this.#progress = { ...this.#progress, done: this.#progress.done + done, bytes: this.#progress.bytes + bytes };
    this.#tell(this.#progress);
  }

  /** Once per row. Throws when the work was given up. */
  async beat(): Promise<void> {
    this.#beats++;
    if (this.#beats % beatsPerPause === 0) await this.pause();
  }

  async pause(): Promise<void> {
    this.#signal.throwIfAborted();
    await new Promise<void>((resolve) => setImmediate(resolve));
    this.#signal.throwIfAborted();
  }

  /** Waits; ends early, by throwing, when the work was given up. */
  async wait(ms: number): Promise<void> {
    const until = performance.now() + ms;
    while (performance.now() < until) {
      this.#signal.throwIfAborted();
      await new Promise<void>((resolve) => setTimeout(resolve, Math.min(50, ms)));
    }
  }
}
