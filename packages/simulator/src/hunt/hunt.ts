import { availableParallelism } from "node:os";
import type { Swarm } from "../faults/swarm.ts";
import type { SeedResult } from "./hunt-messages.ts";
import { HuntSummary, repeatWith } from "./hunt-summary.ts";
import { WorkerPool } from "./worker-pool.ts";

export interface HuntOptions {
  readonly from: number;
  /** Runs so many seeds, or as many as fit into `minutes`. */
  readonly seeds: number;
  readonly minutes: number;
  readonly workers: number;
  /** Ends with the first violation. */
  readonly untilFirst: boolean;
  /** In place of what each seed draws. */
  readonly swarm: Partial<Swarm>;
  readonly say: (line: string) => void;
}

/** Every so many seeds, one is run a second time and must do the same. */
const repeatEvery = 25;
const sayEveryMs = 10_000;

/** Runs one seed after the other in several processes and tells what they found. Answers true when all was well. */
export async function hunt(options: HuntOptions): Promise<boolean> {
  const { from, seeds, minutes, untilFirst, say } = options;
  const startedAt = performance.now();
  const summary = new HuntSummary();
  const again: number[] = [];
  let at = from;
  let saidAt = startedAt;
  const next = (): number | undefined => {
    if (untilFirst && summary.violations.length > 0) return undefined;
    const repeated = again.pop();
    if (repeated !== undefined) return repeated;
    return at < from + seeds && performance.now() - startedAt < minutes * 60_000 ? at++ : undefined;
  };
  const seen = new Set<number>();
  const told = (result: SeedResult): void => {
    const { seed, violation } = result;
    summary.add(result);
    if (violation !== undefined) say(wordsOf(result));
    if (seed % repeatEvery === 0 && !seen.has(seed)) again.push(seed);
    seen.add(seed);
    if (performance.now() - saidAt < sayEveryMs) return;
    saidAt = performance.now();
    say(`${summary.seeds} seeds, ${summary.violations.length} violations`);
  };
  using pool = new WorkerPool(options.swarm);
  const workers = Math.min(options.workers || availableParallelism(), seeds);
  await Promise.all(Array.from({ length: workers }, () => pool.work(next, told)));
  for (const line of summary.lines(performance.now() - startedAt)) say(line);
  // A hunt in which nothing ran found nothing either.
  return summary.seeds > 0 && summary.violations.length === 0;
}

function wordsOf({ seed, violation, lastLines }: SeedResult): string {
  return [`seed ${seed}: ${violation}`, ...lastLines.slice(-8).map((line) => `    ${line}`), repeatWith(seed)].join(
    "\n",
  );
}
