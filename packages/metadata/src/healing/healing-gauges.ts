import type { Gauge, Metrics } from "@cairn/env";
import type { RepairStatus } from "@cairn/protocol";

const states: readonly RepairStatus["state"][] = ["idle", "waiting", "running", "paused", "safe-mode", "storm-brake"];

/** Repair and moves for Prometheus. */
export class HealingGauges {
  readonly #groups: Gauge;
  readonly #chunks: Gauge;
  readonly #bytes: Gauge;
  readonly #rate: Gauge;
  readonly #state: Gauge;

  constructor(metrics: Metrics) {
    this.#groups = metrics.gauge("cairn_repair_groups", "Groups that wait for a copy or are getting one.", ["phase"]);
    this.#chunks = metrics.gauge("cairn_repair_chunks_waiting", "Copies of chunks that wait for repair.");
    this.#bytes = metrics.gauge("cairn_repair_left_bytes", "Bytes that repair and moves have still to copy.");
    this.#rate = metrics.gauge(
      "cairn_repair_bytes_per_second",
      "Bytes per second that repair and moves copied lately.",
    );
    this.#state = metrics.gauge("cairn_repair_state", "1 for the state that repair is in.", ["state"]);
  }

  set(status: RepairStatus): void {
    this.#groups.set(status.groupsWaiting, { phase: "waiting" });
    this.#groups.set(status.groupsMoving, { phase: "moving" });
    this.#chunks.set(status.chunksWaiting);
    this.#bytes.set(status.totalBytes - status.doneBytes);
    this.#rate.set(status.bytesPerSecond);
    for (const state of states) this.#state.set(Number(state === status.state), { state });
  }
}
