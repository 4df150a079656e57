import { createHash, type Hash } from "node:crypto";
import type { Timeline } from "./timeline.ts";

const linesKept = 400;

/** Everything that happened in a run, as a hash of all lines and the last of them in words. */
export class RunLog {
  readonly #timeline: Timeline;
  readonly #hash: Hash = createHash("sha256");
  readonly #last: string[] = [];
  readonly #echo: ((line: string) => void) | undefined;
  lines = 0;

  constructor(timeline: Timeline, echo?: (line: string) => void) {
    this.#timeline = timeline;
    this.#echo = echo;
  }

  note(who: string, what: string): void {
    const line = `${(this.#timeline.now / 1000).toFixed(3).padStart(9)} ${who.padEnd(8)} ${what}`;
    this.#hash.update(`${line}\n`);
    this.lines++;
    this.#last.push(line);
    if (this.#last.length > 2 * linesKept) this.#last.splice(0, linesKept);
    this.#echo?.(line);
  }

  /** Equal for two runs in which the same happened; the run goes on. */
  digest(): string {
    return this.#hash.copy().digest("hex").slice(0, 16);
  }

  last(count: number): readonly string[] {
    return this.#last.slice(-count);
  }
}
