import type { Clock } from "@cairn/env";
import type { DiskId, GroupDigest, GroupId, NodeId } from "@cairn/protocol";

/** What a disk last told of its copy of a group. */
export interface ReportedCopy {
  readonly digest: GroupDigest;
  /** Monotonic ms of the heartbeat with which the digest last changed. */
  readonly changedAt: number;
}

/**
 * What nodes have told of the copies on their disks since this server started, of members and of others alike; in memory
 * only. What a disk has not told of is unknown, unless its node has told of everything: then the disk does not hold it.
 */
export class CopyBoard {
  readonly #clock: Clock;
  readonly #groups = new Map<GroupId, Map<DiskId, ReportedCopy>>();
  /** Nodes that have told of everything since their last registration. */
  readonly #whole = new Set<NodeId>();
  /** Monotonic ms of the first heartbeat after a node's last registration. */
  readonly #startedOverAt = new Map<NodeId, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The copies of a group that disks have told of. */
  of(group: GroupId): ReadonlyMap<DiskId, ReportedCopy> {
    return this.#groups.get(group) ?? new Map<DiskId, ReportedCopy>();
  }

  /** Every group that some disk has told of. */
  groups(): Iterable<GroupId> {
    return this.#groups.keys();
  }

  /** True when the node has told of all groups on its disks since it registered: what it has not told of is not there. */
  heardAll(node: NodeId): boolean {
    return this.#whole.has(node);
  }

  /** Monotonic ms since when what the node tells is of its present process; undefined before its first heartbeat. */
  startedOverAt(node: NodeId): number | undefined {
    return this.#startedOverAt.get(node);
  }

  /** A node has registered: its disks may be others than before, or hold something else. */
  startOver(node: NodeId, disks: readonly DiskId[]): void {
    this.#whole.delete(node);
    this.#startedOverAt.set(node, this.#clock.monotonic());
    for (const copies of this.#groups.values()) for (const disk of disks) copies.delete(disk);
  }

  note(digest: GroupDigest): void {
    const copies = this.#groups.get(digest.group) ?? new Map<DiskId, ReportedCopy>();
    const before = copies.get(digest.disk);
    const same = before?.digest.digest === digest.digest && before.digest.records === digest.records;
    copies.set(digest.disk, { digest, changedAt: same ? before.changedAt : this.#clock.monotonic() });
    this.#groups.set(digest.group, copies);
  }

  /** The digests that were just noted are all that these disks of the node hold. */
  noteEverything(node: NodeId, disks: readonly DiskId[], digests: readonly GroupDigest[]): void {
    const told = new Set(digests.map(({ group, disk }) => `${group} ${disk}`));
    for (const [group, copies] of this.#groups) {
      for (const disk of disks) if (!told.has(`${group} ${disk}`)) copies.delete(disk);
      if (copies.size === 0) this.#groups.delete(group);
    }
    this.#whole.add(node);
  }
}
