import type { Clock } from "./clock.ts";
import type { CrashPoint } from "./crash-point.ts";
import type { Hasher } from "./hasher.ts";
import type { Log } from "./log.ts";
import type { Metrics } from "./metrics.ts";
import type { Network } from "./network.ts";
import type { Random } from "./random.ts";

export type * from "./clock.ts";
export type * from "./crash-point.ts";
export type * from "./disk.ts";
export type * from "./hasher.ts";
export type * from "./log.ts";
export type * from "./metrics.ts";
export type * from "./network.ts";
export type * from "./random.ts";
export type * from "./sql.ts";

/** The outside world in one object; each part takes what it needs of it. */
export interface Env {
  readonly clock: Clock;
  readonly random: Random;
  readonly hasher: Hasher;
  readonly network: Network;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly crashPoint: CrashPoint;
}
