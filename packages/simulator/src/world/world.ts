import { isKind } from "@cairn/protocol";
import { VirtualNetwork } from "../network/virtual-network.ts";
import { Violation } from "../oracle/violation.ts";
import { SeededRandom } from "../random/seeded-random.ts";
import { ClientHost } from "./client-host.ts";
import { wallTime } from "./host-clock.ts";
import { Machine, type Surroundings } from "./machine.ts";
import { MetadataHost, type MetadataHostOptions } from "./metadata-host.ts";
import { NodeHost } from "./node-host.ts";
import { Platter } from "./platter.ts";
import { RunLog } from "./run-log.ts";
import { Timeline } from "./timeline.ts";

export interface WorldOptions extends MetadataHostOptions {
  readonly seed: number;
  readonly nodes: number;
  readonly disksPerNode: number;
  readonly diskBytes: number;
  readonly clients: number;
  readonly echo?: ((line: string) => void) | undefined;
}

/** A whole cluster and its clients, in one process and on virtual time; the code in it is the code that ships. */
export class World {
  readonly timeline: Timeline = new Timeline();
  readonly log: RunLog;
  readonly network: VirtualNetwork;
  /** Chance of faults. */
  readonly chance: SeededRandom;
  /** Chance of the workload. */
  readonly will: SeededRandom;
  readonly options: WorldOptions;
  readonly nodes: NodeHost[] = [];
  readonly clients: ClientHost[] = [];
  readonly faults: Map<string, number> = new Map();
  metadata!: MetadataHost;
  violation: Violation | undefined;
  operations = 0;
  /** Nothing goes wrong any more. */
  calm = false;
  /** Chance that a process ends at a crash point it passes. */
  crashPointChance = 0;
  /** Crash points that storage nodes have passed so far. */
  readonly pointsPassed: Set<string> = new Set();
  /** What becomes of the next node, or of this one, that passes a crash point; its process ends there. */
  trap: { readonly point: string; readonly node?: NodeHost; readonly spring: (node: NodeHost) => void } | undefined;
  readonly #seeds: SeededRandom;
  readonly #surroundings: Surroundings;

  private constructor(options: WorldOptions) {
    this.options = options;
    this.#seeds = new SeededRandom(options.seed);
    this.chance = this.fork();
    this.will = this.fork();
    this.log = new RunLog(this.timeline, options.echo);
    const faulted = (what: string): void => this.faulted(what);
    this.network = new VirtualNetwork(this.timeline, this.fork(), {
      faulted,
      escaped: (place, error) => this.violate("no handler throws", `${place}: ${String(error)}`),
    });
    this.#surroundings = {
      timeline: this.timeline,
      network: this.network,
      log: this.log,
      chance: this.chance,
      faulted,
      unforeseen: (who, error) => this.violate("no invariant breaks", `${who}: ${error.stack ?? error.message}`),
      endsAt: (machine, point) =>
        this.#isTrapped(machine, point) ||
        (this.crashPointChance > 0 && this.chance.fraction() < this.crashPointChance),
    };
  }

  /** All machines, and nothing running yet. */
  static async make(options: WorldOptions): Promise<World> {
    const world = new World(options);
    world.metadata = await MetadataHost.make(world.#machine("metadata"), options);
    for (let number = 1; number <= options.nodes; number++) world.addNode();
    for (let number = 1; number <= options.clients; number++) {
      world.clients.push(new ClientHost(world.#machine(`client-${number}`)));
    }
    return world;
  }

  /** Another storage machine with empty disks; it is not started. */
  addNode(): NodeHost {
    const { diskBytes, disksPerNode } = this.options;
    const disks = Array.from({ length: disksPerNode }, () => new Platter(diskBytes));
    const node = new NodeHost(this.#machine(`machine-${this.nodes.length + 1}`), {
      ...{ home: new Platter(diskBytes), disks },
      joinToken: () => this.metadata.joinToken,
    });
    this.nodes.push(node);
    return node;
  }

  /** Starts everything, and waits until each part serves. Nothing goes wrong meanwhile. */
  async boot(): Promise<void> {
    await this.timeline.run(this.metadata.start(), 60_000);
    for (const node of this.nodes) node.start();
    await this.until("all nodes serve", 60_000, () => this.nodes.every(({ node }) => node !== undefined));
    await this.timeline.runUntil(this.timeline.now + 10_000);
  }

  /** Begins to start the metadata server; a process that fails to start ends. */
  startMetadata(): void {
    const { machine } = this.metadata;
    this.metadata.start().catch((error: Error) => {
      machine.note(`start failed: ${error.message}`);
      if (!isKind(error, "unavailable")) this.violate("the metadata server starts", error.message);
      this.metadata.kill();
    });
  }

  /** Lets time pass until the condition holds; a run that waits longer has found something. */
  async until(what: string, msMax: number, condition: () => boolean): Promise<void> {
    const done = (): boolean => this.violation !== undefined || condition();
    await this.timeline.runUntil(this.timeline.now + msMax, done);
    if (!done()) this.violate("everything ends", `${what}: not within ${msMax} ms`);
  }

  /** What the clock of a machine showed; undefined for one that has jumped since. */
  wallAt(name: string, virtualMs: number): number | undefined {
    const machines = [this.metadata, ...this.nodes, ...this.clients].map(({ machine }) => machine);
    const wall = machines.find((machine) => machine.name === name)?.wall;
    return wall && wall.jumpedAt < virtualMs ? wallTime(wall, virtualMs) : undefined;
  }

  faulted(what: string): void {
    this.faults.set(what, (this.faults.get(what) ?? 0) + 1);
  }

  /** The first violation ends the run. */
  violate(oracle: string, message: string): void {
    this.violation ??= new Violation(oracle, message);
    this.log.note("oracle", `${oracle}: ${message}`);
  }

  /** Chance of its own for a part, so that more of it in one part changes nothing in the others. */
  fork(): SeededRandom {
    return new SeededRandom(this.#seeds.integer(2 ** 32));
  }

  #isTrapped(name: string, point: string): boolean {
    const node = this.nodes.find(({ machine }) => machine.name === name);
    if (!node) return false;
    this.pointsPassed.add(point);
    if (this.trap?.point !== point || (this.trap.node ?? node) !== node) return false;
    const { spring } = this.trap;
    this.trap = undefined;
    spring(node);
    return true;
  }

  #machine(name: string): Machine {
    return new Machine(name, this.fork(), this.#surroundings);
  }
}
