import type { Sql, SqlDatabase } from "@cairn/env";
import {
  type DiskId,
  type DiskState,
  type DiskStatus,
  type GroupId,
  type NodeDuty,
  type NodeId,
  parseDiskId,
  parseGroupId,
  parseNodeId,
} from "@cairn/protocol";

/** A storage node as the database knows it. */
export interface NodeRecord {
  readonly node: NodeId;
  /** Base URL of its chunk API. */
  readonly url: string;
  readonly version: string;
  /** Of the process that registered last. */
  readonly bootNonce: string;
  readonly receiptKey: Uint8Array;
  /** SHA-256 of the node's credential. */
  readonly credentialHash: Uint8Array;
  /** As it was set; `dutyAt` knows when maintenance is over. */
  readonly duty: NodeDuty;
  /** Wall clock ms; of maintenance. */
  readonly dutyUntil: number | undefined;
}

export interface DiskRecord extends DiskStatus {
  readonly node: NodeId;
}

export type GroupState = "writable" | "sealed" | "draining";
/** joining: is being filled, not yet read from. leaving: still read from. */
export type SlotState = "ok" | "joining" | "leaving";

export interface GroupSlot {
  readonly slot: number;
  readonly disk: DiskId;
  readonly state: SlotState;
}

/** A placement group. Bytes and records are the most that any member reported. */
export interface GroupRecord {
  readonly id: GroupId;
  readonly copies: number;
  readonly epoch: number;
  readonly state: GroupState;
  readonly bytes: number;
  readonly records: number;
  readonly bytesMax: number;
  /** Wall clock ms; undefined while it is writable. */
  readonly sealedAt: number | undefined;
  readonly slots: readonly GroupSlot[];
}

/**
 * The nodes, disks and groups of the database, held in memory: about 30 KB per TiB stored. Records are replaced and
 * never changed. Whoever writes the tables puts the record here after the transaction has committed.
 */
export class ClusterMap {
  readonly #nodes = new Map<NodeId, NodeRecord>();
  readonly #disks = new Map<DiskId, DiskRecord>();
  readonly #groups = new Map<GroupId, GroupRecord>();
  #version = 1;

  /** Reads everything. Throws as the database does. */
  static async load(database: SqlDatabase): Promise<ClusterMap> {
    const map = new ClusterMap();
    await database.read(async (sql) => {
      for (const node of await loadNodes(sql)) map.putNode(node);
      for (const disk of await loadDisks(sql)) map.putDisk(disk);
      for (const group of await loadGroups(sql)) map.putGroup(group);
    });
    return map;
  }

  /** Rises with every change of what may be placed or read where; reported sizes do not raise it. */
  get version(): number {
    return this.#version;
  }

  node(name: NodeId): NodeRecord | undefined {
    return this.#nodes.get(name);
  }

  disk(id: DiskId): DiskRecord | undefined {
    return this.#disks.get(id);
  }

  group(id: GroupId): GroupRecord | undefined {
    return this.#groups.get(id);
  }

  nodes(): Iterable<NodeRecord> {
    return this.#nodes.values();
  }

  disks(): Iterable<DiskRecord> {
    return this.#disks.values();
  }

  groups(): Iterable<GroupRecord> {
    return this.#groups.values();
  }

  disksOf(node: NodeId): DiskRecord[] {
    return [...this.#disks.values()].filter((disk) => disk.node === node);
  }

  putNode(record: NodeRecord): void {
    this.#nodes.set(record.node, record);
    this.#version++;
  }

  putDisk(record: DiskRecord): void {
    const before = this.#disks.get(record.disk);
    this.#disks.set(record.disk, record);
    if (before?.state !== record.state) this.#version++;
  }

  /** Changes some fields of a group and keeps the others as they are by now: several parts write one record. */
  changeGroup(id: GroupId, changes: Partial<Omit<GroupRecord, "id">>): void {
    const before = this.#groups.get(id);
    if (before) this.putGroup({ ...before, ...changes });
  }

  putGroup(record: GroupRecord): void {
    const before = this.#groups.get(record.id);
    this.#groups.set(record.id, record);
    if (before?.epoch !== record.epoch || before.state !== record.state || before.slots !== record.slots) {
      this.#version++;
    }
  }
}

const groupStates: readonly GroupState[] = ["writable", "sealed", "draining"];
const slotStates: readonly SlotState[] = ["ok", "joining", "leaving"];
const nodeDuties: readonly NodeDuty[] = ["active", "draining", "maintenance", "removed"];

/** Numbers of the states in table `grp`. */
export function groupStateNumber(state: GroupState): number {
  return groupStates.indexOf(state);
}

/** Numbers of the states in table `grp_slot`. */
export function slotStateNumber(state: SlotState): number {
  return slotStates.indexOf(state);
}

/** Numbers of the duties in table `node`. */
export function nodeDutyNumber(duty: NodeDuty): number {
  return nodeDuties.indexOf(duty);
}

/** The slots of one group, in their order. */
export async function loadSlots(sql: Sql, group: GroupId): Promise<GroupSlot[]> {
  const rows = await sql.all<SlotRow>("SELECT grp, slot, disk, state FROM grp_slot WHERE grp = ? ORDER BY slot", group);
  return rows.map(slotOf);
}

interface SlotRow {
  readonly grp: number;
  readonly slot: number;
  readonly disk: number;
  readonly state: number;
}

function slotOf(row: SlotRow): GroupSlot {
  return { slot: row.slot, disk: parseDiskId(row.disk), state: slotStates[row.state] ?? "joining" };
}

async function loadNodes(sql: Sql): Promise<NodeRecord[]> {
  const rows = await sql.all<{
    name: string;
    credential_hash: Uint8Array;
    receipt_key: Uint8Array;
    url: string;
    boot_nonce: string;
    version: string;
    duty: number;
    duty_until: number | null;
  }>(`SELECT name, credential_hash, receipt_key, url, boot_nonce, version, duty, duty_until FROM node ORDER BY name`);
  return rows.map((row) => ({
    node: parseNodeId(row.name),
    url: row.url,
    version: row.version,
    bootNonce: row.boot_nonce,
    receiptKey: row.receipt_key,
    credentialHash: row.credential_hash,
    duty: nodeDuties[row.duty] ?? "active",
    dutyUntil: row.duty_until ?? undefined,
  }));
}

async function loadDisks(sql: Sql): Promise<DiskRecord[]> {
  const rows = await sql.all<{
    id: number;
    uuid: string;
    node: string;
    state: DiskState;
    total_bytes: number;
    free_bytes: number;
    chunks: number;
    chunk_bytes: number;
  }>("SELECT id, uuid, node, state, total_bytes, free_bytes, chunks, chunk_bytes FROM disk ORDER BY id");
  return rows.map((row) => ({
    disk: parseDiskId(row.id),
    uuid: row.uuid,
    node: parseNodeId(row.node),
    state: row.state,
    totalBytes: row.total_bytes,
    freeBytes: row.free_bytes,
    chunks: row.chunks,
    chunkBytes: row.chunk_bytes,
  }));
}

async function loadGroups(sql: Sql): Promise<GroupRecord[]> {
  const slots = await sql.all<SlotRow>("SELECT grp, slot, disk, state FROM grp_slot ORDER BY grp, slot");
  const slotsOf = new Map<number, GroupSlot[]>();
  for (const row of slots) {
    const list = slotsOf.get(row.grp) ?? [];
    list.push(slotOf(row));
    slotsOf.set(row.grp, list);
  }
  const rows = await sql.all<{
    id: number;
    copies: number;
    epoch: number;
    state: number;
    bytes: number;
    records: number;
    bytes_max: number;
    sealed_at: number | null;
  }>("SELECT id, copies, epoch, state, bytes, records, bytes_max, sealed_at FROM grp ORDER BY id");
  return rows.map((row) => ({
    id: parseGroupId(row.id),
    copies: row.copies,
    epoch: row.epoch,
    state: groupStates[row.state] ?? "sealed",
    bytes: row.bytes,
    records: row.records,
    bytesMax: row.bytes_max,
    sealedAt: row.sealed_at ?? undefined,
    slots: slotsOf.get(row.id) ?? [],
  }));
}
