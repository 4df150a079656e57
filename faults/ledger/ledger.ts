import { closeSync, fdatasyncSync, openSync, writeSync } from "node:fs";

/** `unknown`: it may have happened, or may still happen; a time-out, a broken connection, a failure of the server. */
export type Outcome = "pending" | "ok" | "fail" | "unknown";

/** One change that a client asked for. Times are monotonic ms of the harness. */
export interface LedgerEntry {
  readonly id: number;
  readonly kind: "put" | "delete";
  readonly key: string;
  readonly client: number;
  /** Counts the puts of one client; a delete has the number of the put before it. */
  readonly seq: number;
  readonly length: number;
  readonly begin: number;
  end: number;
  outcome: Outcome;
  why: string | undefined;
}

/**
 * What clients asked for and what they were told, in memory and as JSON lines on a disk that no fault touches. A line is
 * synced before the request goes out and before an answer counts.
 */
export class Ledger implements Disposable {
  readonly #file: number;
  readonly #entries: LedgerEntry[] = [];

  constructor(path: string) {
    this.#file = openSync(path, "a");
  }

  get entries(): readonly LedgerEntry[] {
    return this.#entries;
  }

  begin(change: Pick<LedgerEntry, "kind" | "key" | "client" | "seq" | "length">): LedgerEntry {
    const entry: LedgerEntry = {
      ...change,
      id: this.#entries.length,
      begin: performance.now(),
      end: Number.POSITIVE_INFINITY,
      outcome: "pending",
      why: undefined,
    };
    this.#entries.push(entry);
    this.#note({ at: entry.begin, begin: { ...change, id: entry.id } });
    return entry;
  }

  end(entry: LedgerEntry, outcome: Outcome, why?: string): void {
    entry.outcome = outcome;
    entry.why = why;
    const at = performance.now();
    if (outcome === "ok" || outcome === "fail") entry.end = at;
    this.#note({ at, end: entry.id, outcome, why });
  }

  [Symbol.dispose](): void {
    closeSync(this.#file);
  }

  #note(line: object): void {
    writeSync(this.#file, `${JSON.stringify(line)}\n`);
    fdatasyncSync(this.#file);
  }
}
