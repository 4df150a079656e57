import { type ChunkId, limits, StorageError } from "@cairn/protocol";
import { compareCopy } from "../copy-comparison.ts";
import type { CopyWork } from "../copy-work.ts";
import { beforeAll, type NeededChunk, neededChunks, oneOrder } from "../group-chunks.ts";
import type { GroupMembership } from "../group-membership.ts";
import type { HealingWorld } from "../healing-world.ts";
import { queueMissing } from "../missing-copies.ts";
import type { NodeOrders } from "../node-orders.ts";
import { type MoveRecord, saveProgress } from "./move-table.ts";

export interface MoveParts {
  readonly world: HealingWorld;
  readonly orders: NodeOrders;
  readonly work: CopyWork;
  readonly membership: GroupMembership;
  /** Throws unavailable while nothing may be moved. Asked before every step. */
  readonly assertAllowed: () => void;
}

/** Progress is kept after so many orders: a restart repeats at most these, and what is there is not sent again. */
const ordersPerSave = 8;
/** A comparison that finds something missing is followed by a copy of it and another comparison, so often at most in one go. */
const roundsMax = 4;

/**
 * One move from where it stands to its end: copies the chunks in the order of their hashes, compares the new copy with
 * what the group needs, and only then lets the disks change places. It may be stopped anywhere and begun again.
 */
export class MoveTask {
  readonly #parts: MoveParts;
  #move: MoveRecord;
  /** Chunks that nobody could give, for the log. */
  readonly #given = new Set<ChunkId>();

  constructor(parts: MoveParts, move: MoveRecord) {
    this.#parts = parts;
    this.#move = move;
  }

  get move(): MoveRecord {
    return this.#move;
  }

  /**
   * Ends when the move is complete. Throws when it has to be tried again later: unavailable, conflict; no-space when the new disk
   * is full; stale when another server leads.
   */
  async run(signal: AbortSignal): Promise<void> {
    await this.#copyAll(signal);
    for (let round = 0; round < roundsMax; round++) {
      this.#assertGoing(signal);
      const { group, to } = this.#move;
      const epoch = this.#parts.world.core.map.group(group)?.epoch ?? 0;
      const { missing, bytes } = await compareCopy(
        { ...this.#parts.world, ...this.#parts },
        { group, disk: to },
        signal,
      );
      if (missing.length === 0) {
        this.#assertGoing(signal);
        await this.#parts.membership.complete({ ...this.#move, totalBytes: bytes }, epoch);
        return;
      }
      await this.#copyThese(missing, signal);
    }
    throw new StorageError("unavailable", "move group", `the copy of group ${this.#move.group} is not complete yet`);
  }

  async #copyAll(signal: AbortSignal): Promise<void> {
    const { world } = this.#parts;
    for (let orders = 1; ; orders++) {
      this.#assertGoing(signal);
      const { group, cursor } = this.#move;
      const range = { after: cursor ?? beforeAll, limit: limits.copyChunksMax };
      const chunks = oneOrder(await world.database.read((sql) => neededChunks(sql, group, range)));
      const last = chunks.at(-1);
      if (last) await this.#copy(chunks, signal);
      if (last) this.#move = { ...this.#move, cursor: last.hash, doneBytes: this.#move.doneBytes + bytesOf(chunks) };
      if (!last || orders % ordersPerSave === 0) await this.#save();
      if (!last) return;
    }
  }

  /** What a comparison missed: committed behind the cursor, or lost by the new disk since. */
  async #copyThese(chunks: readonly NeededChunk[], signal: AbortSignal): Promise<void> {
    for (let left = chunks; left.length > 0; ) {
      this.#assertGoing(signal);
      const some = oneOrder(left);
      await this.#copy(some, signal);
      left = left.slice(some.length);
    }
  }

  /** Throws unless each chunk is on the new disk, or nobody has it and its repair is queued. */
  async #copy(chunks: readonly NeededChunk[], signal: AbortSignal): Promise<void> {
    const { group, to } = this.#move;
    const report = await this.#parts.work.copy({ group, to, chunks }, signal);
    if (report.unobtainable.length > 0) await this.#queue(report.unobtainable.map(({ chunk }) => chunk));
    if (report.error) throw report.error;
  }

  /**
   * The move goes on without what nobody can give now; the row keeps it from being forgotten, and keeps every other copy
   * of the group, the old one too, from being dropped.
   */
  async #queue(chunks: readonly NeededChunk[]): Promise<void> {
    const { env } = this.#parts.world;
    const { group, to } = this.#move;
    await queueMissing(this.#parts.world, { group, disk: to }, chunks);
    const news = chunks.filter(({ id }) => !this.#given.has(id));
    for (const { id } of news) this.#given.add(id);
    if (news.length > 0) {
      env.log.warn(
        { group, disk: to, chunks: news.length },
        "no member could give some chunks; their repair is queued",
      );
    }
  }

  async #save(): Promise<void> {
    const move = this.#move;
    const stands = await this.#parts.world.core.leaderWrites.run((sql) => saveProgress(sql, move));
    if (!stands) throw new StorageError("conflict", "move group", `the move of group ${move.group} was ended`);
  }

  #assertGoing(signal: AbortSignal): void {
    if (signal.aborted) throw new StorageError("cancelled", "move group", `group ${this.#move.group}`);
    this.#parts.assertAllowed();
  }
}

/** True for failures that say something about the new disk, and not about the moment. */
export function blamesTarget(error: StorageError): boolean {
  // A conflict of its node says that it has the group on another disk; one of ours that the group has changed.
  const kinds = ["no-space", "not-found", "invalid", "forbidden", "conflict"];
  return kinds.includes(error.kind) && error.operation !== "change group" && error.operation !== "move group";
}

function bytesOf(chunks: readonly NeededChunk[]): number {
  return chunks.reduce((sum, chunk) => sum + chunk.length, 0);
}
