import { chunkServicesAt, remoteMembership } from "@cairn/remote";
import { type StorageNode, startStorageNode } from "@cairn/storage-node";
import type { Machine } from "./machine.ts";
import { metadataUrl } from "./metadata-host.ts";
import type { Platter } from "./platter.ts";
import { type DiskFaults, PlatterDisk } from "./platter-disk.ts";

export const healthyDisk: Readonly<DiskFaults> = {
  readError: 0,
  writeError: 0,
  syncError: 0,
  nameError: 0,
  readFlip: 0,
  misdirected: 0,
  latencyMs: 0.5,
};

export interface NodeDiskPlace {
  platter: Platter;
  readonly faults: DiskFaults;
}

/** Nodes begin another segment after so many. */
export const segmentBytes = 65_536;

/** The machine of a storage node: its disks stay, processes come and go. */
export class NodeHost {
  readonly machine: Machine;
  home: Platter;
  readonly disks: NodeDiskPlace[];
  readonly #joinToken: () => string;
  #node: StorageNode | undefined;
  /** The machine never comes back, nor do its disks. */
  gone = false;
  /** Why the last start failed, until one succeeds. */
  refusal: Error | undefined;

  constructor(
    machine: Machine,
    parts: { readonly home: Platter; readonly disks: readonly Platter[]; readonly joinToken: () => string },
  ) {
    this.machine = machine;
    this.home = parts.home;
    this.disks = parts.disks.map((platter) => ({ platter, faults: { ...healthyDisk } }));
    this.#joinToken = parts.joinToken;
  }

  /** The running process once it is ready. */
  get node(): StorageNode | undefined {
    return this.machine.running ? this.#node : undefined;
  }

  get url(): string {
    return `http://${this.machine.name}:7000`;
  }

  /** Starts a process; one that fails to start ends. */
  start(): void {
    this.kill();
    this.#node = undefined;
    const env = this.machine.begin();
    const { life, name } = this.machine;
    const { chance: random, faulted } = this.machine.surroundings;
    const { network, clock } = env;
    const disk = (platter: Platter, faults: DiskFaults): PlatterDisk =>
      new PlatterDisk(platter, { life, random, faults, faulted: (what) => faulted(`disk: ${what}`) });
    const starting = startStorageNode({
      env,
      membership: remoteMembership({
        ...{ network, clock, random: env.random },
        base: `${metadataUrl}/cluster/v1/membership`,
      }),
      home: disk(this.home, { ...healthyDisk }),
      disks: this.disks.map(({ platter, faults }) => disk(platter, faults)),
      chunksAt: chunkServicesAt(env),
      listen: { host: name, port: 7000 },
      joinToken: this.#joinToken(),
      version: "simulated",
      engine: { segmentBytes, checkpointBytes: 2 * segmentBytes },
    });
    starting.then(
      (node) => {
        if (!life.alive) return;
        this.#node = node;
        this.refusal = undefined;
        this.machine.note("storage node is ready");
      },
      (error: Error) => {
        if (!life.alive) return;
        this.refusal = error;
        this.machine.note(`start failed: ${error.message}`);
        this.kill();
      },
    );
  }

  /** kill -9: the page cache stays. */
  kill(): void {
    this.machine.life.end();
    for (const platter of this.#platters()) platter.endProcess();
  }

  cutPower(): void {
    this.machine.life.end();
    this.machine.surroundings.network.dark.add(this.machine.name);
    for (const platter of this.#platters()) platter.cutPower(this.machine.surroundings.chance);
  }

  /** Ends in order. */
  async stop(): Promise<void> {
    await this.#node?.[Symbol.asyncDispose]();
    this.kill();
  }

  #platters(): Platter[] {
    return [this.home, ...this.disks.map(({ platter }) => platter)];
  }
}
