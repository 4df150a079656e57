import type { Timer } from "@cairn/env";

interface Happening {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
  cancelled: boolean;
}

/**
 * The one order in which everything in a simulated world happens. Time stands still while code runs: the next happening
 * begins when nothing is left to run at this moment. Equal moments keep the order in which they were planned.
 */
export class Timeline {
  readonly #heap: Happening[] = [];
  #now = 0;
  #order = 0;
  /** Happenings so far. */
  steps = 0;

  /** Virtual ms since the world began. */
  get now(): number {
    return this.#now;
  }

  /** Plans something in `ms`; a negative time means now. */
  after(ms: number, run: () => void): Timer {
    const happening = { at: this.#now + Math.max(ms, 0), order: this.#order++, run, cancelled: false };
    push(this.#heap, happening);
    return {
      cancel: (): void => {
        happening.cancelled = true;
      },
    };
  }

  pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.after(ms, resolve));
  }

  /** Lets time pass up to a moment, or until `done` says so after a happening. */
  async runUntil(end: number, done: () => boolean = () => false): Promise<void> {
    await settled();
    while (!done()) {
      const next = this.#heap[0];
      if (!next || next.at > end) {
        this.#now = Math.max(this.#now, end);
        return;
      }
      pop(this.#heap);
      if (next.cancelled) continue;
      this.#now = next.at;
      this.steps++;
      next.run();
      await settled();
    }
  }

  /** Runs `work` to its end, however long that takes in virtual time. Throws what it throws. */
  async run<Result>(work: Promise<Result>, msMax: number): Promise<Result> {
    let outcome: { readonly value: Result } | { readonly error: unknown } | undefined;
    work.then(
      (value) => {
        outcome = { value };
      },
      (error: unknown) => {
        outcome = { error };
      },
    );
    await this.runUntil(this.#now + msMax, () => outcome !== undefined);
    if (!outcome) throw new Error(`it did not end within ${msMax} ms of virtual time`);
    if ("error" in outcome) throw outcome.error;
    return outcome.value;
  }
}

/** Node calls this when no promise is left that could go on. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function isBefore(a: Happening, b: Happening): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

function push(heap: Happening[], happening: Happening): void {
  let at = heap.length;
  heap.push(happening);
  while (at > 0) {
    const above = (at - 1) >> 1;
    const parent = heap[above] as Happening;
    if (!isBefore(happening, parent)) break;
    heap[at] = parent;
    at = above;
  }
  heap[at] = happening;
}

function pop(heap: Happening[]): void {
  const last = heap.pop();
  if (!last || heap.length === 0) return;
  let at = 0;
  for (let below = 1; below < heap.length; below = 2 * at + 1) {
    const right = heap[below + 1];
    if (right && isBefore(right, heap[below] as Happening)) below++;
    const child = heap[below] as Happening;
    if (!isBefore(child, last)) break;
    heap[at] = child;
    at = below;
  }
  heap[at] = last;
}
