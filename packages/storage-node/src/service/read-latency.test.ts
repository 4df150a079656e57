import { expect, test } from "vitest";
import { ReadLatency } from "./read-latency.ts";
import { CareFixture } from "./testing/care-fixture.ts";

test("the slowest twentieth of the last reads is left out, old reads and too few say nothing", async () => {
  const { clock } = new CareFixture();
  const latency = new ReadLatency(clock);
  for (let read = 1; read < 16; read++) latency.note(900);
  expect(latency.p95()).toBe(0);
  await clock.advance(31_000);
  for (let read = 0; read < 96; read++) latency.note(10);
  for (let read = 0; read < 4; read++) latency.note(500);
  expect(latency.p95()).toBe(10);
  for (let read = 0; read < 8; read++) latency.note(500);
  expect(latency.p95()).toBe(500);
  await clock.advance(31_000);
  expect(latency.p95()).toBe(0);
});
