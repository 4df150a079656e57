import type { Clock, Log, Metrics } from "@cairn/env";
import { isKind } from "@cairn/protocol";

/** Work that is done again and again. */
export interface MaintenanceJob {
  /** Lower case and `-`; names the job in logs and measurements. */
  readonly name: string;
  readonly everyMs: number;
  /** One round. Ends soon after the signal aborts. */
  readonly run: (signal: AbortSignal) => Promise<void>;
}

export interface MaintenanceWorld {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

/**
 * Runs the jobs until it is disposed of; each waits its time between rounds and never overlaps itself. A round that
 * fails is counted and logged, and the next one tries again: none of the jobs is needed for safety, only for tidiness.
 */
export function startMaintenance(world: MaintenanceWorld, jobs: readonly MaintenanceJob[]): AsyncDisposable {
  const failures = world.metrics.counter(
    "cairn_maintenance_failures_total",
    "Rounds of a maintenance job that failed.",
    ["job"],
  );
  const lastRound = world.metrics.gauge(
    "cairn_maintenance_succeeded_timestamp_seconds",
    "When a maintenance job last ended well.",
    ["job"],
  );
  // One for each job: a signal that all of them wait on grows with their number.
  const stops: AbortController[] = [];
  const loop = async (job: MaintenanceJob): Promise<void> => {
    const stop = new AbortController();
    stops.push(stop);
    while (!stop.signal.aborted) {
      try {
        await job.run(stop.signal);
        lastRound.set(world.clock.now() / 1000, { job: job.name });
      } catch (error) {
        if (stop.signal.aborted) return;
        failures.add(1, { job: job.name });
        world.log.error({ err: error, job: job.name }, "a maintenance job failed and will be tried again");
      }
      try {
        await world.clock.sleep(job.everyMs, stop.signal);
      } catch (error) {
        if (!isKind(error, "cancelled")) throw error;
      }
    }
  };
  const running = jobs.map(loop);
  return {
    async [Symbol.asyncDispose](): Promise<void> {
      for (const stop of stops) stop.abort();
      await Promise.all(running);
    },
  };
}
