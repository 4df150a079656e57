import type { Clock } from "@cairn/env";
import { isKind } from "@cairn/protocol";
import { beforeEach, describe, expect, test } from "vitest";

/** A clock under test, and what makes time go by on it: waiting for a real one, a word to a virtual one. */
export interface ClockUnderTest {
  readonly clock: Clock;
  /** Returns when at least so many ms have gone by and everything due by then has been called. */
  pass(ms: number): Promise<void>;
}

/** Real timers may ring this much early, measured on the monotonic clock. */
const earlyMs = 2;

/** What every Clock does. Times are short enough for a real clock and far enough apart for a busy machine. */
export function describeClock(name: string, make: () => ClockUnderTest): void {
  describe(name, () => {
    let clock: Clock;
    let pass: (ms: number) => Promise<void>;
    beforeEach(() => {
      const made = make();
      clock = made.clock;
      pass = (ms) => made.pass(ms);
    });

    test("monotonic time goes on with time and never back", async () => {
      const start = clock.monotonic();
      const wall = clock.now();
      expect(clock.monotonic()).toBeGreaterThanOrEqual(start);
      await pass(20);
      expect(clock.monotonic()).toBeGreaterThanOrEqual(start + 20 - earlyMs);
      expect(clock.now()).toBeGreaterThanOrEqual(wall + 20 - earlyMs);
      expect(Number.isInteger(clock.now())).toBe(true);
    });

    test("a sleep ends when its time is over, not before", async () => {
      const start = clock.monotonic();
      let woken = Number.POSITIVE_INFINITY;
      const sleep = clock.sleep(20).then(() => {
        woken = clock.monotonic();
      });
      await pass(30);
      await sleep;
      expect(woken - start).toBeGreaterThanOrEqual(20 - earlyMs);
    });

    test("sleepers wake in the order of their time", async () => {
      const woken: string[] = [];
      const sleeps = [
        clock.sleep(60).then(() => woken.push("last")),
        clock.sleep(0).then(() => woken.push("first")),
        clock.sleep(25).then(() => woken.push("second")),
      ];
      await pass(80);
      await Promise.all(sleeps);
      expect(woken).toEqual(["first", "second", "last"]);
    });

    test("an aborted sleep throws cancelled at once", async () => {
      const controller = new AbortController();
      const sleep = failure(clock.sleep(60_000, controller.signal));
      await pass(1);
      controller.abort();
      expect(isKind(await sleep, "cancelled")).toBe(true);
      expect(isKind(await failure(clock.sleep(60_000, controller.signal)), "cancelled")).toBe(true);
    });

    test("an abort after the end of a sleep does nothing", async () => {
      const controller = new AbortController();
      const sleep = clock.sleep(1, controller.signal);
      await pass(10);
      await sleep;
      controller.abort();
      await expect(sleep).resolves.toBeUndefined();
    });

    test("a callback comes once, and not at all once it is cancelled", async () => {
      const calls: string[] = [];
      const kept = clock.after(5, () => calls.push("kept"));
      clock.after(5, () => calls.push("cancelled")).cancel();
      expect(calls).toEqual([]);
      await pass(40);
      expect(calls).toEqual(["kept"]);
      kept.cancel();
      kept.cancel();
      await pass(20);
      expect(calls).toEqual(["kept"]);
    });

    test("a wait of many years neither ends at once nor fails", async () => {
      const controller = new AbortController();
      let ended = false;
      const sleep = clock.sleep(2 ** 40, controller.signal).finally(() => {
        ended = true;
      });
      const settled = failure(sleep);
      const timer = clock.after(2 ** 40, () => {
        ended = true;
      });
      await pass(20);
      expect(ended).toBe(false);
      timer.cancel();
      controller.abort();
      expect(isKind(await settled, "cancelled")).toBe(true);
    });
  });
}

async function failure(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  );
}
