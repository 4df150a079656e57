import { type Outcome, StorageError, succeeded } from "@cairn/protocol";
import { expect, test } from "vitest";
import { kindOf } from "../testing/memory-metadata.ts";
import { Batcher } from "./batcher.ts";

function slowDoubler(batches: number[][], gate: () => Promise<void>) {
  return async (items: readonly number[]): Promise<readonly Outcome<number>[]> => {
    batches.push([...items]);
    await gate();
    return items.map((item) =>
      item < 0 ? { ok: false, error: new StorageError("invalid", "double", String(item)) } : succeeded(item * 2),
    );
  };
}

test("what comes while a batch is under way leaves together when it has finished, up to the limits", async () => {
  const batches: number[][] = [];
  const gates: (() => void)[] = [];
  const batcher = new Batcher({
    operation: "double",
    inFlightMax: 1,
    itemsMax: 3,
    bytesMax: 100,
    bytesOf: (item: number) => item,
    send: slowDoubler(batches, () => new Promise((open) => void gates.push(open))),
  });
  const results = [batcher.add(1)];
  await Promise.resolve();
  results.push(...[2, 3, 4, 60, 50, 500].map((item) => batcher.add(item)));
  for (let step = 0; step < 5; step++) {
    await new Promise(setImmediate);
    gates.shift()?.();
  }
  expect(await Promise.all(results)).toEqual([2, 4, 6, 8, 120, 100, 1000]);
  expect(batches).toEqual([[1], [2, 3, 4], [60], [50], [500]]);
});

test("each item has its own outcome, and a batch that cannot be handed over fails for all", async () => {
  const batcher = new Batcher({
    operation: "double",
    inFlightMax: 1,
    itemsMax: 10,
    send: slowDoubler([], async () => undefined),
  });
  const [good, bad] = [batcher.add(1), batcher.add(-1)];
  expect(await kindOf(bad)).toBe("invalid");
  expect(await good).toBe(2);
  const broken = new Batcher<number, number>({
    operation: "double",
    inFlightMax: 1,
    itemsMax: 10,
    send: async () => {
      throw new StorageError("unavailable", "double", "nobody is there");
    },
  });
  expect(await Promise.all([kindOf(broken.add(1)), kindOf(broken.add(2))])).toEqual(["unavailable", "unavailable"]);
});

test("an item that was given up before its batch left is not sent", async () => {
  const batches: number[][] = [];
  const batcher = new Batcher({
    operation: "double",
    inFlightMax: 1,
    itemsMax: 10,
    send: slowDoubler(batches, async () => undefined),
  });
  const controller = new AbortController();
  const [kept, dropped] = [batcher.add(1), batcher.add(2, controller.signal)];
  controller.abort();
  expect(await kindOf(dropped)).toBe("cancelled");
  expect(await kept).toBe(2);
  expect(batches).toEqual([[1]]);
});
