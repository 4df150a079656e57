import { type DiskId, type GroupId, isKind } from "@cairn/protocol";
import type { GroupRecord, GroupSlot } from "../cluster/cluster-map.ts";
import { compareCopy } from "./copy-comparison.ts";
import { isGood, type Standings, standingsOf } from "./disk-standing.ts";
import type { GroupMembership } from "./group-membership.ts";
import type { HealingWorld } from "./healing-world.ts";
import { queueMissing } from "./missing-copies.ts";
import type { NodeOrders } from "./node-orders.ts";

export interface CopyChangeParts {
  readonly world: HealingWorld;
  readonly orders: NodeOrders;
  readonly membership: GroupMembership;
  readonly isMoving: (group: GroupId) => boolean;
}

const never: AbortSignal = new AbortController().signal;

/** Changes how many copies groups are to have. */
export class CopyChanges {
  readonly #parts: CopyChangeParts;

  constructor(parts: CopyChangeParts) {
    this.#parts = parts;
  }

  /**
   * More copies are made by moves afterwards. With fewer the least useful go at once, if all that stay can be reached and
   * hold everything. False: not now.
   */
  async set(id: GroupId, copies: number): Promise<boolean> {
    const { world, isMoving, membership } = this.#parts;
    const group = world.core.map.group(id);
    if (!group || isMoving(id)) return false;
    const keep = this.#best(group, copies);
    const drop = group.slots.filter((slot) => !keep.includes(slot)).map((slot) => slot.disk);
    if (copies === group.copies && drop.length === 0) return true;
    const { epoch } = group;
    try {
      if (drop.length > 0 && !(await this.#allHold(group, keep))) return false;
      await membership.setCopies(id, { copies, drop, epoch });
      return true;
    } catch (error) {
      if (isKind(error, "conflict", "unavailable", "overloaded")) return false;
      throw error;
    }
  }

  /** The slots that would stay: good ones first, then those with the most free space. */
  #best(group: GroupRecord, copies: number): readonly GroupSlot[] {
    const standings = this.#standings();
    const rank = (slot: GroupSlot): number => Number(isGood(standings.get(slot.disk)));
    const free = (slot: GroupSlot): number => freeShare(standings, slot.disk);
    return [...group.slots].sort((a, b) => rank(b) - rank(a) || free(b) - free(a) || a.slot - b.slot).slice(0, copies);
  }

  async #allHold(group: GroupRecord, keep: readonly GroupSlot[]): Promise<boolean> {
    const standings = this.#standings();
    if (keep.some((slot) => slot.state !== "ok" || !isGood(standings.get(slot.disk)))) return false;
    let whole = true;
    for (const { disk } of keep) {
      const copy = { group: group.id, disk };
      const { missing } = await compareCopy({ ...this.#parts.world, ...this.#parts }, copy, never);
      if (missing.length === 0) continue;
      whole = false;
      await queueMissing(this.#parts.world, copy, missing);
    }
    return whole;
  }

  #standings(): Standings {
    return standingsOf({ ...this.#parts.world.core, clock: this.#parts.world.env.clock });
  }
}

function freeShare(standings: Standings, disk: DiskId): number {
  const { freeBytes = 0, totalBytes = 0 } = standings.get(disk)?.disk ?? {};
  return totalBytes === 0 ? 0 : freeBytes / totalBytes;
}
