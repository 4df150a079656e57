import type { Gauge, Metrics } from "@cairn/env";
import type { DiskReport, DiskState } from "@cairn/protocol";

const states: readonly DiskState[] = ["ok", "full", "suspect", "failed"];

/** What the node reports of its disks, as measurements. */
export class DiskMeters {
  readonly #total: Gauge;
  readonly #free: Gauge;
  readonly #chunks: Gauge;
  readonly #chunkBytes: Gauge;
  readonly #state: Gauge;

  constructor(metrics: Metrics) {
    this.#total = metrics.gauge("cairn_disk_size_bytes", "Size of the disk", ["disk"]);
    this.#free = metrics.gauge("cairn_disk_free_bytes", "Bytes that are free on the disk", ["disk"]);
    this.#chunks = metrics.gauge("cairn_disk_chunks", "Live chunks on the disk", ["disk"]);
    this.#chunkBytes = metrics.gauge("cairn_disk_chunk_bytes", "Bytes of the live chunks on the disk", ["disk"]);
    this.#state = metrics.gauge("cairn_disk_state", "1 for the state that the disk is in", ["disk", "state"]);
  }

  show(report: DiskReport): void {
    const disk = { disk: String(report.disk) };
    this.#total.set(report.totalBytes, disk);
    this.#free.set(report.freeBytes, disk);
    this.#chunks.set(report.chunks, disk);
    this.#chunkBytes.set(report.chunkBytes, disk);
    for (const state of states) this.#state.set(state === report.state ? 1 : 0, { ...disk, state });
  }
}
