import type { DiskImage } from "../disk/disk-image.ts";
import { emptyImage } from "../disk/disk-image.ts";
import type { SeededRandom } from "../random/seeded-random.ts";
import type { WorkloadParts } from "../workload/file-operations.ts";
import { healthyDisk, type NodeDiskPlace, type NodeHost } from "../world/node-host.ts";
import type { World } from "../world/world.ts";
import { DamageBudget } from "./damage-budget.ts";
import { HostileClients } from "./hostile-clients.ts";
import { Membership } from "./membership.ts";
import type { Operator } from "./operator.ts";
import { type Blow, blows, type Swarm } from "./swarm.ts";

/** Deals blows at random moments, by the weights of a swarm, and within the damage that the cluster promises to survive. */
export class Nemesis {
  readonly #world: World;
  readonly #operator: Operator;
  readonly #swarm: Swarm;
  readonly #random: SeededRandom;
  readonly #budget: DamageBudget;
  readonly #membership: Membership;
  readonly #hostile: HostileClients;
  readonly #images = new Map<NodeDiskPlace, DiskImage>();
  readonly #swapped: (() => void)[] = [];
  #stopped = false;

  constructor({ world, ledger, drive }: WorkloadParts, operator: Operator, swarm: Swarm) {
    this.#world = world;
    this.#operator = operator;
    this.#swarm = swarm;
    this.#random = world.chance;
    this.#budget = new DamageBudget(world);
    this.#membership = new Membership(world, operator);
    this.#hostile = new HostileClients({ world, ledger, drive });
  }

  stop(): void {
    this.#stopped = true;
    this.#membership.stop();
    this.#world.trap = undefined;
    for (const back of this.#swapped.splice(0)) back();
  }

  async run(): Promise<void> {
    const { network, metadata, timeline } = this.#world;
    const { swarm } = { swarm: this.#swarm };
    Object.assign(network.faults, swarm.network, { delayMs: swarm.delayMs, lateMs: 120_000 });
    metadata.faults.slowStatement = swarm.slowStatement;
    metadata.faults.unknownOutcome = swarm.unknownOutcome;
    this.#world.crashPointChance = swarm.crashPointChance;
    while (!this.#stopped) {
      await timeline.pause(-Math.log(1 - this.#random.fraction()) * swarm.blowEveryMs);
      if (this.#stopped) return;
      const blow = this.#draw();
      if (blow) await this.#deal(blow);
    }
  }

  #draw(): Blow | undefined {
    let left = this.#random.fraction() * blows.reduce((sum, blow) => sum + this.#swarm.blows[blow], 0);
    for (const blow of blows) {
      left -= this.#swarm.blows[blow];
      if (left < 0) return blow;
    }
    return undefined;
  }

  async #deal(blow: Blow): Promise<void> {
    const node = this.#oneOf(this.#operator.nodes());
    if (!node) return;
    const done = await this.#dealTo(blow, node);
    if (!done) return;
    this.#world.faulted(blow);
    this.#world.log.note("nemesis", `${blow} ${done}`);
  }

  /** Answers whom it hit; nothing when it was not possible now. */
  async #dealTo(blow: Blow, node: NodeHost): Promise<string | undefined> {
    const { metadata, clients } = this.#world;
    const { name } = node.machine;
    switch (blow) {
      case "kill node":
        node.kill();
        this.#operator.leaveDown(node, this.#between(0, 30_000));
        return name;
      case "cut power of node":
        node.cutPower();
        this.#operator.leaveDown(node, this.#between(1000, 40_000));
        return name;
      case "cut power at a point":
        return this.#layTrap();
      case "cut power of all":
        return this.#cutAll();
      case "kill metadata":
        metadata.kill();
        this.#operator.leaveDown("metadata", this.#between(0, 20_000));
        return "it";
      case "kill client":
        this.#oneOf(clients)?.kill();
        return "one";
      case "freeze node":
        node.machine.life.freeze(this.#between(500, 45_000));
        return name;
      case "freeze metadata":
        metadata.machine.life.freeze(this.#between(500, 25_000));
        return "it";
      case "freeze client":
        // Longer than a lease lasts, too: a computer that was put to sleep in the middle of an upload.
        this.#oneOf(clients)?.machine.life.freeze(this.#between(5000, 120_000));
        return "one";
      case "isolate node":
        return this.#isolate(node);
      case "cut one way":
        return this.#cutOneWay();
      case "jump clock":
        return this.#jumpClock();
      case "drain node":
        return this.#membership.drain(node, this.#between(20_000, 90_000));
      case "add node":
        return this.#membership.add();
      case "hold back receipts":
      case "forge receipts":
      case "commit again":
        return this.#hostile.attack(blow);
      case "rebalance":
        return this.#membership.rebalance();
      case "change copies":
        return this.#membership.changeCopies();
      default:
        return this.#hurtDisk(blow, node);
    }
  }

  async #hurtDisk(blow: Blow, node: NodeHost): Promise<string | undefined> {
    const place = this.#oneOf(node.disks);
    if (!place) return undefined;
    const { name } = node.machine;
    if (blow === "failing disk") return this.#failDisk(node, place);
    if (blow === "full disk") return this.#fillDisk(node, place);
    // While machines have each other's disks nobody can say whose copies a blow would hit.
    if (this.#swapped.length > 0) return undefined;
    if (blow === "swap disks") return this.#swapDisks();
    if (!(await this.#budget.admits(node))) return undefined;
    switch (blow) {
      case "flip bits":
        return `${name} ${this.#flipBits(place)}`;
      case "misdirect writes":
        place.faults.misdirected = 0.02;
        this.#later(this.#between(1000, 10_000), () => {
          place.faults.misdirected = 0;
        });
        return name;
      case "stale disk":
        return this.#putBackStale(node, place);
      case "wipe disk":
        node.kill();
        place.platter.restore(emptyImage);
        this.#replace(node);
        return name;
      case "lose machine":
        this.#replace(node);
        return name;
      default:
        return undefined;
    }
  }

  /** The next node that comes to a certain step of its work loses its power in the middle of it. */
  #layTrap(): string | undefined {
    // One kind of step is as likely as another, however rare it is.
    const point = this.#oneOf([...this.#world.pointsPassed]);
    if (point === undefined) return undefined;
    const spring = (node: NodeHost): void => {
      node.cutPower();
      this.#operator.leaveDown(node, this.#between(1000, 20_000));
    };
    this.#world.trap = { point, spring };
    return `at ${point}`;
  }

  #cutAll(): string {
    for (const node of this.#operator.nodes()) {
      node.cutPower();
      this.#operator.leaveDown(node, this.#between(0, 10_000));
    }
    this.#world.metadata.kill();
    this.#operator.leaveDown("metadata", this.#between(0, 10_000));
    return "it";
  }

  #isolate(node: NodeHost): string {
    const ms = this.#between(3000, 60_000);
    for (const other of this.#machines()) {
      if (other === node.machine.name) continue;
      this.#cut(other, node.machine.name, ms);
      this.#cut(node.machine.name, other, ms);
    }
    return node.machine.name;
  }

  #cutOneWay(): string {
    const [from, to] = [this.#oneOf(this.#machines()) ?? "", this.#oneOf(this.#machines()) ?? ""];
    this.#cut(from, to, this.#between(3000, 60_000));
    return `${from} to ${to}`;
  }

  #cut(from: string, to: string, ms: number): void {
    const { cuts } = this.#world.network;
    cuts.cut(from, to);
    this.#later(ms, () => cuts.mend(from, to));
  }

  #jumpClock(): string {
    const { metadata, nodes, clients } = this.#world;
    const machine = this.#oneOf([metadata, ...nodes, ...clients])?.machine;
    if (!machine) return "nobody";
    const ms = Math.round((this.#random.fraction() - 0.5) * 2 * this.#between(1000, 7_200_000));
    machine.jump(machine.wall.offsetMs + ms);
    return `${machine.name} by ${ms} ms`;
  }

  #failDisk(node: NodeHost, { faults }: NodeDiskPlace): string {
    const chance = this.#oneOf([0.01, 0.1, 1]) ?? 0;
    for (const fault of ["readError", "writeError", "syncError", "nameError"] as const) {
      if (this.#random.fraction() < 0.5) faults[fault] = chance;
    }
    this.#later(this.#between(1000, 20_000), () => {
      Object.assign(faults, healthyDisk);
      // A disk that failed takes no more chunks until somebody looks at it and starts the node again.
      node.kill();
    });
    return node.machine.name;
  }

  #fillDisk(node: NodeHost, { platter }: NodeDiskPlace): string {
    const before = platter.totalBytes;
    platter.totalBytes = before - platter.freeBytes + this.#random.integer(65_536);
    this.#later(this.#between(1000, 20_000), () => {
      platter.totalBytes = this.#world.options.diskBytes;
    });
    return node.machine.name;
  }

  #flipBits({ platter }: NodeDiskPlace): string {
    const segments = platter.paths().filter((path) => path.endsWith(".seg"));
    const path = this.#oneOf(segments);
    const body = path === undefined ? undefined : platter.file(path);
    if (!body || body.length === 0) return "nothing";
    const count = 1 + this.#random.integer(4);
    for (let flipped = 0; flipped < count; flipped++) body.flip(this.#random.integer(body.length * 8));
    return `${path}`;
  }

  /** Somebody puts back a disk as it was some time ago. */
  #putBackStale(node: NodeHost, place: NodeDiskPlace): string | undefined {
    const image = this.#images.get(place);
    if (!image) {
      if (place.platter.file("disk.json")) this.#images.set(place, place.platter.image());
      return undefined;
    }
    node.kill();
    place.platter.restore(image);
    this.#images.delete(place);
    return node.machine.name;
  }

  /** Two machines get each other's disks until somebody notices. */
  #swapDisks(): string | undefined {
    const [one, other] = this.#operator.nodes().filter((node) => node.disks[0]);
    const [a, b] = [one?.disks[0], other?.disks[0]];
    if (!one || !other || !a || !b) return undefined;
    const swap = (): void => {
      one.kill();
      other.kill();
      [a.platter, b.platter] = [b.platter, a.platter];
    };
    swap();
    this.#swapped.push(swap);
    this.#later(this.#between(2000, 20_000), () => this.#swapped.pop()?.());
    return `${one.machine.name} and ${other.machine.name}`;
  }

  /** The machine is gone, and a new one comes. */
  #replace(node: NodeHost): void {
    this.#operator.giveUp(node);
    this.#later(this.#between(1000, 30_000), () => this.#world.addNode().start());
  }

  #machines(): string[] {
    const { metadata, nodes, clients } = this.#world;
    return [metadata, ...nodes, ...clients].map(({ machine }) => machine.name);
  }

  #later(ms: number, run: () => void): void {
    this.#world.timeline.after(ms, run);
  }

  #between(from: number, to: number): number {
    return from + this.#random.fraction() * (to - from);
  }

  #oneOf<Item>(items: readonly Item[]): Item | undefined {
    return items[this.#random.integer(items.length)];
  }
}
