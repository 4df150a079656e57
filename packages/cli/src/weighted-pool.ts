export interface PoolOptions<Item> {
  /** Work under way at once never weighs more than this, except for one item alone. */
  readonly capacity: number;
  readonly weightOf: (item: Item) => number;
  readonly signal: AbortSignal;
}

/**
 * Works on items side by side, as many as fit. Items are taken from the source only when there is room. The first error
 * ends it: nothing new is started, what is under way is awaited, then the error is thrown.
 */
export async function forEachWeighted<Item>(
  items: AsyncIterable<Item>,
  options: PoolOptions<Item>,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const underWay = new Set<Promise<void>>();
  let weight = 0;
  let failure: { readonly error: unknown } | undefined;
  try {
    for await (const item of items) {
      const itemWeight = options.weightOf(item);
      while (underWay.size > 0 && weight + itemWeight > options.capacity) await Promise.race(underWay);
      if (failure || options.signal.aborted) break;
      weight += itemWeight;
      const run: Promise<void> = work(item)
        .catch((error: unknown) => {
          failure ??= { error };
        })
        .finally(() => {
          weight -= itemWeight;
          underWay.delete(run);
        });
      underWay.add(run);
    }
  } finally {
    await Promise.all(underWay);
  }
  if (failure) throw failure.error;
  options.signal.throwIfAborted();
}
