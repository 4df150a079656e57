import {
  asStorageError,
  type DiskId,
  type GroupId,
  isKind,
  type JobId,
  limits,
  type StorageError,
} from "@cairn/protocol";
import type { CopyStreams, ReleaseStream } from "../copy-streams.ts";
import { isGood, type Standings } from "../disk-standing.ts";
import { lostIn } from "../group-need.ts";
import type { MoveOrder, MoveRecord } from "./move-table.ts";
import { blamesTarget, type MoveParts, MoveTask } from "./move-task.ts";

interface ActiveMove {
  readonly task: MoveTask;
  stop: AbortController;
  running: Promise<void> | undefined;
  failures: number;
  /** Monotonic ms. */
  notBefore: number;
  /** Why the new disk will not do. */
  blame: StorageError | undefined;
}

const firstPauseMs = 500;
const pauseMsMax = 30_000;
/** After so many failures in a row another disk is tried. */
const failuresMax = 8;
/** A disk that a copy was given up on is not tried again for the same group so soon; ms. */
const avoidedMs = 600_000;
const avoidedMax = 10_000;

/** The moves under way: each has its row, and a task while disks have streams free. */
export class MoveDesk implements AsyncDisposable {
  readonly #parts: MoveParts;
  readonly #streams: CopyStreams;
  readonly #moves = new Map<GroupId, ActiveMove>();
  readonly #avoided = new Map<string, number>();

  constructor(parts: MoveParts, streams: CopyStreams) {
    this.#parts = parts;
    this.#streams = streams;
  }

  /** Takes up what was begun before this server started. */
  adopt(moves: readonly MoveRecord[]): void {
    for (const move of moves) this.#add(move);
  }

  moves(): readonly MoveRecord[] {
    return [...this.#moves.values()].map(({ task }) => task.move);
  }

  has(group: GroupId): boolean {
    return this.#moves.has(group);
  }

  /** Bytes that are still to come, by disk. */
  incomingBytes(): ReadonlyMap<DiskId, number> {
    const incoming = new Map<DiskId, number>();
    for (const { to, totalBytes, doneBytes } of this.moves()) {
      incoming.set(to, (incoming.get(to) ?? 0) + Math.max(0, totalBytes - doneBytes));
    }
    return incoming;
  }

  /** Whether a copy of the group on this disk was given up a short while ago. */
  isAvoided(group: GroupId, disk: DiskId): boolean {
    return (this.#avoided.get(`${group} ${disk}`) ?? 0) > this.#parts.world.env.clock.monotonic();
  }

  /** Writes the move down and begins it. False when it cannot be begun now; throws as the database does. */
  async begin(order: MoveOrder): Promise<boolean> {
    const [source] = this.#parts.work.sources(order.group, order.to);
    const free = source && this.#streams.canGive(source.disk) && this.#streams.canTake(order.to);
    if (this.#moves.has(order.group) || !free) return false;
    try {
      await this.#parts.membership.begin(order);
    } catch (error) {
      if (isKind(error, "conflict")) return false;
      throw error;
    }
    const startedAt = this.#parts.world.env.clock.now();
    this.#add({ ...order, cursor: undefined, doneBytes: 0, startedAt });
    this.startTasks();
    return true;
  }

  /** Gives every move a task that has none, as far as disks have streams free and its time has come. */
  startTasks(): void {
    const now = this.#parts.world.env.clock.monotonic();
    for (const active of this.#moves.values()) {
      if (active.running || active.notBefore > now) continue;
      const { group, to } = active.task.move;
      const [source] = this.#parts.work.sources(group, to);
      const release = source && this.#streams.take({ from: source.disk, to });
      if (!release) continue;
      active.stop = new AbortController();
      active.running = this.#run(active, release);
    }
  }

  /** Ends the moves that nobody needs any more, or whose new disk will not do. */
  async endUnwanted(standings: Standings): Promise<void> {
    for (const active of [...this.#moves.values()]) {
      const why = this.#unwanted(active, standings);
      if (why !== undefined) await this.#abandon(active, why);
    }
  }

  /** Ends the moves of a job. Tells how many. */
  async cancel(job: JobId): Promise<number> {
    const mine = [...this.#moves.values()].filter(({ task }) => task.move.job === job);
    for (const active of mine) await this.#abandon(active, `job ${job} was cancelled`);
    return mine.length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { stop } of this.#moves.values()) stop.abort();
    await Promise.all([...this.#moves.values()].map(({ running }) => running));
  }

  #add(move: MoveRecord): void {
    const task = new MoveTask(this.#parts, move);
    const stop = new AbortController();
    this.#moves.set(move.group, { task, stop, running: undefined, failures: 0, notBefore: 0, blame: undefined });
  }

  async #run(active: ActiveMove, release: ReleaseStream): Promise<void> {
    const { clock, log } = this.#parts.world.env;
    const { group } = active.task.move;
    const doneBefore = active.task.move.doneBytes;
    try {
      await active.task.run(active.stop.signal);
      this.#moves.delete(group);
    } catch (thrown) {
      const error = asStorageError(thrown, "move group");
      if (active.stop.signal.aborted) return;
      // What was copied says that the disk will do: only failures in a row count.
      active.failures = active.task.move.doneBytes > doneBefore ? 1 : active.failures + 1;
      active.notBefore = clock.monotonic() + Math.min(firstPauseMs * 2 ** active.failures, pauseMsMax);
      if (blamesTarget(error) || active.failures >= failuresMax) active.blame = error;
      log.info({ err: error, group, failures: active.failures }, "a move stopped and is tried again");
    } finally {
      release();
      active.running = undefined;
    }
  }

  #unwanted(active: ActiveMove, standings: Standings): string | undefined {
    const { move } = active.task;
    const target = standings.get(move.to);
    if (active.blame) return active.blame.message;
    if (target?.duty !== "active") return `disk ${move.to} takes no copies any more`;
    if (target.disk.state === "failed") return `disk ${move.to} has failed`;
    if (target.awayMs >= limits.downAfterMs) return `${target.node} is down`;
    return this.#needless(move, standings);
  }

  /** Why the reason for a move is gone; undefined while it stands. */
  #needless(move: MoveRecord, standings: Standings): string | undefined {
    const { core } = this.#parts.world;
    if (move.reason === "more-copies") {
      const group = core.map.group(move.group);
      const members = (group?.slots ?? []).filter((slot) => slot.state !== "joining").length;
      return members < (group?.copies ?? 0) ? undefined : "the group has its copies";
    }
    const from = move.from === undefined ? undefined : standings.get(move.from);
    if (!from || move.reason === "rebalance") return undefined;
    if (move.reason === "lost") return isGood(from) && from.duty !== "removed" ? `${from.node} is back` : undefined;
    const leaving = from.duty === "draining" || from.duty === "removed" || lostIn(from, 0) === 0;
    return leaving ? undefined : `${from.node} stays`;
  }

  async #abandon(active: ActiveMove, why: string): Promise<void> {
    const { clock } = this.#parts.world.env;
    const { move } = active.task;
    active.stop.abort();
    await active.running;
    // It may have come to its end while it was being stopped.
    if (!this.#moves.has(move.group)) return;
    try {
      await this.#parts.membership.abandon(move, why);
    } catch (error) {
      // Its transaction may have been the last thing that it did.
      if (!isKind(error, "conflict")) throw error;
    }
    this.#moves.delete(move.group);
    if (!active.blame) return;
    if (this.#avoided.size >= avoidedMax) this.#avoided.clear();
    this.#avoided.set(`${move.group} ${move.to}`, clock.monotonic() + avoidedMs);
  }
}
