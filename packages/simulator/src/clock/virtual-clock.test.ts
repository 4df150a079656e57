import { isKind } from "@cairn/protocol";
import { expect, test } from "vitest";
import { describeClock } from "../suites/clock-suite.ts";
import { VirtualClock } from "./virtual-clock.ts";

describeClock("a virtual clock", () => {
  const clock = new VirtualClock();
  return { clock, pass: (ms) => clock.advance(ms) };
});

test("sleepers wake in the order of their time, and what they set meanwhile rings too", async () => {
  const clock = new VirtualClock();
  const rung: string[] = [];
  const chain = async (): Promise<void> => {
    await clock.sleep(10);
    rung.push(`first ${clock.monotonic()}`);
    await clock.sleep(10);
    rung.push(`second ${clock.monotonic()}`);
  };
  const done = chain();
  clock.after(15, () => rung.push(`between ${clock.monotonic()}`));
  await clock.advance(25);
  await done;
  expect(rung).toEqual(["first 10", "between 15", "second 20"]);
  expect(clock.monotonic()).toBe(25);
  expect(clock.pending).toBe(0);
});

test("a jump of the wall clock leaves monotonic time alone and wakes nobody", async () => {
  const clock = new VirtualClock(1000);
  let rung = false;
  clock.after(10, () => {
    rung = true;
  });
  clock.jump(-500);
  expect([clock.now(), clock.monotonic(), rung]).toEqual([500, 0, false]);
});

test("an aborted sleep throws cancelled and leaves no alarm behind", async () => {
  const clock = new VirtualClock();
  const controller = new AbortController();
  const sleep = clock.sleep(1000, controller.signal).catch((error: unknown) => error);
  controller.abort();
  expect(isKind(await sleep, "cancelled")).toBe(true);
  expect(clock.pending).toBe(0);
});
