import type { Disk, Env } from "@cairn/env";
import {
  chunkIdFromHash,
  type DiskId,
  type ExactChunk,
  type Generation,
  type GroupId,
  parseDiskId,
  parseGroupId,
} from "@cairn/protocol";
import { DiskEngine, readDiskIdentity } from "@cairn/storage-node";
import type { DiskImage } from "../disk/disk-image.ts";
import { MemoryDisk } from "../disk/memory-disk.ts";
import { digestOf } from "../workload/contents.ts";
import { Life } from "../world/life.ts";
import { processEnv } from "../world/process-env.ts";
import { RunLog } from "../world/run-log.ts";
import { Timeline } from "../world/timeline.ts";
import type { World } from "../world/world.ts";

/** A chunk that versions may need, and how many of its group's members have it whole. */
export interface ChunkCopies {
  readonly id: string;
  readonly group: GroupId;
  readonly generation: Generation;
  readonly refs: number;
  /** Copies that its group is to have. */
  readonly wanted: number;
  readonly good: readonly DiskId[];
  readonly members: readonly DiskId[];
}

/** What lies on the disks of a world, held against its database. */
export interface Examination {
  readonly chunks: readonly ChunkCopies[];
  /** Records on disks whose generation no row knows and whose lease is closed. */
  readonly orphans: readonly string[];
  /** Of records that no row knows and that may still be committed, since their lease is open: the fewest sound copies. */
  readonly looseCopiesMin: number;
}

/**
 * Opens a copy of every disk that is not gone for good, as it is at this moment, and reads every copy of every live chunk.
 * The world stands still meanwhile and does not notice.
 */
export async function examine(world: World): Promise<Examination> {
  const engines = await openAll(world);
  return {
    chunks: await chunkCopies(world, engines),
    ...(await unknownRecords(world, engines)),
  };
}

/** Whether any disk that is not gone for good has a sound copy of a chunk, member of its group or not. */
export async function isAnywhere(world: World, chunk: string): Promise<boolean> {
  for (const engine of (await openAll(world)).values()) {
    for await (const { group, id, generation } of recordsOf(engine)) {
      if (id === chunk && (await engine.check(group, id, generation)) === "sound") return true;
    }
  }
  return false;
}

/** Places on disks in which a start finds no whole record, or knows of none. */
export async function damagedPlaces(world: World): Promise<readonly string[]> {
  const places: string[] = [];
  for (const [disk, engine] of await openAll(world)) {
    for (const { group } of engine.digests()) {
      for (const { segment, offset } of engine.quarantined(group)) {
        places.push(`disk ${disk} group ${group} segment ${segment} at ${offset}`);
      }
    }
  }
  return places;
}

async function openAll(world: World): Promise<ReadonlyMap<DiskId, DiskEngine>> {
  const engines = new Map<DiskId, DiskEngine>();
  for (const { platter } of world.nodes.filter(({ gone }) => !gone).flatMap(({ disks }) => disks)) {
    const engine = await openCopy(world, platter.image());
    if (engine) engines.set(engine.identity.disk, engine);
  }
  return engines;
}

async function openCopy(world: World, image: DiskImage): Promise<DiskEngine | undefined> {
  const disk: Disk = new MemoryDisk({ image });
  const identity = await readDiskIdentity(disk);
  if (!identity || identity.cluster !== world.metadata.keys.cluster) return undefined;
  return DiskEngine.open(quietEnv(world), disk, { expected: identity });
}

/** Time that stands still, apart from the world's. */
function quietEnv(world: World): Env {
  const timeline = new Timeline();
  const life = new Life(timeline);
  return processEnv({
    ...{ name: "examiner", timeline, life, wall: { offsetMs: 0, jumpedAt: 0 }, random: world.will },
    network: world.network.of("examiner", life),
    log: new RunLog(timeline),
    unforeseen: () => undefined,
    crashPoint: () => undefined,
  });
}

interface ChunkRow {
  readonly hash: Uint8Array;
  readonly generation: Generation;
  readonly grp: number;
  readonly refs: number;
  readonly copies: number;
}

async function chunkCopies(world: World, engines: ReadonlyMap<DiskId, DiskEngine>): Promise<ChunkCopies[]> {
  const { rows, slots } = await world.metadata.database.read(async (sql) => ({
    rows: await sql.all<ChunkRow>(
      "SELECT hash, generation, grp, refs, copies FROM chunk JOIN grp ON grp.id = chunk.grp WHERE chunk.state = 0 ORDER BY hash",
    ),
    slots: await sql.all<{ grp: number; disk: number; state: number }>("SELECT grp, disk, state FROM grp_slot"),
  }));
  const membersOf = new Map<number, DiskId[]>();
  for (const { grp, disk, state } of slots) {
    if (state === 1) continue;
    const members = membersOf.get(grp) ?? [];
    members.push(parseDiskId(disk));
    membersOf.set(grp, members);
  }
  const found: ChunkCopies[] = [];
  for (const row of rows) {
    const id = chunkIdFromHash(row.hash);
    const group = parseGroupId(row.grp);
    const members = membersOf.get(row.grp) ?? [];
    const good: DiskId[] = [];
    for (const disk of members) {
      const engine = engines.get(disk);
      if ((await engine?.check(group, id, row.generation)) !== "sound") continue;
      // Also what was damaged before it was written, and has the CRCs of the damage.
      const { bytes } = (await engine?.read(group, id)) ?? {};
      if (bytes && digestOf(bytes) === id) good.push(disk);
    }
    found.push({ id, group, generation: row.generation, refs: row.refs, wanted: row.copies, good, members });
  }
  return found;
}

async function unknownRecords(
  world: World,
  engines: ReadonlyMap<DiskId, DiskEngine>,
): Promise<Pick<Examination, "orphans" | "looseCopiesMin">> {
  const { rows, open, removed } = await world.metadata.database.read(async (sql) => ({
    rows: await sql.all<{ hash: Uint8Array; generation: number }>(
      "SELECT hash, generation FROM chunk UNION SELECT hash, generation FROM condemned",
    ),
    open: await sql.all<{ id: number }>("SELECT id FROM lease WHERE state = 0"),
    removed: await sql.all<{ id: number }>(
      "SELECT id FROM disk JOIN node ON node.name = disk.node WHERE node.duty = 3",
    ),
  }));
  const known = new Set(rows.map(({ hash, generation }) => `${chunkIdFromHash(hash)} ${generation}`));
  // Nobody may clear a node that was removed, even when the answer to its removal was lost and its machine goes on.
  const shutOut = new Set(removed.map(({ id }) => id));
  const openLeases = new Set(open.map(({ id }) => id));
  const orphans: string[] = [];
  const loose = new Map<string, number>();
  for (const [disk, engine] of engines) {
    if (shutOut.has(disk)) continue;
    for await (const { group, id, generation } of recordsOf(engine)) {
      const key = `${id} ${generation}`;
      if (known.has(key)) continue;
      if (openLeases.has(Math.floor(generation / 2 ** 24))) {
        const sound = (await engine.check(group, id, generation)) === "sound" ? 1 : 0;
        loose.set(key, (loose.get(key) ?? 0) + sound);
      } else orphans.push(`disk ${disk} group ${group} chunk ${id.slice(0, 8)} generation ${generation}`);
    }
  }
  return { orphans, looseCopiesMin: Math.min(...loose.values()) };
}

async function* recordsOf(engine: DiskEngine): AsyncGenerator<ExactChunk> {
  for (const { group } of engine.digests()) {
    let cursor: string | undefined;
    do {
      const page = await engine.inventory(group, cursor, 1000);
      for (const { id, generation } of page.chunks) yield { group, id, generation };
      cursor = page.cursor;
    } while (cursor !== undefined);
  }
}
