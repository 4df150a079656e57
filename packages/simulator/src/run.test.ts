import { expect, test } from "vitest";
import { runSeed } from "./run.ts";

/** The same seeds on every machine: a red test means that the code has changed. `npm run simulate` looks for new ones. */
const base = 1;
const seedsMax = 45;
const budgetMs = 30_000;

test("a run does what its seed says, and the same again the second time", async () => {
  const [one, again, other] = [await runSeed({ seed: 7 }), await runSeed({ seed: 7 }), await runSeed({ seed: 8 })];
  expect(again.digest).toBe(one.digest);
  expect(again.faults).toEqual(one.faults);
  expect(other.digest).not.toBe(one.digest);
}, 120_000);

test(`no seed from ${base} on finds a violation, however many fit into half a minute`, async () => {
  const startedAt = performance.now();
  const faults = new Map<string, number>();
  let operations = 0;
  for (let seed = base; seed < base + seedsMax && performance.now() - startedAt < budgetMs; seed++) {
    const report = await runSeed({ seed });
    expect(report.violation?.message, `repeat with: npm run simulate -- --seed ${seed} --echo`).toBeUndefined();
    operations += report.operations;
    for (const [fault, count] of report.faults) faults.set(fault, (faults.get(fault) ?? 0) + count);
  }
  // Runs in which nothing happens find nothing either.
  expect(operations).toBeGreaterThan(100);
  expect(faults.size).toBeGreaterThan(5);
}, 120_000);
