import type { Clock } from "@cairn/env";
import type { DiskId, GroupId, NodeId } from "@cairn/protocol";
import type { ClusterMap, DiskRecord } from "../cluster/cluster-map.ts";
import type { EventLog, EventReport } from "../events/event-log.ts";
import type { HealthBoard } from "../membership/health-board.ts";
import { dutyAt } from "../membership/node-duty.ts";
import type { Settings } from "../settings/settings.ts";

/** Why nothing may be repaired, trimmed or collected now. */
export interface Hold {
  readonly state: "safe-mode" | "storm-brake";
  /** A sentence for the operator. */
  readonly reason: string;
  /** Wall clock ms. */
  readonly since: number;
}

/** What nodes have told of the copies on their disks since this server started. */
export interface ReportedCopies {
  of(group: GroupId): ReadonlyMap<DiskId, unknown>;
  heardAll(node: NodeId): boolean;
}

export interface ReadinessWorld {
  readonly clock: Clock;
  readonly map: ClusterMap;
  readonly health: HealthBoard;
  readonly settings: Settings;
  readonly copies: ReportedCopies;
  readonly events: EventLog;
}

interface DiskCensus {
  readonly total: number;
  readonly lost: number;
  readonly lostLately: number;
  readonly nodesLost: readonly NodeId[];
}

/**
 * Whether the cluster is whole enough to conclude anything from what is not there. Two things say no. **Safe mode**: after
 * a start, until most copies were reported or the time for it has passed; what is missing may just not have been heard
 * yet. **Storm brake**: when disks of several nodes vanish together the cause is rarely the disks, and copying everything
 * at once would make it worse; a single node is never a storm. Every costly or destroying job asks before each step.
 */
export class Readiness {
  readonly #world: ReadinessWorld;
  readonly #startedAt: { readonly wall: number; readonly monotonic: number };
  /** Since when a disk has been lost, monotonic ms. */
  readonly #lostSince = new Map<DiskId, number>();
  #holding: { readonly version: number; readonly disks: ReadonlySet<DiskId> } | undefined;
  #safe = false;
  #stormSince: number | undefined;
  #told: Hold["state"] | undefined;

  constructor(world: ReadinessWorld) {
    this.#world = world;
    this.#startedAt = { wall: world.clock.now(), monotonic: world.clock.monotonic() };
  }

  /** Undefined: go ahead. Cheap enough to ask before every step. */
  hold(): Hold | undefined {
    const waiting = this.#safe ? undefined : this.#safeMode();
    if (waiting !== undefined) return { state: "safe-mode", reason: waiting, since: this.#startedAt.wall };
    this.#safe = true;
    const storm = this.#storm();
    if (storm === undefined) {
      this.#stormSince = undefined;
      return undefined;
    }
    this.#stormSince ??= this.#world.clock.now();
    return { state: "storm-brake", reason: storm, since: this.#stormSince };
  }

  /** Tells the event log when it has changed. */
  async look(): Promise<void> {
    const hold = this.hold();
    if (hold?.state === this.#told) return;
    const before = this.#told;
    this.#told = hold?.state;
    for (const event of eventsOf(before, hold)) await this.#world.events.tell(event);
  }

  /** Why safe mode goes on; undefined when it is over. */
  #safeMode(): string | undefined {
    const { clock, settings, health, map } = this.#world;
    const nodes = [...map.nodes()].filter((node) => node.duty !== "removed");
    const heard = nodes.filter(({ node }) => health.silentForMs(node) !== undefined).length;
    if (nodes.length > 0 && heard === 0) return "no storage node has been heard since the start";
    const { slots, reported } = this.#reportedSlots();
    const wanted = settings.get("safe-mode.reported");
    if (reported * 100 >= slots * wanted) return undefined;
    const left = settings.get("safe-mode.time") - (clock.monotonic() - this.#startedAt.monotonic);
    if (left <= 0) return undefined;
    return (
      `${reported} of ${slots} copies of groups were reported since the start; it waits for ${wanted} %, ` +
      `or ${Math.ceil(left / 1000)} s more`
    );
  }

  #reportedSlots(): { slots: number; reported: number } {
    const { map, copies } = this.#world;
    let slots = 0;
    let reported = 0;
    for (const group of map.groups()) {
      const told = copies.of(group.id);
      for (const { disk, state } of group.slots) {
        const node = map.disk(disk)?.node;
        if (state === "joining" || node === undefined || map.node(node)?.duty === "removed") continue;
        slots++;
        if (told.has(disk) || copies.heardAll(node)) reported++;
      }
    }
    return { slots, reported };
  }

  /** Why the brake is on; undefined when it is off. */
  #storm(): string | undefined {
    const { settings } = this.#world;
    const { total, lost, lostLately, nodesLost } = this.#census();
    if (nodesLost.length < 2) return undefined;
    const names = `${nodesLost.slice(0, 8).join(", ")}; whoever never comes back is to be removed with: cairn node remove`;
    if (lostLately * 100 > total * settings.get("storm.lost-disks")) {
      return `${lostLately} of ${total} disks went away together: ${names}`;
    }
    if ((total - lost) * 100 < total * settings.get("storm.disks-up")) {
      return `only ${total - lost} of ${total} disks are there; missing: ${names}`;
    }
    return undefined;
  }

  #census(): DiskCensus {
    const { clock, map, settings } = this.#world;
    const now = clock.monotonic();
    const from = now - settings.get("storm.window");
    const holding = this.#disksWithGroups();
    const nodesLost = new Set<NodeId>();
    let total = 0;
    let lost = 0;
    let lostLately = 0;
    for (const disk of map.disks()) {
      const node = map.node(disk.node);
      const duty = node && dutyAt(node, clock.now());
      // Whoever is in maintenance is away on purpose, and what was removed does not count at all.
      if (duty === undefined || duty === "removed") continue;
      const away = duty !== "maintenance" && this.#isLost(disk);
      // What somebody has given up is not missed, nor a disk that was lost long ago and whose groups live elsewhere by now.
      if (away && (duty === "draining" || !holding.has(disk.disk))) continue;
      total++;
      if (!away) {
        this.#lostSince.delete(disk.disk);
        continue;
      }
      const since = this.#lostSince.get(disk.disk) ?? now;
      this.#lostSince.set(disk.disk, since);
      lost++;
      nodesLost.add(disk.node);
      if (since >= from) lostLately++;
    }
    return { total, lost, lostLately, nodesLost: [...nodesLost].sort() };
  }

  #disksWithGroups(): ReadonlySet<DiskId> {
    const { map } = this.#world;
    if (this.#holding?.version !== map.version) {
      const disks = new Set([...map.groups()].flatMap((group) => group.slots.map((slot) => slot.disk)));
      this.#holding = { version: map.version, disks };
    }
    return this.#holding.disks;
  }

  #isLost(disk: DiskRecord): boolean {
    return disk.state === "failed" || this.#world.health.health(disk.node) !== "online";
  }
}

function eventsOf(before: Hold["state"] | undefined, now: Hold | undefined): EventReport[] {
  const subject = "cluster";
  const events: EventReport[] = [];
  if (before === "safe-mode") {
    const message = "safe mode is over: repair and collection may go on";
    events.push({ severity: "info", kind: "safe-mode.left", subject, message });
  }
  if (before === "storm-brake") {
    const message = "enough disks are there again: repair and collection may go on";
    events.push({ severity: "info", kind: "storm-brake.released", subject, message });
  }
  if (now?.state === "safe-mode") {
    const message = "safe mode: nothing is repaired or collected until the nodes have reported";
    events.push({ severity: "info", kind: "safe-mode.entered", subject, message });
  }
  if (now?.state === "storm-brake") {
    const message = `repair and collection are stopped: ${now.reason}`;
    events.push({ severity: "error", kind: "storm-brake.pulled", subject, message });
  }
  return events;
}
