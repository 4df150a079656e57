import type { Clock } from "@cairn/env";
import { type DiskId, type GroupId, StorageError } from "@cairn/protocol";
import type { Bell } from "./bell.ts";

const ordersAtOnce = 2;
const waitingMax = 8;
const waitMs = 5000;

interface RunningOrder {
  readonly disk: DiskId;
  readonly group: GroupId;
  readonly stop: AbortController;
}

/** Lets so many orders for copies onto one disk run at once. The others wait a little, or are refused. */
export class OrderLanes {
  readonly #clock: Clock;
  readonly #bell: Bell;
  readonly #running = new Set<RunningOrder>();
  /** Orders that wait, by disk. */
  readonly #waiting = new Map<DiskId, number>();
  #closed = false;

  constructor(clock: Clock, bell: Bell) {
    this.#clock = clock;
    this.#bell = bell;
  }

  /**
   * Runs the work when the disk has a lane free; its signal aborts with the caller's and when the group is dropped. Throws
   * overloaded when there are too many, cancelled when the caller goes away before.
   */
  async run<Result>(
    place: { readonly disk: DiskId; readonly group: GroupId },
    signal: AbortSignal,
    work: (signal: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    await this.#enter(place.disk, signal);
    const order: RunningOrder = { ...place, stop: new AbortController() };
    const stop = (): void => order.stop.abort();
    signal.addEventListener("abort", stop, { once: true });
    this.#running.add(order);
    try {
      return await work(order.stop.signal);
    } finally {
      signal.removeEventListener("abort", stop);
      this.#running.delete(order);
      this.#bell.ring();
    }
  }

  /** Stops what copies this group onto this disk, and ends when nothing of it is under way. */
  async stop(disk: DiskId, group: GroupId): Promise<void> {
    const never = new AbortController();
    const running = (): RunningOrder[] => [...this.#running].filter((it) => it.disk === disk && it.group === group);
    for (const { stop } of running()) stop.abort();
    while (running().length > 0) await this.#bell.sleep(waitMs, never.signal);
  }

  /** Stops everything and takes nothing more. */
  async close(): Promise<void> {
    this.#closed = true;
    const running = [...this.#running];
    for (const { stop } of running) stop.abort();
    this.#bell.ring();
    for (const { disk, group } of running) await this.stop(disk, group);
  }

  async #enter(disk: DiskId, signal: AbortSignal): Promise<void> {
    if (this.#closed) throw closing();
    const until = this.#clock.monotonic() + waitMs;
    const waiting = this.#waiting.get(disk) ?? 0;
    if (this.#isFree(disk)) return;
    if (waiting >= waitingMax) throw tooMany(disk);
    this.#waiting.set(disk, waiting + 1);
    try {
      while (!this.#isFree(disk)) {
        if (signal.aborted) throw new StorageError("cancelled", "copy chunks", "the caller has gone");
        const left = until - this.#clock.monotonic();
        if (left <= 0) throw tooMany(disk);
        await this.#bell.sleep(left, signal);
        if (this.#closed) throw closing();
      }
    } finally {
      this.#waiting.set(disk, (this.#waiting.get(disk) ?? 1) - 1);
    }
  }

  #isFree(disk: DiskId): boolean {
    return [...this.#running].filter((order) => order.disk === disk).length < ordersAtOnce;
  }
}

function closing(): StorageError {
  return new StorageError("unavailable", "copy chunks", "the node is being closed");
}

function tooMany(disk: DiskId): StorageError {
  return new StorageError("overloaded", "copy chunks", `disk ${disk} takes ${ordersAtOnce} orders at once`, {
    hint: "Send the order again when one of them has ended.",
  });
}
