import {
  type DiskId,
  type GroupId,
  type JobId,
  type NodeDuty,
  type NodeId,
  type RepairStatus,
  StorageError,
} from "@cairn/protocol";
import type { HealingMachinery, WantedMove } from "../operations/machinery.ts";
import type { MaintenanceJob } from "../service/maintenance.ts";
import { ChunkRepair } from "./chunks/chunk-repair.ts";
import { repairsWaiting } from "./chunks/repair-rows.ts";
import { CopyChanges } from "./copy-changes.ts";
import { CopyStreams } from "./copy-streams.ts";
import { CopyWork } from "./copy-work.ts";
import { isGood, type Standings, standingsOf } from "./disk-standing.ts";
import { DropExtras } from "./drop-extras.ts";
import { neededBytes } from "./group-chunks.ts";
import { GroupMembership } from "./group-membership.ts";
import { HealingGauges } from "./healing-gauges.ts";
import type { HealingWorld } from "./healing-world.ts";
import { MoveDesk } from "./moves/move-desk.ts";
import { MovePlanner, type NeedsFound } from "./moves/move-planner.ts";
import { loadMoves } from "./moves/move-table.ts";
import { NodeOrders } from "./node-orders.ts";
import { RepairEpisodes } from "./repair-episodes.ts";
import { RepairMeter } from "./repair-meter.ts";
import { repairStatusOf } from "./repair-status.ts";

const nothingFound: NeedsFound = { due: [], later: [], stuck: [] };

/** Gives every group its copies back, and moves them where they are wanted: storage-design §5. */
export class Healing implements HealingMachinery, AsyncDisposable {
  readonly #world: HealingWorld;
  readonly #meter: RepairMeter;
  readonly #streams: CopyStreams;
  readonly #desk: MoveDesk;
  readonly #planner: MovePlanner;
  readonly #chunks: ChunkRepair;
  readonly #drops: DropExtras;
  readonly #changes: CopyChanges;
  readonly #episodes: RepairEpisodes;
  readonly #gauges: HealingGauges;
  #adopted = false;
  #found: NeedsFound = nothingFound;
  #homeless = 0;

  constructor(world: HealingWorld) {
    const { core, env } = world;
    this.#world = world;
    this.#meter = new RepairMeter(env.clock, env.metrics);
    this.#streams = new CopyStreams(() => core.settings.get("repair.streams"));
    const orders = new NodeOrders(world);
    const work = new CopyWork(world, orders, this.#meter);
    const membership = new GroupMembership({ ...core, clock: env.clock });
    const assertAllowed = (): void => this.#assertAllowed();
    const parts = { world, orders, work, membership, assertAllowed, streams: this.#streams };
    this.#desk = new MoveDesk(parts, this.#streams);
    this.#planner = new MovePlanner({
      ...parts,
      desk: this.#desk,
      isBeingDropped: (group, disk) => membership.isBeingDropped(group, disk),
    });
    this.#chunks = new ChunkRepair(parts);
    const assertDropAllowed = (): void => {
      this.#assertAllowed();
      if (core.noDelete.reason !== undefined)
        throw new StorageError("unavailable", "drop copies", core.noDelete.reason);
    };
    this.#drops = new DropExtras({ ...parts, assertAllowed: assertDropAllowed });
    this.#changes = new CopyChanges({ ...parts, isMoving: (group) => this.#desk.has(group) });
    this.#episodes = new RepairEpisodes({ clock: env.clock, events: core.events });
    this.#gauges = new HealingGauges(env.metrics);
  }

  /** What is to be done again and again; hand it to startMaintenance. */
  jobs(): readonly MaintenanceJob[] {
    return [
      { name: "move-groups", everyMs: 1000, run: () => this.moveGroups() },
      { name: "repair-chunks", everyMs: 1000, run: (signal) => this.repairChunks(signal) },
      { name: "drop-extra-copies", everyMs: 2000, run: (signal) => this.dropExtras(signal) },
    ];
  }

  /** One look at all groups: ends moves that nobody needs, begins those that are due, and lets the copying go on. */
  async moveGroups(): Promise<void> {
    if (!this.#adopted) this.#desk.adopt(await this.#world.database.read(loadMoves));
    this.#adopted = true;
    this.#found = this.#planner.find(this.#standings());
    if (this.#isAllowed()) {
      await this.#desk.endUnwanted(this.#standings());
      this.#desk.startTasks();
      const { due } = this.#found;
      const { begun, homeless } = await this.#planner.begin(due, this.#standings());
      this.#homeless = homeless;
      if (begun > 0) this.#found = this.#planner.find(this.#standings());
    }
    await this.#sumUp();
  }

  async repairChunks(signal: AbortSignal): Promise<void> {
    if (this.#isAllowed()) await this.#chunks.round(signal);
  }

  async dropExtras(signal: AbortSignal): Promise<void> {
    if (this.#isAllowed()) await this.#drops.round(signal);
  }

  async repairStatus(): Promise<RepairStatus> {
    const { core, database } = this.#world;
    return repairStatusOf({
      hold: core.readiness.hold(),
      paused: core.settings.isOn("repair.paused"),
      found: this.#found,
      homeless: this.#homeless,
      moves: this.#desk.moves(),
      chunksWaiting: await database.read(repairsWaiting),
      rate: this.#meter.rate(),
      doneBytes: this.#meter.doneBytes,
    });
  }

  duty(node: NodeId): NodeDuty {
    return this.#world.core.duties.of(node);
  }

  setDuty(node: NodeId, duty: NodeDuty, until?: number): Promise<void> {
    return this.#world.core.duties.set(node, duty, until);
  }

  async startMove({ group: id, from, to, job }: WantedMove): Promise<boolean> {
    const { core, database } = this.#world;
    const group = core.map.group(id);
    const standings = this.#standings();
    if (!group || !this.#isAllowed() || this.#desk.has(id)) return false;
    // Who lacks copies is repaired, not moved about.
    const whole = group.slots.every((slot) => slot.state === "ok" && isGood(standings.get(slot.disk)));
    if (!whole || group.slots.length < group.copies || !group.slots.some((slot) => slot.disk === from)) return false;
    if (!(await this.#planner.mayTake(group, to, standings))) return false;
    const totalBytes = await neededBytes(database, id);
    return this.#desk.begin({ group: id, from, to, reason: "rebalance", job, totalBytes });
  }

  /** A disk that a copy of the group from another one could go to now; undefined: there is none. */
  planTarget(group: GroupId, from: DiskId | undefined): Promise<DiskId | undefined> {
    return this.#planner.targetFor(group, from, this.#standings());
  }

  cancelMoves(job: JobId): Promise<number> {
    return this.#desk.cancel(job);
  }

  async setGroupCopies(group: GroupId, copies: number): Promise<boolean> {
    return this.#isAllowed() && (await this.#changes.set(group, copies));
  }

  /** Stops the copying where it stands; the next start goes on from there. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#desk[Symbol.asyncDispose]();
  }

  async #sumUp(): Promise<void> {
    const status = await this.repairStatus();
    this.#gauges.set(status);
    const busy = status.groupsWaiting + status.groupsMoving + status.chunksWaiting > 0;
    await this.#episodes.look({
      lost: this.#found.due.filter((need) => need.reason === "lost").length,
      moving: this.#desk.moves().filter((move) => move.reason === "lost").length,
      doneBytes: this.#meter.doneBytes,
    });
    if (!busy) this.#meter.reset();
  }

  #standings(): Standings {
    return standingsOf({ ...this.#world.core, clock: this.#world.env.clock });
  }

  #isAllowed(): boolean {
    const { readiness, settings } = this.#world.core;
    return readiness.hold() === undefined && !settings.isOn("repair.paused");
  }

  #assertAllowed(): void {
    const { readiness, settings } = this.#world.core;
    const reason = readiness.hold()?.reason ?? (settings.isOn("repair.paused") ? "repair is paused" : undefined);
    if (reason !== undefined) throw new StorageError("unavailable", "repair", reason);
  }
}
