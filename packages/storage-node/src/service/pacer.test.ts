import { isKind } from "@cairn/protocol";
import { expect, test } from "vitest";
import { Pacer } from "./pacer.ts";
import { CareFixture } from "./testing/care-fixture.ts";

function paced(): CareFixture & { rate: number; pacer: Pacer; spent: number[]; spend: (bytes: number) => void } {
  const fixture = Object.assign(new CareFixture(), { rate: 1000, spent: [] as number[] });
  const pacer = new Pacer({ clock: fixture.clock, bell: fixture.bell, rate: () => fixture.rate });
  const never = new AbortController();
  const spend = (bytes: number): void => {
    void pacer.spend(bytes, never.signal).then(() => fixture.spent.push(fixture.clock.monotonic()));
  };
  return Object.assign(fixture, { pacer, spend });
}

test("work goes on at the rate, and one large piece is paid off afterwards", async () => {
  const it = paced();
  for (let piece = 0; piece < 4; piece++) it.spend(2000);
  await it.clock.advance(10_000);
  expect(it.spent.map(Math.round)).toEqual([0, 1750, 3750, 5750]);
});

test("a pause earns a quarter of a second's worth and no more", async () => {
  const it = paced();
  await it.clock.advance(60_000);
  it.spend(250);
  it.spend(100);
  it.spend(100);
  await it.clock.advance(1000);
  expect(it.spent.map(Math.round)).toEqual([60_000, 60_000, 60_100]);
});

test("a new rate counts at once, also for those who wait, and 0 stands still", async () => {
  const it = paced();
  it.spend(3_600_000);
  it.spend(1);
  await it.clock.advance(10_000);
  it.rate = 0;
  it.bell.ring();
  await it.clock.advance(24 * 3600_000);
  expect(it.spent).toHaveLength(1);
  it.rate = 3_600_000;
  it.bell.ring();
  await it.clock.advance(1100);
  expect(it.spent).toHaveLength(2);
});

test("who waits can be stopped", async () => {
  const it = paced();
  const stop = new AbortController();
  it.rate = 0;
  const waiting = it.pacer.spend(1, stop.signal).catch((error: unknown) => error);
  await it.clock.advance(1000);
  stop.abort();
  expect(isKind(await waiting, "cancelled")).toBe(true);
  expect(it.clock.pending).toBe(0);
});
