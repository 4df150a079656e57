import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** O1 ledger, O2 linearizability, O3 listing, O4 fsck, O7 resources, O8 logs, O11 availability; `expected`: the row's own. */
export type Oracle = "O1" | "O2" | "O3" | "O4" | "O7" | "O8" | "O11" | "expected";

/** Thrown where a row finds that it cannot run here. */
export class NotRun extends Error {}

/** What one run of a row has: chance, a folder, what is to be undone at its end, and where its findings go. */
export class RowContext {
  readonly seed: string;
  /** On a disk that no fault touches. */
  readonly folder: string;
  readonly signal: AbortSignal;
  readonly failures: string[] = [];
  readonly oracles: Record<string, number> = {};
  readonly figures: Record<string, string | number> = {};
  readonly #undo: { readonly what: string; readonly work: () => unknown }[] = [];
  readonly #tell: (line: string) => void;
  #draws = 0;

  constructor(seed: string, { signal, tell }: { signal: AbortSignal; tell: (line: string) => void }) {
    this.seed = seed;
    this.signal = signal;
    this.#tell = tell;
    this.folder = mkdtempSync(join(tmpdir(), "cairn-faults-"));
    this.defer("remove folder", () => rmSync(this.folder, { recursive: true, force: true, maxRetries: 10 }));
  }

  /** In [0, 1), the same for the same seed and the same order of draws. */
  readonly chance = (): number => {
    const hash = createHash("sha256")
      .update(`${this.seed} ${this.#draws++}`)
      .digest();
    return hash.readUIntBE(0, 6) / 2 ** 48;
  };

  /** A whole number from `min` up to and without `max`. */
  between(min: number, max: number): number {
    return min + Math.floor(this.chance() * (max - min));
  }

  log(line: string): void {
    this.#tell(line);
  }

  note(name: string, value: string | number): void {
    this.figures[name] = typeof value === "number" ? Math.round(value * 10) / 10 : value;
  }

  /** Counts the oracle; a condition that does not hold makes the row fail, which goes on nevertheless. */
  expect(oracle: Oracle, holds: boolean, otherwise: string): void {
    this.oracles[oracle] = (this.oracles[oracle] ?? 0) + 1;
    if (holds) return;
    this.#tell(`FAILED ${oracle}: ${otherwise}`);
    if (this.failures.length < 20) this.failures.push(`${oracle}: ${otherwise}`);
  }

  /** Undone in reverse order at the end, also after a failure. */
  defer(what: string, work: () => unknown): void {
    this.#undo.push({ what, work });
  }

  async cleanUp(): Promise<void> {
    for (let step = this.#undo.pop(); step; step = this.#undo.pop()) {
      try {
        await step.work();
      } catch (error) {
        this.failures.push(`cleaning up (${step.what}): ${(error as Error).message}`);
      }
    }
  }

  /** Throws when the row was stopped. */
  throwIfStopped(): void {
    this.signal.throwIfAborted();
  }

  async pause(ms: number): Promise<void> {
    this.throwIfStopped();
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.signal.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.signal.addEventListener("abort", done);
    });
    this.throwIfStopped();
  }

  /** Asks again until the answer is true; tells whether it became so, and after how many ms. */
  async becomes(check: () => Promise<boolean> | boolean, limitMs: number): Promise<number | undefined> {
    const begin = performance.now();
    for (;;) {
      const holds = await Promise.resolve(check()).catch(() => false);
      const spent = performance.now() - begin;
      if (holds) return spent;
      if (spent > limitMs) return undefined;
      await this.pause(100);
    }
  }

  /** The same, and what must hold before a row can go on. */
  async until(what: string, check: () => Promise<boolean> | boolean, limitMs = 60_000): Promise<number> {
    const spent = await this.becomes(check, limitMs);
    if (spent === undefined) throw new Error(`did not come true within ${limitMs / 1000} s: ${what}`);
    return spent;
  }
}
