import type { Disk } from "@cairn/env";
import { type DiskId, fromUtf8, type NodeId, parseDiskId, parseNodeId, StorageError, utf8 } from "@cairn/protocol";
import { readWholeFile, writeWholeFile } from "./atomic-file.ts";

const identityFile = "disk.json";
const formatVersion = 1;

/** Whose disk this is (docs/formats/disk.md). A folder without it is not a disk, and an empty mount point has none. */
export interface DiskIdentity {
  readonly cluster: string;
  readonly node: NodeId;
  readonly disk: DiskId;
  /** 32 hex digits, drawn when the disk was made. */
  readonly uuid: string;
}

/** Undefined for a folder that is not a disk yet. Throws corrupt or invalid for one that cannot be understood. */
export async function readDiskIdentity(disk: Disk): Promise<DiskIdentity | undefined> {
  const bytes = await readWholeFile(disk, identityFile);
  if (!bytes) return undefined;
  let stored: Record<string, unknown>;
  try {
    stored = JSON.parse(fromUtf8(bytes)) as Record<string, unknown>;
  } catch (cause) {
    throw new StorageError("corrupt", "read disk identity", identityFile, {
      cause,
      hint: "Restore disk.json, or remove this disk from the node.",
    });
  }
  if (stored["format"] !== formatVersion) {
    throw new StorageError("invalid", "read disk identity", `format ${String(stored["format"])}`, {
      hint: "This disk was written by a newer Cairn. Start that version.",
    });
  }
  return {
    cluster: String(stored["cluster"]),
    node: parseNodeId(String(stored["node"])),
    disk: parseDiskId(Number(stored["disk"])),
    uuid: String(stored["uuid"]),
  };
}

/**
 * The identity of the disk that is expected here. Throws not-found when the folder is no disk (an empty mount point is not
 * an empty disk), conflict when it is another one.
 */
export async function expectDiskIdentity(
  disk: Disk,
  expected: Pick<DiskIdentity, "cluster" | "node" | "uuid">,
): Promise<DiskIdentity> {
  const identity = await readDiskIdentity(disk);
  if (!identity) {
    throw new StorageError("not-found", "open disk", expected.uuid, {
      hint: "The folder has no disk.json. Is the disk mounted? A lost disk is removed from the node on purpose, never by accident.",
    });
  }
  if (identity.cluster !== expected.cluster || identity.node !== expected.node || identity.uuid !== expected.uuid) {
    throw new StorageError("conflict", "open disk", `it is disk ${identity.disk} of ${identity.node}`, {
      hint: "This folder belongs to another node, disk or cluster. Check which folder is mounted where.",
    });
  }
  return identity;
}

/** Makes a folder a disk. Throws conflict when it is one already, or holds chunks but has lost its identity. */
export async function initialiseDisk(disk: Disk, identity: DiskIdentity): Promise<void> {
  if (await disk.exists(identityFile)) {
    throw new StorageError("conflict", "initialise disk", "the folder is a disk already", {
      hint: "Use it as the disk that it is, or choose an empty folder.",
    });
  }
  await disk.makeFolder("g");
  if ((await disk.list("g")).length > 0) {
    throw new StorageError("conflict", "initialise disk", "the folder holds groups but no disk.json", {
      hint: "Restore disk.json; a folder with chunks is never taken as a new disk.",
    });
  }
  await disk.syncFolder(".");
  await writeWholeFile(disk, identityFile, [
    utf8(`${JSON.stringify({ format: formatVersion, ...identity }, null, 2)}\n`),
  ]);
}
