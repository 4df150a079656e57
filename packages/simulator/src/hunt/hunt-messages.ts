import type { Swarm } from "../faults/swarm.ts";
import type { RunReport } from "../run.ts";

/** To a worker: run this seed. */
export interface SeedOrder {
  readonly seed: number;
  /** In place of what the seed draws. */
  readonly swarm: Partial<Swarm>;
}

/** From a worker: what became of it. */
export interface SeedResult extends Pick<RunReport, "seed" | "operations" | "virtualMs" | "steps" | "digest"> {
  /** In words; undefined for a run without a violation. */
  readonly violation: string | undefined;
  readonly faults: readonly (readonly [string, number])[];
  readonly lastLines: readonly string[];
  readonly wallMs: number;
}
