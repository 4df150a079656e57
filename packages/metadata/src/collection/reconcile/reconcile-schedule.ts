import type { Clock } from "@cairn/env";
import type { DiskId, GroupId } from "@cairn/protocol";
import type { GroupRecord } from "../../cluster/cluster-map.ts";
import type { ClusterCore } from "../../service/cluster-core.ts";
import type { CopyChecks, CopyName } from "./copy-checks.ts";
import { type CopySum, reportedSum } from "./copy-sum.ts";

/** A writable group whose copies have not changed for so long is compared too; ms. */
const quietMs = 60_000;
/** One that is never quiet is compared after so many times the pause between two comparisons. */
const busyFactor = 24;

interface Tried {
  /** Monotonic ms. */
  readonly at: number;
  readonly epoch: number;
}

/** Which groups are to be compared: those with a copy that is not what it was when it was last found whole. */
export class ReconcileSchedule {
  readonly #clock: Clock;
  readonly #core: Pick<ClusterCore, "copies" | "map" | "settings">;
  readonly #checks: CopyChecks;
  readonly #tried = new Map<GroupId, Tried>();
  readonly #startedAt: number;

  constructor(clock: Clock, core: Pick<ClusterCore, "copies" | "map" | "settings">, checks: CopyChecks) {
    this.#clock = clock;
    this.#core = core;
    this.#checks = checks;
    this.#startedAt = clock.monotonic();
  }

  /** Groups with a copy that differs, whether their time has come or not. */
  differing(): GroupId[] {
    return [...this.#core.map.groups()].filter((group) => this.#differs(group)).map((group) => group.id);
  }

  /** Those whose time has come, the longest untried first. */
  due(): GroupId[] {
    const due = [...this.#core.map.groups()].filter((group) => this.#differs(group) && this.#isTime(group));
    return due.map((group) => group.id).sort((a, b) => this.#triedAt(a) - this.#triedAt(b));
  }

  tried(group: GroupId): void {
    this.#tried.set(group, { at: this.#clock.monotonic(), epoch: this.#core.map.group(group)?.epoch ?? 0 });
  }

  /** Copies that were whole and have changed: they are to lose their check. */
  changed(): CopyName[] {
    const changed: CopyName[] = [];
    for (const group of this.#core.map.groups()) {
      for (const [disk, sum] of this.#sums(group)) {
        const checked = this.#checks.of({ group: group.id, disk })?.checkedDigest;
        if (checked !== undefined && checked !== sum.digest) changed.push({ group: group.id, disk });
      }
    }
    return changed;
  }

  #differs(group: GroupRecord): boolean {
    const sums = this.#sums(group);
    const digests = new Set(sums.map(([, sum]) => sum.digest));
    return (
      digests.size > 1 ||
      sums.some(([disk, sum]) => this.#checks.of({ group: group.id, disk })?.checkedDigest !== sum.digest)
    );
  }

  #isTime(group: GroupRecord): boolean {
    const now = this.#clock.monotonic();
    const every = this.#core.settings.get("collect.orphans-every");
    const since = now - this.#triedAt(group.id);
    if (this.#isUrgent(group)) return true;
    if (since < every) return false;
    return this.#isQuiet(group, now) || Math.min(since, now - this.#startedAt) >= busyFactor * every;
  }

  /** Somebody joined or left the group since, or a member came back. */
  #isUrgent(group: GroupRecord): boolean {
    const tried = this.#tried.get(group.id);
    if (!tried) return false;
    const { copies, map } = this.#core;
    if (tried.epoch !== group.epoch) return true;
    return group.slots.some(({ disk }) => {
      const node = map.disk(disk)?.node;
      return node !== undefined && (copies.startedOverAt(node) ?? 0) > tried.at;
    });
  }

  #isQuiet(group: GroupRecord, now: number): boolean {
    if (group.state !== "writable") return true;
    return [...this.#core.copies.of(group.id).values()].every((copy) => now - copy.changedAt >= quietMs);
  }

  #triedAt(group: GroupId): number {
    return this.#tried.get(group)?.at ?? Number.NEGATIVE_INFINITY;
  }

  #sums(group: GroupRecord): [DiskId, CopySum][] {
    return group.slots.flatMap(({ disk, state }): [DiskId, CopySum][] => {
      const sum = state === "joining" ? undefined : reportedSum(this.#core, { group: group.id, disk });
      return sum ? [[disk, sum]] : [];
    });
  }
}
