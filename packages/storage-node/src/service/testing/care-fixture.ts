import type { Log } from "@cairn/env";
import { PrometheusMetrics } from "@cairn/env-node";
import type { NodeSettings } from "@cairn/protocol";
import { SeededRandom, VirtualClock } from "@cairn/simulator";
import { Bell } from "../bell.ts";
import { LiveSettings } from "../live-settings.ts";
import { ReadLatency } from "../read-latency.ts";
import { VerifiedGroups } from "../verified-groups.ts";

export const settings: NodeSettings = {
  scrubBytesPerSecond: 1000,
  compactionBytesPerSecond: 1000,
  repairBytesPerSecond: 1000,
  scrubEveryMs: 3600_000,
  trashMs: 600_000,
};

/** A log that counts its warnings and says nothing. */
export class QuietLog implements Log {
  warnings = 0;
  child(): Log {
    return this;
  }
  debug(): void {}
  info(): void {}
  warn(): void {
    this.warnings++;
  }
  error(): void {}
}

/** What the upkeep of a disk stands on, with time that passes only when a test says so. */
export class CareFixture {
  readonly clock: VirtualClock = new VirtualClock();
  readonly random: SeededRandom;
  readonly log: QuietLog = new QuietLog();
  readonly metrics: PrometheusMetrics = new PrometheusMetrics();
  readonly bell: Bell = new Bell(this.clock);
  readonly settings: LiveSettings = new LiveSettings({ bell: this.bell, log: this.log });
  readonly latency: ReadLatency = new ReadLatency(this.clock);
  readonly verified: VerifiedGroups = new VerifiedGroups();

  constructor(seed = 1) {
    this.random = new SeededRandom(seed);
  }

  tell(changes: Partial<NodeSettings> = {}): void {
    this.settings.apply({ ...settings, ...changes });
  }

  /** The value of a measurement with these labels, or 0. */
  async measured(name: string): Promise<number> {
    const line = (await this.metrics.expose()).split("\n").find((it) => it.startsWith(name));
    return Number(line?.split(" ").at(-1) ?? 0);
  }
}
