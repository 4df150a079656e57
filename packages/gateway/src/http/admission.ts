import type { Clock, Env, Gauge } from "@cairn/env";
import { StorageError } from "@cairn/protocol";

/** Kinds of requests that must not take each other's room. `free`: never refused, such as a look at whether the process lives. */
export type PoolName = "upload" | "download" | "relay" | "data" | "cluster" | "follow" | "rest";
export type RequestClass = PoolName | "free";

/**
 * Requests under way at once. Each is so large that what one request may hold in memory fits as often: an upload about
 * 1 MiB beside the writer's common window, a download 5 MiB, a relayed request 16 MiB, a batch of methods 8 MiB.
 */
export const poolSizes: Readonly<Record<PoolName, number>> = {
  upload: 256,
  download: 256,
  relay: 32,
  data: 128,
  cluster: 128,
  follow: 64,
  rest: 256,
};

const waitMs = 1000;

/** Lets requests in before their bodies are read. Who finds no room waits a second at most, the latest comer first. */
export class Admission {
  readonly #pools: ReadonlyMap<PoolName, Pool>;

  constructor(env: Pick<Env, "clock" | "metrics">, sizes: Partial<Record<PoolName, number>> = {}) {
    const underWay = env.metrics.gauge("cairn_http_requests_under_way", "Requests under way", ["class"]);
    const names = Object.keys(poolSizes) as PoolName[];
    this.#pools = new Map(
      names.map((name) => [name, new Pool(env.clock, underWay, { name, size: sizes[name] ?? poolSizes[name] })]),
    );
  }

  /** Answers the function that gives the room back; calling it again does nothing. Throws overloaded. */
  async enter(name: RequestClass): Promise<() => void> {
    const pool = name === "free" ? undefined : this.#pools.get(name);
    if (!pool) return () => undefined;
    await pool.enter();
    let inside = true;
    return () => {
      if (!inside) return;
      inside = false;
      pool.leave();
    };
  }
}

interface Waiting {
  readonly admit: () => void;
}

class Pool {
  readonly #clock: Clock;
  readonly #gauge: Gauge;
  readonly #name: PoolName;
  readonly #size: number;
  #underWay = 0;
  readonly #waiting: Waiting[] = [];

  constructor(clock: Clock, gauge: Gauge, { name, size }: { name: PoolName; size: number }) {
    this.#clock = clock;
    this.#gauge = gauge;
    this.#name = name;
    this.#size = size;
  }

  async enter(): Promise<void> {
    if (this.#underWay >= this.#size) {
      if (this.#waiting.length >= 2 * this.#size) throw this.#busy();
      await this.#turn();
      return;
    }
    this.#count(1);
  }

  /** Room that one leaves goes to the next without a gap. */
  leave(): void {
    const next = this.#waiting.pop();
    if (next) next.admit();
    else this.#count(-1);
  }

  #turn(): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = this.#clock.after(waitMs, () => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        reject(this.#busy());
      });
      const waiting = {
        admit: (): void => {
          timer.cancel();
          resolve();
        },
      };
      this.#waiting.push(waiting);
    });
  }

  #count(change: number): void {
    this.#underWay += change;
    this.#gauge.set(this.#underWay, { class: this.#name });
  }

  #busy(): StorageError {
    return new StorageError("overloaded", "admit request", `${this.#size} requests of this kind are under way`, {
      hint: "Try again in a moment, with fewer requests at once.",
    });
  }
}
