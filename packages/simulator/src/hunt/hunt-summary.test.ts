import { expect, test } from "vitest";
import type { SeedResult } from "./hunt-messages.ts";
import { HuntSummary } from "./hunt-summary.ts";

function result(seed: number, more: Partial<SeedResult> = {}): SeedResult {
  const counts = { operations: 10, virtualMs: 3_600_000, steps: 100, wallMs: 5 };
  return {
    ...counts,
    seed,
    digest: `d${seed}`,
    violation: undefined,
    faults: [["kill node", 2]],
    lastLines: [],
    ...more,
  };
}

test("the closing lines count seeds, operations, faults and hours, and say how a violation is repeated", () => {
  const summary = new HuntSummary();
  summary.add(result(1));
  summary.add(result(2, { violation: "durability: gone\nstack" }));
  expect(summary.lines(2000)).toEqual([
    "4 faults: 4 × kill node",
    "2 seeds (0 of them twice), 20 operations, 200 steps, 2.0 hours of virtual time in 2 s",
    "seed 2: durability: gone\n    npm run simulate -- --seed 2 --echo",
    "1 violations",
  ]);
});

test("a seed that does something else the second time is a violation, and counts once", () => {
  const summary = new HuntSummary();
  summary.add(result(1));
  summary.add(result(1));
  expect(summary.violations).toEqual([]);
  summary.add(result(1, { digest: "other" }));
  expect(summary.violations).toHaveLength(1);
  expect(summary.seeds).toBe(1);
});
