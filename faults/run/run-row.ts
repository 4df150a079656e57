import { whyMissing } from "./capabilities.ts";
import type { Row, RowResult } from "./row.ts";
import { NotRun, RowContext } from "./row-context.ts";

const limitMsDefault = 300_000;

export interface RunOptions {
  readonly seed: string;
  /** Stops the row, which still cleans up. */
  readonly signal: AbortSignal;
  readonly tell: (line: string) => void;
}

/** Runs one row to its end, whatever comes, and cleans up behind it. */
export async function runRow(row: Row, { seed, signal, tell }: RunOptions): Promise<RowResult> {
  const { id, tier, title, expected } = row;
  const blank = { id, tier, title, expected, oracles: {}, figures: {}, seed, seconds: 0 };
  const missing = row.needs.flatMap((need) => whyMissing(need) ?? []);
  if (missing.length > 0) return { ...blank, state: "not run", reasons: [...new Set(missing)] };

  const limit = AbortSignal.timeout(row.limitMs ?? limitMsDefault);
  const over = new AbortController();
  const context = new RowContext(seed, { signal: AbortSignal.any([signal, limit, over.signal]), tell });
  const begin = performance.now();
  let notRun: string | undefined;
  try {
    await Promise.race([row.run(context), aborted(context.signal)]);
  } catch (error) {
    if (error instanceof NotRun) notRun = error.message;
    else if (signal.aborted) notRun = "stopped";
    else if (limit.aborted) context.failures.push(`it did not end within ${(row.limitMs ?? limitMsDefault) / 1000} s`);
    else context.failures.push(describe(error as Error));
  } finally {
    await context.cleanUp();
    // Whatever the row left running beside itself ends too.
    over.abort(new Error("the row is over"));
  }
  const { oracles, figures, failures } = context;
  const seconds = Math.round((performance.now() - begin) / 100) / 10;
  const done = { ...blank, oracles, figures, seconds };
  if (notRun !== undefined) return { ...done, state: "not run", reasons: [notRun] };
  // A row that asked nothing has shown nothing.
  if (Object.keys(oracles).length === 0 && failures.length === 0) failures.push("no oracle was asked");
  return { ...done, state: failures.length === 0 ? "passed" : "failed", reasons: failures };
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const stop = (): void => reject(signal.reason as Error);
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
}

function describe(error: Error): string {
  const place = error.stack?.split("\n").find((line) => line.includes("/faults/")) ?? "";
  return `${error.message} ${place.trim().replace(/\(.*\/faults\//, "(faults/")}`.trim();
}
