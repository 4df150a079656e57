import type { Disk, Log, Random } from "@cairn/env";
import { StorageError, toHex } from "@cairn/protocol";
import { readDiskIdentity } from "../engine/index.ts";
import { readNodeFile, writeNodeFile } from "./node-files.ts";

const disksFile = "disks.json";

/** A disk of the node with its uuid, which a new one has before it is registered. */
export interface NamedDisk {
  readonly uuid: string;
  readonly disk: Disk;
}

/** Kept beside the chunks: which disks the node has, and whether each has its disk.json already. */
interface KnownDisk {
  readonly uuid: string;
  readonly ready: boolean;
}

/**
 * The uuid of each disk: its own, or one for a folder that is used for the first time. An empty folder in place of a disk
 * that the node had is taken for one that is not mounted. Throws not-found for that, conflict for two copies of a disk.
 */
export async function nameDisks(
  home: Disk,
  disks: readonly Disk[],
  { random, log, joined }: { random: Random; log: Log; joined: readonly string[] },
): Promise<NamedDisk[]> {
  const known = await knownDisks(home, joined);
  const own = await Promise.all(disks.map(async (disk) => (await readDiskIdentity(disk))?.uuid));
  const present = new Set(own.filter((uuid) => uuid !== undefined));
  if (present.size < own.filter((uuid) => uuid !== undefined).length) {
    throw new StorageError("conflict", "open disks", "two folders hold the same disk", {
      hint: "One of them is a copy of the other. Take it out of the node's disks.",
    });
  }
  refuseLost(
    known.filter(({ uuid, ready }) => ready && !present.has(uuid)),
    { empty: disks.length - present.size, log },
  );
  const promised = known.filter(({ uuid, ready }) => !ready && !present.has(uuid)).map(({ uuid }) => uuid);
  const named = disks.map((disk, index) => ({ disk, uuid: own[index] ?? promised.shift() ?? newUuid(random) }));
  // Before anybody else hears of them: a start that ends in between goes on with the same uuids.
  await keep(
    home,
    named.map(({ uuid }) => ({ uuid, ready: present.has(uuid) })),
    known,
  );
  return named;
}

/** From now on a missing disk.json of these means that the disk is not mounted. */
export async function disksAreReady(home: Disk, disks: readonly NamedDisk[]): Promise<void> {
  await keep(
    home,
    disks.map(({ uuid }) => ({ uuid, ready: true })),
    await knownDisks(home, []),
  );
}

/** 32 hex digits of chance: a disk's uuid, a boot nonce. */
export function newUuid(random: Random): string {
  return toHex(random.bytes(16));
}

async function knownDisks(home: Disk, joined: readonly string[]): Promise<readonly KnownDisk[]> {
  const stored = await readNodeFile<{ disks?: readonly KnownDisk[] }>(home, disksFile);
  return stored?.disks ?? joined.map((uuid) => ({ uuid, ready: true }));
}

/** Disks that are gone stay known: when they come back they are themselves. */
async function keep(home: Disk, disks: readonly KnownDisk[], known: readonly KnownDisk[]): Promise<void> {
  const gone = known.filter(({ uuid, ready }) => ready && disks.every((disk) => disk.uuid !== uuid));
  const wanted = { disks: [...disks, ...gone] };
  if (JSON.stringify(wanted.disks) !== JSON.stringify(known)) await writeNodeFile(home, disksFile, wanted);
}

function refuseLost(lost: readonly KnownDisk[], { empty, log }: { empty: number; log: Log }): void {
  const uuids = lost.map(({ uuid }) => uuid);
  if (lost.length > 0 && empty > 0) {
    throw new StorageError(
      "not-found",
      "open disk",
      `disk ${uuids.join(", ")} is gone, and a folder has no disk.json`,
      {
        hint: "Is the disk mounted? To give up a disk take its folder out of the node's disks first; then add the new one.",
        details: { disks: uuids },
      },
    );
  }
  if (lost.length > 0) log.warn({ disks: uuids }, "disks that the node had are not among its disks any more");
}
