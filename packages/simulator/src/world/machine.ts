import type { Env } from "@cairn/env";
import type { VirtualNetwork } from "../network/virtual-network.ts";
import type { SeededRandom } from "../random/seeded-random.ts";
import type { WallClock } from "./host-clock.ts";
import { Life, ProcessEnded } from "./life.ts";
import { processEnv } from "./process-env.ts";
import type { RunLog } from "./run-log.ts";
import type { Timeline } from "./timeline.ts";

/** What all machines of a world share. */
export interface Surroundings {
  readonly timeline: Timeline;
  readonly network: VirtualNetwork;
  readonly log: RunLog;
  /** Chance of the faults, apart from that of the machines, so that both stay the same when the other is changed. */
  readonly chance: SeededRandom;
  /** Counts a fault that was injected. */
  readonly faulted: (what: string) => void;
  /** Something failed that no part of the system foresaw: the run has found a bug. */
  readonly unforeseen: (who: string, error: Error) => void;
  /** Decides whether a process ends at this crash point. */
  readonly endsAt: (machine: string, point: string) => boolean;
}

/** A computer on which one process runs at a time. */
export class Machine {
  readonly name: string;
  readonly random: SeededRandom;
  readonly wall: WallClock = { offsetMs: 0, jumpedAt: 0 };
  readonly surroundings: Surroundings;
  #life: Life;

  constructor(name: string, random: SeededRandom, surroundings: Surroundings) {
    this.name = name;
    this.random = random;
    this.surroundings = surroundings;
    this.#life = new Life(surroundings.timeline);
    this.#life.end();
  }

  /** The process that runs or ran last. */
  get life(): Life {
    return this.#life;
  }

  get running(): boolean {
    return this.#life.alive;
  }

  /** The wall clock shows something else from now on. */
  jump(offsetMs: number): void {
    Object.assign(this.wall, { offsetMs, jumpedAt: this.surroundings.timeline.now });
  }

  note(what: string): void {
    this.surroundings.log.note(this.name, what);
  }

  /** A new process begins. */
  begin(): Env {
    this.#life.end();
    this.surroundings.network.dark.delete(this.name);
    const life = new Life(this.surroundings.timeline);
    this.#life = life;
    const { timeline, network, log, unforeseen, endsAt } = this.surroundings;
    return processEnv({
      name: this.name,
      timeline,
      life,
      wall: this.wall,
      random: this.random,
      network: network.of(this.name, life),
      log,
      unforeseen,
      crashPoint: (point) => {
        if (!life.alive || !endsAt(this.name, point)) return;
        this.note(`ends at ${point}`);
        life.end();
        throw new ProcessEnded(point);
      },
    });
  }
}
