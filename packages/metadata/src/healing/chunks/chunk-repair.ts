import { asStorageError, type DiskId, type GroupId, isKind } from "@cairn/protocol";
import type { CopyStreams } from "../copy-streams.ts";
import type { CopyWork } from "../copy-work.ts";
import { isGood, type Standings, standingsOf } from "../disk-standing.ts";
import { extraCopiesOf } from "../extra-copies.ts";
import { type NeededChunk, oneOrder } from "../group-chunks.ts";
import type { HealingWorld } from "../healing-world.ts";
import { LostChunks } from "./lost-chunks.ts";
import {
  deleteRepairs,
  type RepairRow,
  type RepairUnit,
  repairPage,
  repairUnits,
  spreadRepair,
} from "./repair-rows.ts";

export interface ChunkRepairParts {
  readonly world: HealingWorld;
  readonly work: CopyWork;
  readonly streams: CopyStreams;
  /** Throws unavailable while nothing may be repaired. Asked before every order. */
  readonly assertAllowed: () => void;
}

/** One disk's rows of one page. */
interface Batch {
  readonly disk: DiskId;
  readonly rows: readonly RepairRow[];
}

const rowsPerPage = 512;
/** Units that are worked on at the same time. */
const unitsAtOnce = 4;
/** What nobody could give is asked for again after this; ms. */
const pauseMs = 15_000;

/**
 * Mends single copies: those that readers, scrubs and comparisons found damaged or missing, and those that a commit left
 * behind when its group changed meanwhile. The disk gets a copy from another one, unless it has a sound one itself; then
 * the report was wrong. What nobody can give waits for those who cannot be asked; when all were asked it is lost.
 */
export class ChunkRepair {
  readonly #parts: ChunkRepairParts;
  readonly #lost: LostChunks;
  /** Monotonic ms before which a disk is not asked for a group again. */
  readonly #later = new Map<string, number>();

  constructor(parts: ChunkRepairParts) {
    this.#parts = parts;
    this.#lost = new LostChunks(parts.world, parts.work);
  }

  /** One look at everything that waits, the most urgent first. */
  async round(signal: AbortSignal): Promise<void> {
    const { world } = this.#parts;
    const now = world.env.clock.monotonic();
    for (const [key, until] of this.#later) if (until <= now) this.#later.delete(key);
    const units = (await world.database.read(repairUnits)).values();
    const worker = async (): Promise<void> => {
      for (const unit of units) if (!signal.aborted) await this.#tryUnit(unit, signal);
    };
    await Promise.all(Array.from({ length: unitsAtOnce }, worker));
  }

  async #tryUnit(unit: RepairUnit, signal: AbortSignal): Promise<void> {
    try {
      await this.#repairUnit(unit, signal);
    } catch (error) {
      if (!isKind(error, "unavailable", "overloaded", "cancelled", "conflict")) throw error;
    }
  }

  async #repairUnit(unit: RepairUnit, signal: AbortSignal): Promise<void> {
    const { world, assertAllowed } = this.#parts;
    let mended = 0;
    let after: RepairRow | undefined;
    do {
      assertAllowed();
      const place = after;
      const rows = await world.database.read((sql) => repairPage(sql, unit, place, rowsPerPage));
      const standings = standingsOf({ ...world.core, clock: world.env.clock });
      for (const batch of await this.#batchesOf(unit.group, rows)) {
        mended += await this.#repairBatch(unit, batch, { standings, signal });
      }
      after = rows.length === rowsPerPage ? rows.at(-1) : undefined;
    } while (after && !signal.aborted);
    if (mended > 0) await this.#tell(unit.group, mended);
  }

  /** Puts aside what nobody needs, gives each member its own row, and sorts the rest by disk. */
  async #batchesOf(group: GroupId, rows: readonly RepairRow[]): Promise<readonly Batch[]> {
    const { core, env } = this.#parts.world;
    const slots = core.map.group(group)?.slots ?? [];
    const members = new Set<number>(slots.map((slot) => slot.disk));
    const needless = rows.filter((row) => !row.needed || (row.disk !== 0 && !members.has(row.disk)));
    const open = rows.filter((row) => !needless.includes(row) && row.reason !== "lost");
    const anywhere = open.filter((row) => row.disk === 0);
    if (needless.length + anywhere.length > 0) {
      // A disk that leaves was a member when the chunk was written: it needs nothing.
      const disks = slots.filter((slot) => slot.state !== "leaving").map((slot) => slot.disk);
      await core.leaderWrites.run(async (sql) => {
        await deleteRepairs(sql, needless);
        for (const row of anywhere) await spreadRepair(sql, row, { disks, now: env.clock.now() });
      });
    }
    const byDisk = new Map<DiskId, RepairRow[]>();
    for (const row of open) if (row.disk !== 0) byDisk.set(row.disk, [...(byDisk.get(row.disk) ?? []), row]);
    return [...byDisk].map(([disk, of]) => ({ disk, rows: of }));
  }

  async #repairBatch(
    unit: RepairUnit,
    { disk, rows }: Batch,
    { standings, signal }: { readonly standings: Standings; readonly signal: AbortSignal },
  ): Promise<number> {
    const key = `${unit.group} ${disk}`;
    const { world, work, streams } = this.#parts;
    if (this.#later.has(key) || !isGood(standings.get(disk))) return 0;
    const extras = (await world.database.read((sql) => extraCopiesOf(sql, unit.group))).map((extra) => extra.disk);
    const [source] = work.sources(unit.group, disk, extras);
    const release = source && streams.take({ from: source.disk, to: disk });
    if (!release) return 0;
    let mended = 0;
    const unobtainable: NeededChunk[] = [];
    try {
      for (let left = rows; left.length > 0 && !signal.aborted; ) {
        this.#parts.assertAllowed();
        const some = left.slice(0, oneOrder(left.map((row) => row.chunk)).length);
        const done = await this.#order(some, { disk, extras }, signal);
        mended += done.mended;
        unobtainable.push(...done.unobtainable);
        if (done.failed) this.#pause(key);
        left = left.slice(some.length);
      }
    } catch (error) {
      this.#pause(key);
      throw asStorageError(error, "repair chunks");
    } finally {
      release();
    }
    if (unobtainable.length === 0) return mended;
    this.#pause(key);
    for (let left: readonly NeededChunk[] = unobtainable; left.length > 0; ) {
      const some = oneOrder(left);
      await this.#lost.judge(unit, some, signal);
      left = left.slice(some.length);
    }
    return mended;
  }

  async #order(
    rows: readonly RepairRow[],
    { disk, extras }: { readonly disk: DiskId; readonly extras: readonly DiskId[] },
    signal: AbortSignal,
  ): Promise<{ mended: number; unobtainable: readonly NeededChunk[]; failed: boolean }> {
    const { world, work } = this.#parts;
    const group = rows[0]?.group as GroupId;
    const chunks = rows.map((row) => row.chunk);
    const report = await work.copy({ group, to: disk, chunks, extras }, signal);
    const copied = new Set(report.copied.map(({ chunk }) => chunk));
    const settled = rows.filter((row) => copied.has(row.chunk));
    if (settled.length > 0) await world.core.leaderWrites.run((sql) => deleteRepairs(sql, settled));
    const refused = report.unobtainable.filter(({ kind }) => kind === "stale");
    if (refused.length > 0) {
      world.env.log.error({ group, disk, chunks: refused.length }, "a disk has deleted chunks that are needed");
    }
    return {
      mended: report.copied.filter(({ fetchedBytes }) => fetchedBytes > 0).length,
      unobtainable: report.unobtainable.map(({ chunk }) => chunk),
      failed: report.error !== undefined,
    };
  }

  #pause(key: string): void {
    this.#later.set(key, this.#parts.world.env.clock.monotonic() + pauseMs);
  }

  async #tell(group: GroupId, mended: number): Promise<void> {
    await this.#parts.world.core.events.tell({
      severity: "info",
      kind: "chunks.repaired",
      subject: `group ${group}`,
      message: `copies of chunks that were damaged or missing were replaced: ${mended}`,
      details: { group, copies: mended },
    });
  }
}
