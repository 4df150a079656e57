import type { Env, Log, LogFields, Metrics, Network, Random } from "@cairn/env";
import { NodeHasher } from "@cairn/env-node";
import { HostClock, type WallClock } from "./host-clock.ts";
import type { Life } from "./life.ts";
import type { RunLog } from "./run-log.ts";
import type { Timeline } from "./timeline.ts";

const hasher: NodeHasher = new NodeHasher();

/** Nobody measures a simulated process. */
const noMetrics: Metrics = {
  counter: () => ({ add: () => undefined }),
  gauge: () => ({ set: () => undefined }),
  histogram: () => ({ observe: () => undefined }),
  expose: async () => "",
};

export interface ProcessWorld {
  readonly name: string;
  readonly timeline: Timeline;
  readonly life: Life;
  readonly wall: WallClock;
  readonly random: Random;
  readonly network: Network;
  readonly log: RunLog;
  /** Told of errors that no part of the system foresaw. */
  readonly unforeseen: (who: string, error: Error) => void;
  readonly crashPoint: (name: string) => void;
}

/** The outside world of one simulated process. */
export function processEnv(world: ProcessWorld): Env {
  const { name, timeline, life, wall, random, network, crashPoint } = world;
  return {
    clock: new HostClock(timeline, life, wall),
    random,
    hasher,
    network,
    log: new ProcessLog(world, name),
    metrics: noMetrics,
    crashPoint,
  };
}

/** Warnings and errors become part of the run; a broken invariant ends it. */
class ProcessLog implements Log {
  readonly #world: ProcessWorld;
  readonly #name: string;

  constructor(world: ProcessWorld, name: string) {
    this.#world = world;
    this.#name = name;
  }

  debug(): void {}

  info(_fields: LogFields, message: string): void {
    this.#note("info", message, undefined);
  }

  warn(fields: LogFields, message: string): void {
    this.#note("warn", message, fields["err"]);
  }

  error(fields: LogFields, message: string): void {
    this.#note("error", message, fields["err"]);
  }

  child(): Log {
    return this;
  }

  #note(level: string, message: string, error: unknown): void {
    if (!this.#world.life.alive) return;
    const because = error instanceof Error ? `: ${error.message}` : "";
    this.#world.log.note(this.#name, `${level} ${message}${because}`);
    if (error instanceof Error && isBug(error)) this.#world.unforeseen(this.#name, error);
  }
}

/** An error that is no StorageError, or has one of these as its cause, is nobody's plan. */
function isBug(error: Error): boolean {
  const names = ["AssertionError", "TypeError", "RangeError", "ReferenceError", "SyntaxError"];
  return names.includes(error.name) || (error.cause instanceof Error && isBug(error.cause));
}
