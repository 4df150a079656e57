import type { Clock, Log, Random, Sql, SqlDatabase } from "@cairn/env";
import { assert, type DiskId, type NodeId, parseGroupId } from "@cairn/protocol";
import type { ClusterMap, DiskRecord, GroupRecord, NodeRecord } from "../cluster/cluster-map.ts";
import { takeNumbers } from "../cluster/number-source.ts";
import type { HealthBoard } from "../membership/health-board.ts";
import { placementRefusal } from "./placement-refusal.ts";
import { type EligibleDisk, groupBytesMax, planGroups } from "./plan-groups.ts";

/** Groups that one lease is offered: enough to go round a failed one, few enough that a lease stays small. */
export const groupsPerLease = 16;

const settlePauseMs = 100;

export interface PlacementWorld {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly database: SqlDatabase;
  readonly map: ClusterMap;
  readonly health: HealthBoard;
}

/** What one state of the cluster allows; computed once and used until nodes, disks or groups change. */
interface Situation {
  readonly version: string;
  readonly usable: readonly GroupRecord[];
}

/** Chooses the groups that new chunks may go to, and creates groups when too few are writable. */
export class GroupPlacement {
  readonly #world: PlacementWorld;
  readonly #situations = new Map<number, Situation>();
  #creating: Promise<unknown> = Promise.resolve();

  constructor(world: PlacementWorld) {
    this.#world = world;
  }

  /**
   * At most groupsPerLease writable groups of so many copies, all of whose nodes are online and whose disks take writes;
   * those with more free space come more likely and earlier. Throws unavailable or no-space when there is none; right
   * after a start it first waits a few seconds for nodes to be heard.
   */
  async writable(copies: number): Promise<readonly GroupRecord[]> {
    const { clock, health } = this.#world;
    let situation = await this.#situation(copies);
    // A restart of the metadata server must not fail the writes that are under way: nodes report within seconds.
    while (situation.usable.length === 0 && health.isSettling()) {
      await clock.sleep(settlePauseMs);
      situation = await this.#situation(copies);
    }
    if (situation.usable.length === 0) throw this.#refusal(copies);
    return this.#draw(situation.usable);
  }

  async #situation(copies: number): Promise<Situation> {
    const known = this.#situations.get(copies);
    if (known?.version === this.#version()) return known;
    const turn = this.#creating.then(() => this.#settle(copies));
    this.#creating = turn.catch(() => undefined);
    return turn;
  }

  async #settle(copies: number): Promise<Situation> {
    const known = this.#situations.get(copies);
    if (known?.version === this.#version()) return known;
    const eligible = this.#eligible();
    const before = this.#usable(copies, eligible);
    const planned = planGroups({
      copies,
      nodes: nodesOfCopysets(this.#world.map),
      eligible: [...eligible.values()],
      usable: before.map((group) => group.slots.map((slot) => slot.disk)),
    });
    if (planned.length > 0) await this.#create(copies, planned);
    const situation = { version: this.#version(), usable: this.#usable(copies, this.#eligible()) };
    this.#situations.set(copies, situation);
    return situation;
  }

  /** Durable before anybody learns of a group: a group id in a manifest must never vanish with a crash. */
  async #create(copies: number, planned: readonly (readonly DiskId[])[]): Promise<void> {
    const { database, map, clock, log } = this.#world;
    const created = await database.write(async (sql) => {
      const first = await takeNumbers(sql, "next_group", planned.length);
      const groups = planned.map((disks, index) => this.#newGroup(first + index, copies, disks));
      for (const group of groups) await insertGroup(sql, group, clock.now());
      return groups;
    });
    for (const group of created) map.putGroup(group);
    log.info({ groups: created.map((group) => group.id), copies }, "created placement groups");
  }

  #newGroup(id: number, copies: number, disks: readonly DiskId[]): GroupRecord {
    const records = disks.map((disk) => this.#world.map.disk(disk)).filter((disk) => disk !== undefined);
    assert(new Set(records.map((disk) => disk.node)).size === copies, "a group's copies are on distinct nodes");
    return {
      id: parseGroupId(id),
      copies,
      epoch: 1,
      state: "writable",
      bytes: 0,
      records: 0,
      bytesMax: groupBytesMax(records),
      sealedAt: undefined,
      slots: disks.map((disk, slot) => ({ slot, disk, state: "ok" })),
    };
  }

  #eligible(): Map<DiskId, EligibleDisk & DiskRecord> {
    const { map, health } = this.#world;
    const disks = [...map.disks()].filter(
      (disk) => disk.state === "ok" && health.health(disk.node) === "online" && map.node(disk.node)?.duty === "active",
    );
    return new Map(disks.map((disk) => [disk.disk, disk]));
  }

  #usable(copies: number, eligible: ReadonlyMap<DiskId, unknown>): GroupRecord[] {
    return [...this.#world.map.groups()].filter(
      (group) =>
        group.state === "writable" &&
        group.copies === copies &&
        group.slots.length === copies &&
        group.slots.every((slot) => slot.state === "ok" && eligible.has(slot.disk)),
    );
  }

  /** Weighted sampling without replacement. Source: Efraimidis and Spirakis, 2006. */
  #draw(groups: readonly GroupRecord[]): readonly GroupRecord[] {
    const drawn = groups.map((group) => ({ group, key: this.#world.random.fraction() ** (1 / this.#weight(group)) }));
    drawn.sort((a, b) => b.key - a.key);
    return drawn.slice(0, groupsPerLease).map(({ group }) => group);
  }

  /** Free space of the fullest disk in GiB: small enough numbers that the keys do not all round to 1. */
  #weight(group: GroupRecord): number {
    const free = group.slots.map((slot) => this.#world.map.disk(slot.disk)?.freeBytes ?? 0);
    return Math.max(Math.min(...free) / 2 ** 30, 0.001);
  }

  #version(): string {
    return `${this.#world.map.version}/${this.#world.health.version}`;
  }

  #refusal(copies: number): Error {
    const { map, health } = this.#world;
    const nodes = [...map.nodes()].filter(isServing).map(({ node }) => ({
      node,
      health: health.health(node),
      disks: map.disksOf(node).map((disk) => disk.state),
    }));
    return placementRefusal(copies, nodes);
  }
}

function isServing({ duty }: NodeRecord): boolean {
  return duty === "active";
}

/** Nodes that have a disk and are here to stay, healthy or not: the copysets follow membership, not health. */
export function nodesOfCopysets(map: ClusterMap): readonly NodeId[] {
  const names = new Set([...map.disks()].map((disk) => disk.node));
  return [...names].filter((name) => ["active", "maintenance"].includes(map.node(name)?.duty ?? "removed"));
}

async function insertGroup(sql: Sql, group: GroupRecord, now: number): Promise<void> {
  await sql.run(
    `INSERT INTO grp (id, copies, copies_written, epoch, state, bytes, records, bytes_max, created_at)
       VALUES (?, ?, ?, ?, 0, 0, 0, ?, ?)`,
    group.id,
    group.copies,
    group.copies,
    group.epoch,
    group.bytesMax,
    now,
  );
  for (const slot of group.slots) {
    await sql.run(
      "INSERT INTO grp_slot (grp, slot, disk, state, epoch) VALUES (?, ?, ?, 0, ?)",
      group.id,
      slot.slot,
      slot.disk,
      group.epoch,
    );
  }
}
