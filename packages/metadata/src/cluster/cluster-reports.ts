import type { Clock, Sql, SqlDatabase } from "@cairn/env";
import type {
  BadCopy,
  ChunkPlacement,
  ClusterStatus,
  CopyState,
  Entry,
  EntryAddress,
  GroupId,
  NodeHealth,
  NodeStatus,
} from "@cairn/protocol";
import type { HealthBoard } from "../membership/health-board.ts";
import { dutyAt } from "../membership/node-duty.ts";
import { membersOf } from "../placement/group-view-cache.ts";
import type { ListedChunk } from "../read/chunk-list.ts";
import { badCopiesOf, damagedChunks, reportBadCopies } from "./bad-copies.ts";
import type { ClusterMap, DiskRecord } from "./cluster-map.ts";
import { type GroupChunks, groupChunks } from "./group-usage.ts";
import type { GroupedWrites } from "./grouped-writes.ts";
import { type DamagedChunk, type HeldGroup, redundancyOf } from "./redundancy.ts";

export interface ReportsWorld {
  readonly clock: Clock;
  readonly database: SqlDatabase;
  readonly writes: GroupedWrites;
  readonly map: ClusterMap;
  readonly health: HealthBoard;
}

export interface ReportsOptions {
  readonly cluster: string;
  /** Of the software. */
  readonly version: string;
  /** The chunks of a file from a byte on. */
  readonly listChunks: (
    address: EntryAddress,
    offset: number,
  ) => Promise<{ readonly entry: Entry; readonly chunks: readonly ListedChunk[] }>;
}

interface Facts {
  readonly copies: number;
  readonly totals: Totals;
  readonly held: ReadonlyMap<GroupId, GroupChunks>;
  readonly damaged: readonly DamagedChunk[];
}

interface Totals {
  readonly files: number;
  readonly folders: number;
  readonly trashed: number;
  readonly bytes: number;
}

const factsKeptMs = 1000;

/** Answers what the cluster holds and how safe it is, from counters and the map: no call scans the chunks. */
export class ClusterReports {
  readonly #world: ReportsWorld;
  readonly #options: ReportsOptions;
  readonly #startedAt: number;
  #facts: { readonly value: Promise<Facts>; readonly at: number } | undefined;

  constructor(world: ReportsWorld, options: ReportsOptions) {
    this.#world = world;
    this.#options = options;
    this.#startedAt = world.clock.now();
  }

  /** The counters are at most a second old; health is that of now. */
  async status(): Promise<ClusterStatus> {
    const { copies, totals, held, damaged } = await this.#freshFacts();
    const groups = this.#heldGroups(held);
    const online = [...this.#world.map.nodes()].filter(
      ({ node }) => this.#world.health.health(node) === "online",
    ).length;
    const chunks = [...held.values()];
    return {
      cluster: this.#options.cluster,
      version: this.#options.version,
      startedAt: this.#startedAt,
      copies,
      files: totals.files,
      folders: totals.folders,
      trashed: totals.trashed,
      logicalBytes: totals.bytes,
      chunks: chunks.reduce((sum, group) => sum + group.chunks, 0),
      chunkBytes: chunks.reduce((sum, group) => sum + group.bytes, 0),
      redundancy: redundancyOf(groups, damaged, Math.max(Math.min(copies, online) - 1, 0)),
      nodes: await this.nodes(),
    };
  }

  /** Those that were not removed, in the order of their names, node-2 before node-10. */
  async nodes(): Promise<readonly NodeStatus[]> {
    const { map, health, clock } = this.#world;
    const there = [...map.nodes()].filter(({ duty }) => duty !== "removed");
    const statuses = there.map(
      (node): NodeStatus => ({
        node: node.node,
        url: node.url,
        health: health.health(node.node),
        duty: dutyAt(node, clock.now()),
        silentForMs: health.silentForMs(node.node),
        version: node.version,
        disks: map.disksOf(node.node).map(statusOfDisk),
      }),
    );
    return statuses.sort((a, b) => compareNames(a.node, b.node));
  }

  /** Throws as the listing does: not-found, range. */
  async placements(
    address: EntryAddress,
    offset: number,
  ): Promise<{ entry: Entry; chunks: readonly ChunkPlacement[] }> {
    const { entry, chunks } = await this.#options.listChunks(address, offset);
    const placed = await this.#world.database.read(async (sql) => {
      const placements: ChunkPlacement[] = [];
      for (const chunk of chunks) placements.push(await this.#place(sql, chunk));
      return placements;
    });
    return { entry, chunks: placed };
  }

  /** Throws too-large. */
  async reportBadCopies(copies: readonly BadCopy[]): Promise<void> {
    await reportBadCopies(this.#world, copies, this.#world.clock.now());
    this.#facts = undefined;
  }

  async #place(sql: Sql, chunk: ListedChunk): Promise<ChunkPlacement> {
    const group = this.#world.map.group(chunk.group);
    const bad = await badCopiesOf(sql, chunk);
    const copies = (group ? membersOf(group, this.#world) : []).map(({ disk, node, health }) => {
      const state: CopyState = bad.get(disk) ?? stateOfHealth(health);
      return { disk, node, state };
    });
    return { ...chunk, copies };
  }

  #heldGroups(held: ReadonlyMap<GroupId, GroupChunks>): Map<GroupId, HeldGroup> {
    const groups = new Map<GroupId, HeldGroup>();
    for (const [id, chunks] of held) {
      const group = this.#world.map.group(id);
      const members = group ? membersOf(group, this.#world) : [];
      groups.set(id, { copies: group?.copies ?? 1, held: chunks, members });
    }
    return groups;
  }

  async #freshFacts(): Promise<Facts> {
    const now = this.#world.clock.monotonic();
    if (this.#facts && now - this.#facts.at < factsKeptMs) return this.#facts.value;
    const facts = { value: this.#world.database.read(readFacts), at: now };
    this.#facts = facts;
    try {
      return await facts.value;
    } catch (error) {
      // A failure must not be the answer for a whole second.
      if (this.#facts === facts) this.#facts = undefined;
      throw error;
    }
  }
}

async function readFacts(sql: Sql): Promise<Facts> {
  const drive = await sql.get<{ copies: number }>("SELECT copies FROM drive ORDER BY created_at, id LIMIT 1");
  // Drives' ids are hex digits and sort before the groups' scopes.
  const row = await sql.get<Record<keyof Totals, number | null>>(
    `SELECT SUM(files) AS files, SUM(folders) AS folders, SUM(trashed) AS trashed, SUM(bytes) AS bytes
     FROM usage WHERE scope < 'g'`,
  );
  const totals = {
    files: Number(row?.files ?? 0),
    folders: Number(row?.folders ?? 0),
    trashed: Number(row?.trashed ?? 0),
    bytes: Number(row?.bytes ?? 0),
  };
  return {
    copies: drive?.copies ?? 0,
    totals,
    held: await groupChunks(sql),
    damaged: await damagedChunks(sql),
  };
}

function statusOfDisk({ node: _node, ...status }: DiskRecord): Omit<DiskRecord, "node"> {
  return status;
}

function stateOfHealth(health: NodeHealth): CopyState {
  return health === "online" ? "ok" : health;
}

function compareNames(a: string, b: string): number {
  if (a.length !== b.length && a.replace(/\d+$/, "") === b.replace(/\d+$/, "")) return a.length - b.length;
  return a < b ? -1 : 1;
}
