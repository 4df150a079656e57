import type { Sql } from "@cairn/env";
import {
  type DiskId,
  type DiskState,
  type NodeId,
  parseDiskId,
  parseNodeId,
  type RegisterRequest,
  StorageError,
} from "@cairn/protocol";
import type { DiskRecord } from "../cluster/cluster-map.ts";
import { takeNumbers } from "../cluster/number-source.ts";

const disksPerNodeMax = 128;
const textLengthMax = 200;

/** Throws invalid for what no node of ours sends. */
export function checkRegisterRequest(request: RegisterRequest): void {
  const wrong = (why: string): StorageError =>
    new StorageError("invalid", "register node", why, {
      hint: "Node and metadata server may be of different versions.",
    });
  if (!isShaped(request)) throw wrong("it does not have the fields of a registration");
  if (!/^https?:\/\/[^\s/?#]+$/.test(request.url) || request.url.length > textLengthMax) {
    throw wrong(`${request.url.slice(0, 80)} is not a base URL such as http://10.0.0.5:7071`);
  }
  if (request.bootNonce.length < 8 || request.bootNonce.length > textLengthMax)
    throw wrong("its boot nonce has no sound length");
  if (request.version.length > textLengthMax) throw wrong("its version is too long");
  if (request.disks.length > disksPerNodeMax) throw wrong(`${request.disks.length} disks; at most ${disksPerNodeMax}`);
  const uuids = new Set(request.disks.map((disk) => disk.uuid));
  if (uuids.size !== request.disks.length) throw wrong("two of its disks have one uuid");
  for (const disk of request.disks) {
    if (disk.uuid === "" || disk.uuid.length > textLengthMax) throw wrong("the uuid of a disk has no sound length");
    if (!isByteCount(disk.totalBytes) || !isByteCount(disk.freeBytes)) throw wrong(`the sizes of disk ${disk.uuid}`);
  }
}

/** The first free `node-N`. A name that was ever given is in the table for good and never free again. */
export async function nextFreeName(sql: Sql): Promise<NodeId> {
  const rows = await sql.all<{ name: string }>("SELECT name FROM node WHERE name LIKE 'node-%'");
  const taken = new Set(rows.map((row) => row.name));
  let number = 1;
  while (taken.has(`node-${number}`)) number++;
  return parseNodeId(`node-${number}`);
}

/**
 * Makes the disks of a registration known and tells all disks of the node as they are now. A disk of the node that was
 * not brought along counts as failed until it is there again: its copies cannot be read, and nothing is concluded from
 * their absence. Throws conflict when a disk belongs to another node.
 */
export async function settleDisks(sql: Sql, node: NodeId, disks: RegisterRequest["disks"]): Promise<DiskRecord[]> {
  const records: DiskRecord[] = [];
  for (const disk of disks) {
    const row = await sql.get<{ id: number; node: string; state: DiskState; chunks: number; chunk_bytes: number }>(
      "SELECT id, node, state, chunks, chunk_bytes FROM disk WHERE uuid = ?",
      disk.uuid,
    );
    if (row && row.node !== node) {
      throw new StorageError("conflict", "register node", `disk ${disk.uuid} belongs to ${row.node}, not to ${node}`, {
        hint: `Put the disk back into ${row.node}, or start this process with the data folder and credential of ${row.node}.`,
        details: { disk: row.id, owner: row.node },
      });
    }
    const id = row?.id ?? (await takeNumbers(sql, "next_disk", 1));
    const state = stateUntilReported(row?.state);
    await sql.run(
      `INSERT INTO disk (id, uuid, node, state, total_bytes, free_bytes, chunks, chunk_bytes) VALUES (?, ?, ?, ?, ?, ?, 0, 0)
       ON CONFLICT (id) DO UPDATE SET state = excluded.state, total_bytes = excluded.total_bytes, free_bytes = excluded.free_bytes`,
      id,
      disk.uuid,
      node,
      state,
      disk.totalBytes,
      disk.freeBytes,
    );
    const { uuid, totalBytes, freeBytes } = disk;
    const counts = { chunks: row?.chunks ?? 0, chunkBytes: row?.chunk_bytes ?? 0 };
    records.push({ disk: parseDiskId(id), uuid, node, state, totalBytes, freeBytes, ...counts });
  }
  return records;
}

/** Marks the disks that a node did not bring along. */
export async function markMissing(sql: Sql, disks: readonly DiskId[]): Promise<void> {
  for (const disk of disks) await sql.run("UPDATE disk SET state = 'failed' WHERE id = ?", disk);
}

/** A registration does not say how a disk is; the first heartbeat does. Until then nothing is written to one that had failed. */
function stateUntilReported(before: DiskState | undefined): DiskState {
  return before === "failed" ? "suspect" : (before ?? "ok");
}

/** It comes from the wire, from somebody who has not shown a secret yet. */
function isShaped(request: Partial<RegisterRequest> | null | undefined): boolean {
  const texts = [request?.secret, request?.bootNonce, request?.url, request?.version];
  const node = request?.node ?? undefined;
  if (node !== undefined) parseNodeId(String(node));
  return (
    texts.every((text) => typeof text === "string") &&
    Array.isArray(request?.disks) &&
    request.disks.every((disk) => typeof disk === "object" && disk !== null && typeof disk.uuid === "string")
  );
}

function isByteCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
