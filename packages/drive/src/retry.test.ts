import { StorageError } from "@cairn/protocol";
import { SeededRandom, VirtualClock } from "@cairn/simulator";
import { expect, test } from "vitest";
import { patience, retrying } from "./retry.ts";
import { kindOf } from "./testing/memory-metadata.ts";

const away = new StorageError("unavailable", "request", "the metadata server restarts");

/** How long a call is repeated whose server stays away, in ms. */
async function spentOn(patienceMs: number): Promise<number> {
  const clock = new VirtualClock();
  let lastAt = 0;
  const call = retrying({ clock, random: new SeededRandom(1) }, { signal: undefined, patienceMs }, async () => {
    lastAt = clock.monotonic();
    throw away;
  });
  const kind = kindOf(call);
  await clock.advance(120_000);
  expect(await kind).toBe("unavailable");
  return lastAt;
}

test("a server that restarts is waited for: shortly before a transfer, longer in its middle", async () => {
  const start = await spentOn(patience.atStart);
  expect(start).toBeGreaterThan(patience.atStart);
  expect(start).toBeLessThan(patience.atStart + 3000);
  const underWay = await spentOn(patience.underWay);
  expect(underWay).toBeGreaterThan(patience.underWay);
  expect(underWay).toBeLessThan(patience.underWay + 3000);
});

test("a refusal is not repeated, and a stopped call is not either", async () => {
  const env = { clock: new VirtualClock(), random: new SeededRandom(1) };
  let calls = 0;
  const work = (error: StorageError) => async (): Promise<never> => {
    calls++;
    throw error;
  };
  const control = { signal: undefined, patienceMs: patience.underWay };
  expect(await kindOf(retrying(env, control, work(new StorageError("conflict", "commit", "taken"))))).toBe("conflict");
  const controller = new AbortController();
  controller.abort();
  expect(await kindOf(retrying(env, { ...control, signal: controller.signal }, work(away)))).toBe("unavailable");
  expect(calls).toBe(2);
});
