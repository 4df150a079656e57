import { expect, test } from "vitest";
import { CircuitBreaker } from "./circuit-breaker.ts";

test("a node that failed is left alone for a second, then one request may try it", () => {
  const breaker = new CircuitBreaker();
  expect(breaker.allows(0)).toBe(true);
  breaker.started(0);
  breaker.failed(10, 0);
  expect([breaker.allows(11), breaker.allows(1009), breaker.allows(1010)]).toEqual([false, false, true]);
  breaker.started(1010);
  expect(breaker.allows(1011)).toBe(false);
  breaker.succeeded();
  expect(breaker.allows(1012)).toBe(true);
});

test("a probe that fails doubles the pause, up to half a minute", () => {
  const breaker = new CircuitBreaker();
  let now = 0;
  const pauses: number[] = [];
  for (let round = 0; round < 8; round++) {
    breaker.started(now);
    breaker.failed(now, now);
    const failedAt = now;
    while (!breaker.allows(now)) now += 500;
    pauses.push(now - failedAt);
  }
  expect(pauses).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
});

test("requests that were under way when the node failed count once", () => {
  const breaker = new CircuitBreaker();
  for (let request = 0; request < 10; request++) breaker.failed(100 + request, 50);
  expect(breaker.allows(1100)).toBe(true);
});

test("an overloaded node gets a moment, and keeps its good name", () => {
  const breaker = new CircuitBreaker();
  breaker.overloaded(0);
  expect([breaker.allows(249), breaker.allows(250)]).toEqual([false, true]);
  breaker.failed(300, 299);
  expect(breaker.allows(1300)).toBe(true);
});
