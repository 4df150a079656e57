import type { Clock, Log, Sql } from "@cairn/env";
import {
  type DiskId,
  type DiskReport,
  type GroupDigest,
  type GroupId,
  type HeartbeatReply,
  type HeartbeatRequest,
  limits,
  type NodeId,
  StorageError,
} from "@cairn/protocol";
import { type ClusterMap, type GroupRecord, groupStateNumber, type NodeRecord } from "../cluster/cluster-map.ts";
import type { GroupedWrites } from "../cluster/grouped-writes.ts";
import type { NoDelete } from "../cluster/no-delete.ts";
import type { EventLog } from "../events/event-log.ts";
import type { Settings } from "../settings/settings.ts";
import type { CopyBoard } from "./copy-board.ts";
import { recordCare } from "./disk-care.ts";
import type { HealthBoard } from "./health-board.ts";
import { isShaped } from "./heartbeat-shape.ts";
import type { NodeRegistry } from "./node-registry.ts";
import { nodeSettings } from "./node-settings.ts";
import type { ScrubBoard } from "./scrub-board.ts";
import { SealBoard } from "./seal-board.ts";

export interface HeartbeatWorld {
  readonly clock: Clock;
  readonly log: Log;
  readonly writes: GroupedWrites;
  readonly map: ClusterMap;
  readonly health: HealthBoard;
  readonly registry: NodeRegistry;
  readonly incarnation: number;
  readonly settings: Settings;
  readonly events: EventLog;
  readonly copies: CopyBoard;
  readonly scrubs: ScrubBoard;
  readonly noDelete: NoDelete;
}

interface Session {
  /** The registration it belongs to: a node counts its heartbeats anew after each. */
  readonly registration: NodeRecord;
  sequence: number;
  /** Monotonic ms of the last time the node's disk sizes were written to the database. */
  savedAt: number;
  /** What was written then: the map is ahead of the database. */
  readonly saved: Map<DiskId, DiskReport>;
}

/** Sizes of disks are written no more often than this unless something that matters changed; ms. */
const sizesSavedEveryMs = 60_000;
/** After a start, seals of the last hour are told again: longer than any write token lives. */
const sealsRepeatedMs = 3600_000;

/**
 * Takes heartbeats. What a node reports of its groups is durable before it is acknowledged, because a node does not
 * repeat it; a heartbeat that changes nothing writes nothing.
 */
export class HeartbeatDesk {
  readonly #world: HeartbeatWorld;
  readonly #sessions = new Map<NodeId, Session>();
  readonly #seals: SealBoard = new SealBoard();

  constructor(world: HeartbeatWorld) {
    this.#world = world;
    const since = world.clock.now() - sealsRepeatedMs;
    for (const group of world.map.groups()) {
      if (group.state === "sealed" && (group.sealedAt ?? 0) > since) this.#seals.add(group.id, this.#nodesOf(group));
    }
  }

  /** Throws unauthenticated; stale when another process of the node registered since; invalid for foreign disks. */
  async take(request: HeartbeatRequest): Promise<HeartbeatReply> {
    const node = await this.#world.registry.authenticate(request?.node, request?.credential);
    if (node.bootNonce !== request.bootNonce) {
      throw new StorageError("stale", "receive heartbeat", `${node.node} has registered with another start since`, {
        hint: "The node must register again.",
      });
    }
    if (!isShaped(request)) {
      throw new StorageError("invalid", "receive heartbeat", `${node.node} sent something else than a heartbeat`, {
        hint: "Node and metadata server may be of different versions.",
      });
    }
    this.#checkDisks(request);
    const session = this.#sessionOf(node);
    await this.#keepCare(request);
    // A heartbeat that was overtaken on the way must not bring back old sizes, and is no sign of life.
    if (request.sequence >= session.sequence) {
      session.sequence = request.sequence;
      this.#world.health.hear(request.node);
      await this.#apply(request, session);
    }
    const { copies, incarnation, noDelete, settings } = this.#world;
    return {
      incarnation,
      seal: this.#seals.take(request.node),
      settings: nodeSettings(settings, noDelete.reason),
      ...(copies.heardAll(request.node) ? {} : { everything: true }),
    };
  }

  /**
   * What the node found on its disks is durable before it is answered, since it tells of it once; true of any heartbeat,
   * also of one that was overtaken on the way.
   */
  async #keepCare(request: HeartbeatRequest): Promise<void> {
    const { clock, events, map, scrubs, writes } = this.#world;
    if (request.scrub) scrubs.note(request.node, request.scrub);
    if (!request.damaged?.length && !request.verified?.length) return;
    const told = await writes.run((sql) => recordCare(sql, request, { clock, events, map }));
    if (told) events.wake();
  }

  async #apply(request: HeartbeatRequest, session: Session): Promise<void> {
    const { map, clock, writes } = this.#world;
    for (const digest of request.groups) this.#note(digest, request.node);
    if (request.everything) {
      const disks = request.disks.map((report) => report.disk);
      this.#world.copies.noteEverything(request.node, disks, request.groups);
    }
    const groups = [...new Set(request.groups.map((digest) => digest.group))];
    const due = clock.monotonic() - session.savedAt >= sizesSavedEveryMs;
    const changed = request.disks.filter((report) => {
      const stateChanged = map.disk(report.disk)?.state !== report.state;
      return stateChanged || (due && differs(report, session.saved.get(report.disk)));
    });
    const resized = groups.some((group) => this.#resized(group) !== undefined);
    if (changed.length > 0 || resized) {
      const updated = await writes.run((sql) => this.#save(sql, changed, groups));
      for (const group of updated) this.#adopt(group);
      for (const report of changed) session.saved.set(report.disk, report);
    }
    if (due) session.savedAt = clock.monotonic();
    for (const report of request.disks) {
      const before = map.disk(report.disk);
      if (before) map.putDisk({ ...before, ...sizesOf(report), state: report.state });
    }
  }

  async #save(sql: Sql, disks: readonly DiskReport[], groups: readonly GroupId[]): Promise<GroupRecord[]> {
    for (const disk of disks) {
      await sql.run(
        "UPDATE disk SET state = ?, total_bytes = ?, free_bytes = ?, chunks = ?, chunk_bytes = ? WHERE id = ?",
        disk.state,
        disk.totalBytes,
        disk.freeBytes,
        disk.chunks,
        disk.chunkBytes,
        disk.disk,
      );
    }
    const updated: GroupRecord[] = [];
    for (const id of groups) {
      const group = this.#resized(id);
      if (!group) continue;
      await sql.run(
        // A move may have sealed it in a transaction that the map does not show yet: sealing is never undone.
        `UPDATE grp SET bytes = ?, records = ?, state = CASE WHEN state = 0 THEN ? ELSE state END,
           sealed_at = COALESCE(sealed_at, ?) WHERE id = ?`,
        group.bytes,
        group.records,
        groupStateNumber(group.state),
        group.sealedAt ?? null,
        group.id,
      );
      updated.push(group);
    }
    return updated;
  }

  /** After the transaction: the map never shows what the database might not have. */
  #adopt(group: GroupRecord): void {
    const before = this.#world.map.group(group.id);
    const { bytes, records, sealedAt } = group;
    const sealed = group.state === "sealed" && before?.state === "writable";
    // Slots and epoch may have changed since the transaction read them: only what was written here is put there.
    this.#world.map.changeGroup(group.id, { bytes, records, ...(sealed ? { state: "sealed", sealedAt } : {}) });
    if (before?.state !== "writable" || group.state !== "sealed") return;
    this.#seals.add(group.id, this.#nodesOf(group));
    this.#world.log.info(
      { group: group.id, bytes: group.bytes, records: group.records },
      "sealed a full placement group",
    );
  }

  /** The group as all reports make it: the most of any member, sealed at its limit. Undefined when nothing changes. */
  #resized(id: GroupId): GroupRecord | undefined {
    const group = this.#world.map.group(id);
    const reports = this.#world.copies.of(id);
    // Only members count: a copy that was replaced while its node was away says nothing about the group.
    const members = group?.slots.flatMap((slot) => reports.get(slot.disk)?.digest ?? []);
    if (!group || !members || members.length === 0) return undefined;
    // Until every member has spoken since the start, the size in the database is one more voice.
    const sizes = members.length === group.slots.length ? members : [group, ...members];
    const bytes = Math.max(...sizes.map((size) => size.bytes));
    const records = Math.max(...sizes.map((size) => size.records));
    const full = bytes >= group.bytesMax || records >= limits.groupRecordsMax;
    const seal = full && group.state === "writable";
    if (bytes === group.bytes && records === group.records && !seal) return undefined;
    return { ...group, bytes, records, ...(seal ? { state: "sealed", sealedAt: this.#world.clock.now() } : {}) };
  }

  #note(digest: GroupDigest, node: NodeId): void {
    this.#world.copies.note(digest);
    const group = this.#world.map.group(digest.group);
    if (!group?.slots.some((slot) => slot.disk === digest.disk)) return;
    if (digest.sealed) this.#seals.done(digest.group, node);
    else if (group.state === "sealed") this.#seals.add(digest.group, [node]);
  }

  #checkDisks(request: HeartbeatRequest): void {
    const { disks, groups, damaged = [], verified = [], scrub = [] } = request;
    const foreign = [...disks, ...groups, ...(damaged ?? []), ...(verified ?? []), ...(scrub ?? [])].find(
      (item) => this.#world.map.disk(item.disk)?.node !== request.node,
    );
    if (foreign) {
      throw new StorageError("invalid", "receive heartbeat", `disk ${foreign.disk} is not a disk of ${request.node}`, {
        hint: "The node must register again and use the disk ids it is given.",
      });
    }
  }

  #sessionOf(registration: NodeRecord): Session {
    const known = this.#sessions.get(registration.node);
    if (known?.registration === registration) return known;
    const session = { registration, sequence: -1, savedAt: Number.NEGATIVE_INFINITY, saved: new Map() };
    this.#sessions.set(registration.node, session);
    const disks = this.#world.map.disksOf(registration.node).map(({ disk }) => disk);
    this.#world.copies.startOver(registration.node, disks);
    return session;
  }

  #nodesOf(group: GroupRecord): NodeId[] {
    return group.slots.flatMap((slot) => this.#world.map.disk(slot.disk)?.node ?? []);
  }
}

function sizesOf(report: DiskReport): Omit<DiskReport, "disk" | "state"> {
  const { totalBytes, freeBytes, chunks, chunkBytes } = report;
  return { totalBytes, freeBytes, chunks, chunkBytes };
}

function differs(a: DiskReport, b: DiskReport | undefined): boolean {
  return (
    a.totalBytes !== b?.totalBytes ||
    a.freeBytes !== b.freeBytes ||
    a.chunks !== b.chunks ||
    a.chunkBytes !== b.chunkBytes
  );
}
