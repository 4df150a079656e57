import type { Env } from "@cairn/env";
import type { ChunkServiceAt, DiskId, ScrubStatus } from "@cairn/protocol";
import { Bell } from "./bell.ts";
import type { CaredDisk } from "./cared-disk.ts";
import { CompactionLoop, CompactionMeters } from "./compaction-loop.ts";
import { CopyIntake } from "./copy-intake.ts";
import { DamageLedger } from "./damage-ledger.ts";
import { LiveSettings } from "./live-settings.ts";
import { ReadLatency } from "./read-latency.ts";
import { ScrubLoop, ScrubMeters } from "./scrub-loop.ts";
import { VerifiedGroups } from "./verified-groups.ts";

type HousekeepingEnv = Pick<Env, "clock" | "random" | "hasher" | "log" | "metrics" | "crashPoint">;

/**
 * The upkeep of a node's disks: by itself every disk is read and checked, and what may go is freed; copies come in when the
 * leader orders them. All of it at the pace that the leader sets.
 */
export class Housekeeping implements AsyncDisposable {
  readonly bell: Bell;
  readonly settings: LiveSettings;
  readonly verified: VerifiedGroups = new VerifiedGroups();
  readonly damage: DamageLedger;
  readonly intake: CopyIntake;
  readonly #latencies = new Map<CaredDisk, ReadLatency>();
  readonly #scrubs: readonly ScrubLoop[];
  readonly #compactions: readonly CompactionLoop[];

  constructor(env: HousekeepingEnv, { disks, chunksAt }: { disks: readonly CaredDisk[]; chunksAt: ChunkServiceAt }) {
    const { clock, random, log, metrics } = env;
    this.bell = new Bell(clock);
    this.settings = new LiveSettings({ bell: this.bell, log });
    const { bell, settings, verified } = this;
    this.damage = new DamageLedger(disks);
    this.intake = new CopyIntake({ ...env, bell, settings, chunksAt, disks });
    const scrubMeters = new ScrubMeters(metrics);
    const compactionMeters = new CompactionMeters(metrics);
    const loops = disks.map((disk) => {
      const latency = new ReadLatency(clock);
      this.#latencies.set(disk, latency);
      const shared = { clock, log, bell, settings, latency };
      return {
        scrub: new ScrubLoop(disk, { ...shared, random, verified, meters: scrubMeters }),
        compaction: new CompactionLoop(disk, { ...shared, meters: compactionMeters }),
      };
    });
    this.#scrubs = loops.map(({ scrub }) => scrub);
    this.#compactions = loops.map(({ compaction }) => compaction);
  }

  start(): void {
    for (const loop of [...this.#scrubs, ...this.#compactions]) loop.start();
  }

  /** Of one disk, or of all. */
  startScrub(disk?: DiskId): void {
    for (const scrub of this.#scrubs) if (disk === undefined || scrub.status().disk === disk) scrub.restart();
  }

  startCompaction(): void {
    for (const compaction of this.#compactions) compaction.order();
  }

  scrubStatus(): readonly ScrubStatus[] {
    return this.#scrubs.map((scrub) => scrub.status());
  }

  /** A client's read of this disk took so long, ms. */
  readTook(disk: CaredDisk, ms: number): void {
    this.#latencies.get(disk)?.note(ms);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.intake.close();
    await Promise.all([...this.#scrubs, ...this.#compactions].map((loop) => loop[Symbol.asyncDispose]()));
  }
}
