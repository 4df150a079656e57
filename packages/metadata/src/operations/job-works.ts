import { type DriveId, isKind, type JobKind, type NodeId, parseId, parseNodeId, StorageError } from "@cairn/protocol";
import type { ClusterView, ViewedGroup } from "./cluster-view.ts";
import type { JobRound, JobWork } from "./job-runner.ts";
import type { StoredJob } from "./job-table.ts";
import type { Machinery } from "./machinery.ts";
import { planRebalance } from "./plan-moves.ts";

export interface JobWorld extends Machinery {
  readonly view: () => Promise<ClusterView>;
  /** Copies that groups are to have: the most that any drive asks for. */
  readonly wantedCopies: () => Promise<number>;
}

/** Groups whose copies are changed in one round. */
const changesPerRound = 64;

/** How each kind of job is done. */
export function jobWorks(world: JobWorld): Readonly<Record<JobKind, JobWork>> {
  return {
    drain: new Leaving(world, "drain"),
    remove: new Leaving(world, "remove"),
    rebalance: new Rebalance(world),
    "change-copies": new ChangeCopies(world),
    scrub: new Scrub(world),
    collect: new Collect(world),
    lifecycle: new Expire(world),
  };
}

/** A node gives its groups away; healing moves them as long as the node's duty says so. */
class Leaving implements JobWork {
  readonly #world: JobWorld;
  readonly #kind: "drain" | "remove";

  constructor(world: JobWorld, kind: "drain" | "remove") {
    this.#world = world;
    this.#kind = kind;
  }

  async round(job: StoredJob): Promise<JobRound> {
    const { healing } = this.#world;
    const node = nodeOf(job);
    // An order that was cut off between the job and the duty is carried out now.
    if (healing.duty(node) === "active" || healing.duty(node) === "maintenance")
      await healing.setDuty(node, "draining");
    const view = await this.#world.view();
    const left = groupsOn(view, node);
    const leftBytes = left.reduce((sum, group) => sum + group.bytes, 0);
    const progress = progressFrom(job, left.length, leftBytes);
    if (left.length > 0) {
      const { state, reason } = await healing.repairStatus();
      const halted = state === "paused" || state === "safe-mode" || state === "storm-brake";
      const still = `${left.length} groups are still on ${node}`;
      const why = state === "waiting" ? `${still}; repair waits: ${reason}` : still;
      return { progress, message: halted ? `waiting: ${reason}` : why };
    }
    if (this.#kind === "drain") return { progress, message: `${node} is empty and may be removed`, end: "done" };
    await healing.setDuty(node, "removed");
    return { progress, message: `${node} is removed`, end: "done" };
  }

  async stop(job: StoredJob): Promise<void> {
    const node = nodeOf(job);
    if (this.#world.healing.duty(node) === "draining") await this.#world.healing.setDuty(node, "active");
  }
}

/** Moves from disks above their share to disks below it, planned anew each round from where the groups are by then. */
class Rebalance implements JobWork {
  readonly #world: JobWorld;

  constructor(world: JobWorld) {
    this.#world = world;
  }

  async round(job: StoredJob): Promise<JobRound> {
    const { healing } = this.#world;
    const view = await this.#world.view();
    const { moves: underWay, state, reason } = await healing.repairStatus();
    const mine = underWay.filter((move) => move.job === job.id);
    const planned = planRebalance(afterMoves(view, mine));
    const left = planned.length + mine.length;
    const leftBytes =
      planned.reduce((sum, move) => sum + move.bytes, 0) +
      mine.reduce((sum, move) => sum + Math.max(0, move.totalBytes - move.doneBytes), 0);
    const progress = progressFrom(job, left, leftBytes);
    if (left === 0) return { progress, message: "every disk has its share", end: "done" };
    if (state === "paused" || state === "safe-mode" || state === "storm-brake")
      return { progress, message: `waiting: ${reason}` };
    for (const { group, from, to } of planned) {
      if (from !== undefined && !(await healing.startMove({ group, from, to, job: job.id }))) break;
    }
    return { progress, message: `${left} groups are still to move` };
  }

  async stop(job: StoredJob): Promise<void> {
    await this.#world.healing.cancelMoves(job.id);
  }
}

/** Groups get as many copies as the drive asks for. New data has them from the start: this is for what is there. */
class ChangeCopies implements JobWork {
  readonly #world: JobWorld;

  constructor(world: JobWorld) {
    this.#world = world;
  }

  async round(job: StoredJob): Promise<JobRound> {
    const copies = await this.#world.wantedCopies();
    const view = await this.#world.view();
    const unlike = [...view.groups.values()].filter((group) => group.copies !== copies);
    for (const { id } of unlike.slice(0, changesPerRound)) await this.#world.healing.setGroupCopies(id, copies);
    const left = [...view.groups.values()].filter((group) => group.disks.length !== copies || group.copies !== copies);
    const leftBytes = left.reduce((sum, group) => sum + group.bytes * Math.max(0, copies - group.disks.length), 0);
    const progress = progressFrom(job, left.length, leftBytes);
    if (left.length === 0) return { progress, message: `every group has ${copies} copies`, end: "done" };
    return { progress, message: `${left.length} groups do not have ${copies} copies yet` };
  }

  /** New data keeps the new number of copies; groups that were not reached stay as they are. */
  async stop(): Promise<void> {}
}

/** The nodes read their disks from the beginning; done when each that was told has finished a pass since. */
class Scrub implements JobWork {
  readonly #world: JobWorld;

  constructor(world: JobWorld) {
    this.#world = world;
  }

  async round(job: StoredJob): Promise<JobRound> {
    const passes = this.#world.scrub.status();
    const { disks, nodes } = await this.#world.view();
    const wanted = [...disks.values()].filter(
      ({ node, state }) =>
        nodes.get(node)?.health === "online" && nodes.get(node)?.duty !== "removed" && state !== "failed",
    );
    const done = wanted.filter(({ disk }) => {
      const pass = passes.find((one) => one.disk === disk);
      return (pass?.passFinishedAt ?? 0) >= job.createdAt;
    });
    const running = passes.filter((pass) => wanted.some(({ disk }) => disk === pass.disk));
    const bytes = running.reduce(
      (sum, pass) => sum + ((pass.passFinishedAt ?? 0) >= job.createdAt ? pass.totalBytes : pass.checkedBytes),
      0,
    );
    const progress = {
      doneItems: done.length,
      totalItems: wanted.length,
      doneBytes: bytes,
      totalBytes: running.reduce((sum, pass) => sum + pass.totalBytes, 0),
    };
    if (wanted.length > 0 && done.length === wanted.length)
      return { progress, message: "every disk was read in full", end: "done" };
    return { progress, message: `${wanted.length - done.length} disks are being read` };
  }

  /** A scrub that was begun does no harm by going on. */
  async stop(): Promise<void> {}
}

class Collect implements JobWork {
  readonly roundIsWhole = true;
  readonly #world: JobWorld;

  constructor(world: JobWorld) {
    this.#world = world;
  }

  async round(job: StoredJob, signal: AbortSignal): Promise<JobRound> {
    const { deletedChunks, deletedBytes } = await this.#world.collection.runNow(signal);
    const progress = {
      doneItems: job.doneItems + deletedChunks,
      totalItems: job.doneItems + deletedChunks,
      doneBytes: job.doneBytes + deletedBytes,
      totalBytes: job.doneBytes + deletedBytes,
    };
    const deleted = `${progress.doneItems} chunks were deleted`;
    const freeing = await this.#free();
    return { progress, message: `${deleted}; ${freeing}`, end: "done" };
  }

  /** Who runs the collection wants the room: the nodes do not wait for their next look. */
  async #free(): Promise<string> {
    try {
      return `${await this.#world.compaction.start()} nodes free what may go by now`;
    } catch (error) {
      if (!isKind(error, "unavailable")) throw error;
      return "no node could be told to free them; each does so with its next look";
    }
  }

  /** The run under way ends by itself. */
  async stop(): Promise<void> {}
}

/** Objects and uploads go whose time has come by the rules of their bucket. */
class Expire implements JobWork {
  readonly #world: JobWorld;

  constructor(world: JobWorld) {
    this.#world = world;
  }

  async round(job: StoredJob, signal: AbortSignal): Promise<JobRound> {
    const { removed, message, done } = await this.#world.lifecycle.round(driveOf(job), signal);
    const progress = { doneItems: removed, totalItems: removed, doneBytes: 0, totalBytes: 0 };
    return { progress, message, end: done ? "done" : undefined };
  }

  /** It goes on with the next day. */
  async stop(): Promise<void> {}
}

/** The view as it will be when these moves are done. */
function afterMoves(
  view: ClusterView,
  moves: readonly {
    readonly group: ViewedGroup["id"];
    readonly from: ViewedGroup["disks"][number] | undefined;
    readonly to: ViewedGroup["disks"][number];
  }[],
): ClusterView {
  if (moves.length === 0) return view;
  const groups = new Map(view.groups);
  for (const { group: id, from, to } of moves) {
    const group = groups.get(id);
    if (!group) continue;
    const disks = [...group.disks.filter((disk) => disk !== from && disk !== to), to];
    groups.set(id, { ...group, disks, joining: group.joining.filter((disk) => disk !== to) });
  }
  return { ...view, groups };
}

function groupsOn(view: ClusterView, node: NodeId): ViewedGroup[] {
  return [...view.groups.values()].filter((group) =>
    [...group.disks, ...group.joining].some((disk) => view.disks.get(disk)?.node === node),
  );
}

/** What is left may grow while the job runs; done never shrinks, and never exceeds the whole. */
function progressFrom(job: StoredJob, leftItems: number, leftBytes: number): JobRound["progress"] {
  const totalItems = Math.max(job.totalItems, job.doneItems + leftItems);
  const totalBytes = Math.max(job.totalBytes, job.doneBytes + leftBytes);
  return { totalItems, totalBytes, doneItems: totalItems - leftItems, doneBytes: totalBytes - leftBytes };
}

function nodeOf(job: StoredJob): NodeId {
  const { node } = job.request;
  if (typeof node === "string") return parseNodeId(node);
  throw new StorageError("corrupt", "run job", `job ${job.id} names no node`);
}

function driveOf(job: StoredJob): DriveId {
  const { drive } = job.request;
  if (typeof drive === "string") return parseId("dr_", drive);
  throw new StorageError("corrupt", "run job", `job ${job.id} names no drive`);
}
