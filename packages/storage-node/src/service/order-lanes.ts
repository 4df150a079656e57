import type { Clock } from "@cairn/env";
import { type DiskId, type GroupId, StorageError } from "@cairn/protocol";
import type { Bell } from "./bell.ts";

const ordersAtOnce = 2;
const waitingMax = 8;
const waitMs = 5000;

/** An order that runs or waits for its turn. */
interface LaneOrder {
  readonly disk: DiskId;
  readonly group: GroupId;
  readonly stop: AbortController;
  runs: boolean;
}

/** Lets so many orders for copies onto one disk run at once. The others wait a little, or are refused. */
export class OrderLanes {
  readonly #clock: Clock;
  readonly #bell: Bell;
  readonly #orders = new Set<LaneOrder>();
  #closed = false;

  constructor(clock: Clock, bell: Bell) {
    this.#clock = clock;
    this.#bell = bell;
  }

  /**
   * Runs the work when the disk has a lane free; its signal aborts with the caller's and when the group is dropped. Throws
   * overloaded when there are too many, conflict while the group is copied to another disk, unavailable when it is stopped before.
   */
  async run<Result>(
    place: { readonly disk: DiskId; readonly group: GroupId },
    signal: AbortSignal,
    work: (signal: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    const order: LaneOrder = { ...place, stop: new AbortController(), runs: false };
    this.#admit(order);
    const stop = (): void => order.stop.abort();
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    this.#orders.add(order);
    try {
      await this.#enter(order);
      return await work(order.stop.signal);
    } finally {
      signal.removeEventListener("abort", stop);
      this.#orders.delete(order);
      this.#bell.ring();
    }
  }

  /** Stops what copies this group onto this disk or waits to, and ends when nothing of it is under way. */
  stop(disk: DiskId, group: GroupId): Promise<void> {
    return this.#stop((order) => order.disk === disk && order.group === group);
  }

  /** Stops everything and takes nothing more. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#stop(() => true);
  }

  async #stop(which: (order: LaneOrder) => boolean): Promise<void> {
    const never = new AbortController();
    // Those that come meanwhile belong to whoever commands now.
    const stopped = [...this.#orders].filter(which);
    for (const { stop } of stopped) stop.abort();
    while (stopped.some((order) => this.#orders.has(order))) await this.#bell.sleep(waitMs, never.signal);
  }

  #admit({ disk, group }: LaneOrder): void {
    if (this.#closed) throw closing();
    const orders = [...this.#orders];
    const other = orders.find((it) => it.group === group && it.disk !== disk);
    if (other) {
      throw new StorageError("conflict", "copy chunks", `group ${group} is being copied to disk ${other.disk}`, {
        hint: "Two copies on one node fail together. Wait for the other order, then drop what it made.",
      });
    }
    if (orders.filter((it) => it.disk === disk).length >= ordersAtOnce + waitingMax) throw tooMany(disk);
  }

  /** What is free is taken in the same step: nobody else can take it in between. */
  async #enter(order: LaneOrder): Promise<void> {
    const { signal } = order.stop;
    const until = this.#clock.monotonic() + waitMs;
    while (true) {
      if (this.#closed) throw closing();
      if (signal.aborted) throw new StorageError("unavailable", "copy chunks", "it was stopped before its turn");
      const running = [...this.#orders].filter(({ disk, runs }) => runs && disk === order.disk).length;
      if (running < ordersAtOnce) break;
      const left = until - this.#clock.monotonic();
      if (left <= 0) throw tooMany(order.disk);
      await this.#bell.sleep(left, signal);
    }
    order.runs = true;
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
