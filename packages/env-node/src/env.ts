import type { Env } from "@cairn/env";
import { NodeClock } from "./clock.ts";
import { crashPointFromEnvironment } from "./crash-point.ts";
import { NodeHasher } from "./hasher.ts";
import { PinoLog, type PinoLogOptions } from "./log.ts";
import { PrometheusMetrics } from "./metrics.ts";
import { NodeNetwork } from "./network.ts";
import { NodeRandom } from "./random.ts";

export interface NodeEnvOptions extends PinoLogOptions {
  /** See NodeHasher. */
  readonly hashOffThread?: boolean;
}

/** The real world for one process; disposing of it closes pooled connections. */
export function nodeEnv({ hashOffThread = false, ...log }: NodeEnvOptions): Env & AsyncDisposable {
  const network = new NodeNetwork();
  return {
    clock: new NodeClock(),
    random: new NodeRandom(),
    hasher: new NodeHasher({ offThread: hashOffThread }),
    network,
    log: PinoLog.open(log),
    metrics: new PrometheusMetrics(),
    crashPoint: crashPointFromEnvironment(process.env),
    [Symbol.asyncDispose]: () => network[Symbol.asyncDispose](),
  };
}
