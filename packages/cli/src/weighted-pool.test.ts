import { expect, test } from "vitest";
import { forEachWeighted } from "./weighted-pool.ts";

const never = new AbortController().signal;

async function* from<Item>(items: readonly Item[], taken: Item[] = []): AsyncGenerator<Item> {
  for (const item of items) {
    taken.push(item);
    yield item;
  }
}

test("as much is under way as fits, and never more", async () => {
  let [weight, most] = [0, 0];
  await forEachWeighted(
    from([8, 1, 1, 8, 8, 1, 8, 1]),
    { capacity: 16, weightOf: (it) => it, signal: never },
    async (it) => {
      weight += it;
      most = Math.max(most, weight);
      await new Promise((resolve) => setImmediate(resolve));
      weight -= it;
    },
  );
  expect(most).toBeLessThanOrEqual(16);
  expect(most).toBeGreaterThan(8);
});

test("one item that is heavier than everything allowed goes alone", async () => {
  const done: number[] = [];
  await forEachWeighted(from([1, 99, 1]), { capacity: 4, weightOf: (it) => it, signal: never }, async (it) => {
    done.push(it);
  });
  expect(done).toEqual([1, 99, 1]);
});

test("after an error nothing new is started, and what is under way is awaited", async () => {
  const taken: number[] = [];
  let finished = false;
  const run = forEachWeighted(
    from([0, 1, 2, 3, 4, 5], taken),
    { capacity: 2, weightOf: () => 1, signal: never },
    async (it) => {
      if (it === 0) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        finished = true;
      } else throw new Error(`item ${it}`);
    },
  );
  await expect(run).rejects.toThrow("item 1");
  expect(finished).toBe(true);
  expect(taken.length).toBeLessThan(6);
});

test("an error of the source waits for what is under way", async () => {
  let finished = false;
  async function* broken(): AsyncGenerator<number> {
    yield 1;
    throw new Error("source");
  }
  const run = forEachWeighted(broken(), { capacity: 2, weightOf: () => 1, signal: never }, async () => {
    await new Promise((resolve) => setTimeout(resolve, 10));
    finished = true;
  });
  await expect(run).rejects.toThrow("source");
  expect(finished).toBe(true);
});

test("a stopped run ends with the reason of the stop", async () => {
  const controller = new AbortController();
  const done: number[] = [];
  const options = { capacity: 1, weightOf: () => 1, signal: controller.signal };
  const run = forEachWeighted(from([1, 2, 3]), options, async (it) => {
    done.push(it);
    controller.abort(new Error("enough"));
  });
  await expect(run).rejects.toThrow("enough");
  expect(done).toEqual([1]);
});
