import { expect, test } from "vitest";
import { SeededRandom } from "./seeded-random.ts";

test("one seed gives one run, another seed another", () => {
  expect(new SeededRandom(7).bytes(32)).toEqual(new SeededRandom(7).bytes(32));
  expect(new SeededRandom(7).bytes(32)).not.toEqual(new SeededRandom(8).bytes(32));
});

test("fractions lie in [0, 1) and spread evenly", () => {
  const random = new SeededRandom(1);
  const tenths = new Array<number>(10).fill(0);
  for (let draw = 0; draw < 10_000; draw++) {
    const fraction = random.fraction();
    expect(fraction).toBeGreaterThanOrEqual(0);
    expect(fraction).toBeLessThan(1);
    const tenth = Math.floor(fraction * 10);
    tenths[tenth] = (tenths[tenth] ?? 0) + 1;
  }
  for (const count of tenths) expect(count).toBeGreaterThan(850);
});
