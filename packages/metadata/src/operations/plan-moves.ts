import type { DiskId, GroupId, NodeId } from "@cairn/protocol";
import { type ClusterView, usedBytes, type ViewedDisk, type ViewedGroup } from "./cluster-view.ts";

/** One copy of a group that goes to another disk. */
export interface PlannedMove {
  readonly group: GroupId;
  readonly bytes: number;
  readonly from: DiskId | undefined;
  readonly to: DiskId;
}

export interface MovePlan {
  readonly moves: readonly PlannedMove[];
  /** Groups for which no other node has room. */
  readonly homeless: readonly ViewedGroup[];
  readonly homelessBytes: number;
}

/** A disk takes moves up to this share of its size; beyond it new groups would not be placed there either. */
const fillMax = 0.85;
/** A disk that is this much above or below its share of the data is worth a move. */
const toleratedShare = 0.05;
const movesMax = 10_000;

/** Where the copies on a node's disks would go: each to the emptiest disk of a node that has no copy of the group. */
export function planLeaving(view: ClusterView, node: NodeId): MovePlan {
  const field = new Field(view, node);
  const leaving = [...view.groups.values()]
    .flatMap((group) =>
      group.disks.filter((disk) => view.disks.get(disk)?.node === node).map((disk) => ({ group, disk })),
    )
    .sort((a, b) => b.group.bytes - a.group.bytes);
  return field.place(leaving.map(({ group, disk }) => ({ group, from: disk })));
}

/** Where the copies would go that groups lack when each is to have so many. */
export function planMoreCopies(view: ClusterView, copies: number): MovePlan {
  const field = new Field(view, undefined);
  const wanted = [...view.groups.values()].flatMap((group) =>
    Array.from({ length: Math.max(0, copies - group.disks.length - group.joining.length) }, () => ({
      group,
      from: undefined,
    })),
  );
  return field.place(wanted.sort((a, b) => b.group.bytes - a.group.bytes));
}

/**
 * Moves that bring every disk nearer to its share: of the data, by the room that it has for it. Groups go from the disk
 * that is most above its share to the one that is most below.
 */
export function planRebalance(view: ClusterView): readonly PlannedMove[] {
  const field = new Field(view, undefined);
  const moves: PlannedMove[] = [];
  while (moves.length < movesMax) {
    const move = field.nextBalancing();
    if (!move) break;
    moves.push(move);
  }
  return moves;
}

class Field {
  readonly #view: ClusterView;
  readonly #targets: readonly ViewedDisk[];
  readonly #used = new Map<DiskId, number>();
  /** Bytes of groups on a disk, as they are and as they would be. */
  readonly #stored = new Map<DiskId, number>();
  readonly #members = new Map<GroupId, DiskId[]>();
  readonly #largestFirst = new Map<DiskId, ViewedGroup[]>();
  /** A group moves once in a plan. */
  readonly #moved = new Set<GroupId>();

  constructor(view: ClusterView, leaving: NodeId | undefined) {
    this.#view = view;
    this.#targets = [...view.disks.values()].filter((disk) => {
      const node = view.nodes.get(disk.node);
      return disk.state === "ok" && node?.health === "online" && node.duty === "active" && disk.node !== leaving;
    });
    for (const disk of view.disks.values()) this.#used.set(disk.disk, usedBytes(disk));
    for (const group of [...view.groups.values()].sort((a, b) => b.bytes - a.bytes)) {
      const members = [...group.disks, ...group.joining];
      this.#members.set(group.id, members);
      for (const disk of members) this.#stored.set(disk, this.#storedOn(disk) + group.bytes);
      for (const disk of group.disks) {
        const groups = this.#largestFirst.get(disk) ?? [];
        groups.push(group);
        this.#largestFirst.set(disk, groups);
      }
    }
  }

  place(copies: readonly { readonly group: ViewedGroup; readonly from: DiskId | undefined }[]): MovePlan {
    const moves: PlannedMove[] = [];
    const homeless: ViewedGroup[] = [];
    for (const { group, from } of copies) {
      const target = this.#emptiestFor(group, from);
      if (!target) homeless.push(group);
      else moves.push(this.#move(group, from, target.disk));
    }
    return { moves, homeless, homelessBytes: homeless.reduce((sum, group) => sum + group.bytes, 0) };
  }

  nextBalancing(): PlannedMove | undefined {
    const shares = this.#shares();
    const above = (disk: ViewedDisk): number => this.#storedOn(disk.disk) - (shares.get(disk.disk) ?? 0);
    const byExcess = [...this.#targets].sort((a, b) => above(b) - above(a));
    for (const from of byExcess) {
      if (above(from) <= toleratedShare * (shares.get(from.disk) ?? 0)) return undefined;
      for (const to of [...byExcess].reverse()) {
        if (above(to) >= -toleratedShare * (shares.get(to.disk) ?? 0)) break;
        const group = this.#groupBetween(from, to, above(from) - above(to));
        if (group) return this.#move(group, from.disk, to.disk);
      }
    }
    return undefined;
  }

  /** The largest group on `from` that may go to `to` and leaves the two nearer to each other than before. */
  #groupBetween(from: ViewedDisk, to: ViewedDisk, gap: number): ViewedGroup | undefined {
    return this.#largestFirst
      .get(from.disk)
      ?.find(
        (group) =>
          group.bytes > 0 &&
          group.bytes < gap &&
          group.joining.length === 0 &&
          !this.#moved.has(group.id) &&
          this.#mayTake(to, group, from.disk),
      );
  }

  #emptiestFor(group: ViewedGroup, from: DiskId | undefined): ViewedDisk | undefined {
    let best: ViewedDisk | undefined;
    for (const disk of this.#targets) {
      if (!this.#mayTake(disk, group, from)) continue;
      if (!best || this.#isEmptier(disk, best)) best = disk;
    }
    return best;
  }

  #mayTake(disk: ViewedDisk, group: ViewedGroup, from: DiskId | undefined): boolean {
    const others = (this.#members.get(group.id) ?? []).filter((member) => member !== from);
    const taken = others.some((member) => this.#view.disks.get(member)?.node === disk.node);
    return !taken && this.#usedOn(disk.disk) + group.bytes <= fillMax * disk.totalBytes;
  }

  #move(group: ViewedGroup, from: DiskId | undefined, to: DiskId): PlannedMove {
    this.#moved.add(group.id);
    this.#members.set(group.id, [...(this.#members.get(group.id) ?? []).filter((disk) => disk !== from), to]);
    this.#used.set(to, this.#usedOn(to) + group.bytes);
    this.#stored.set(to, this.#storedOn(to) + group.bytes);
    if (from !== undefined) {
      this.#used.set(from, this.#usedOn(from) - group.bytes);
      this.#stored.set(from, this.#storedOn(from) - group.bytes);
    }
    return { group: group.id, bytes: group.bytes, from, to };
  }

  /** What each disk would store if the data lay evenly on the room that the disks have for it. */
  #shares(): Map<DiskId, number> {
    const roomOf = (disk: ViewedDisk): number =>
      Math.max(0, fillMax * disk.totalBytes - this.#usedOn(disk.disk)) + this.#storedOn(disk.disk);
    const room = this.#targets.reduce((sum, disk) => sum + roomOf(disk), 0);
    const stored = this.#targets.reduce((sum, disk) => sum + this.#storedOn(disk.disk), 0);
    return new Map(this.#targets.map((disk) => [disk.disk, room === 0 ? 0 : (stored * roomOf(disk)) / room]));
  }

  /** Disks on one medium are equally full; then the one with less of the cluster's data is the emptier one. */
  #isEmptier(a: ViewedDisk, b: ViewedDisk): boolean {
    const fillOf = (disk: ViewedDisk): number => this.#usedOn(disk.disk) / Math.max(disk.totalBytes, 1);
    const apart = fillOf(a) - fillOf(b);
    return apart === 0 ? this.#storedOn(a.disk) < this.#storedOn(b.disk) : apart < 0;
  }

  #usedOn(disk: DiskId): number {
    return this.#used.get(disk) ?? 0;
  }

  #storedOn(disk: DiskId): number {
    return this.#stored.get(disk) ?? 0;
  }
}
