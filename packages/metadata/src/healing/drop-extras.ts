import { asStorageError, type DiskId, type GroupId, isKind, limits } from "@cairn/protocol";
import { type GroupRecord, loadSlots } from "../cluster/cluster-map.ts";
import { compareCopy } from "./copy-comparison.ts";
import { isGood, standingsOf } from "./disk-standing.ts";
import { allExtraCopies, type ExtraCopy, removeExtraCopy } from "./extra-copies.ts";
import type { GroupMembership } from "./group-membership.ts";
import type { HealingWorld } from "./healing-world.ts";
import { queueMissing } from "./missing-copies.ts";
import type { NodeOrders } from "./node-orders.ts";

export interface DropParts {
  readonly world: HealingWorld;
  readonly orders: NodeOrders;
  readonly membership: GroupMembership;
  /** Throws unavailable while nothing may be dropped. Asked before every step. */
  readonly assertAllowed: () => void;
}

/** Copies dropped in one round: each takes the inventories of all members. */
const dropsPerRound = 32;
/** A copy that could not be dropped is looked at again after this; ms. */
const pauseMs = 15_000;

/**
 * Lets disks drop copies of groups they are no members of. Only when every copy that the group is to have is on a disk
 * that can be reached now and was found to hold everything the group needs, in the very round; when nothing waits for
 * repair; and when readers have heard of the new members. When anything is in doubt the copy stays.
 */
export class DropExtras {
  readonly #parts: DropParts;
  /** Monotonic ms before which a copy is not looked at again. */
  readonly #later = new Map<string, number>();
  /** Monotonic ms at which a copy was first seen here. */
  readonly #seen = new Map<string, number>();

  constructor(parts: DropParts) {
    this.#parts = parts;
  }

  /** Tells how many copies were dropped. */
  async round(signal: AbortSignal): Promise<number> {
    const { world } = this.#parts;
    const now = world.env.clock.monotonic();
    const extras = await world.database.read(allExtraCopies);
    const known = new Set(extras.map(keyOf));
    for (const times of [this.#later, this.#seen]) {
      for (const key of times.keys()) if (!known.has(key)) times.delete(key);
    }
    for (const key of known) if (!this.#seen.has(key)) this.#seen.set(key, now);
    const dropped: ExtraCopy[] = [];
    for (const extra of extras) {
      if (signal.aborted || dropped.length >= dropsPerRound) break;
      if ((this.#later.get(keyOf(extra)) ?? 0) > now) continue;
      if (await this.#tryDrop(extra, signal)) dropped.push(extra);
      else this.#later.set(keyOf(extra), now + pauseMs);
    }
    await this.#tell(dropped);
    return dropped.length;
  }

  async #tryDrop(extra: ExtraCopy, signal: AbortSignal): Promise<boolean> {
    try {
      this.#parts.assertAllowed();
      return await this.#drop(extra, signal);
    } catch (thrown) {
      const error = asStorageError(thrown, "drop copy");
      if (error.kind === "stale") throw error;
      if (!isKind(error, "conflict", "unavailable", "overloaded", "cancelled")) {
        const { group, disk } = extra;
        this.#parts.world.env.log.warn({ err: error, group, disk }, "a copy could not be dropped and stays for now");
      }
      return false;
    }
  }

  async #drop(extra: ExtraCopy, signal: AbortSignal): Promise<boolean> {
    const { world, orders, membership } = this.#parts;
    const { group: id, disk } = extra;
    const group = world.core.map.group(id);
    if (!group) return false;
    if (group.slots.some((slot) => slot.disk === disk)) return this.#forget(extra);
    if (!this.#mayGo(extra, group)) return false;
    const { epoch } = group;
    for (const slot of group.slots) if (!(await this.#holdsAll(id, slot.disk, signal))) return false;
    this.#parts.assertAllowed();
    await membership.confirmDrop(extra, epoch);
    const { service, command } = orders.of(disk);
    await service.dropGroup(id, disk, command(), signal);
    await world.core.leaderWrites.run((sql) => removeExtraCopy(sql, extra));
    return true;
  }

  #mayGo(extra: ExtraCopy, group: GroupRecord): boolean {
    const { disk, decidedAt } = extra;
    const { env, core } = this.#parts.world;
    // By the wall clock, which may have been put back since, or by the time that this server has known it.
    const seenForMs = env.clock.monotonic() - (this.#seen.get(keyOf(extra)) ?? Number.POSITIVE_INFINITY);
    const decidedForMs = Math.max(env.clock.now() - decidedAt, seenForMs);
    // Readers look up the members anew within this time; until then some still come here first.
    if (decidedForMs < limits.groupMapTtlMs) return false;
    const standings = standingsOf({ ...core, clock: env.clock });
    if (!isGood(standings.get(disk))) return false;
    return (
      group.slots.length >= group.copies &&
      group.slots.every((slot) => slot.state === "ok" && isGood(standings.get(slot.disk)))
    );
  }

  /** What a member lacks is queued, and the copy that may have it stays. */
  async #holdsAll(group: GroupId, disk: DiskId, signal: AbortSignal): Promise<boolean> {
    this.#parts.assertAllowed();
    const { missing } = await compareCopy({ ...this.#parts.world, ...this.#parts }, { group, disk }, signal);
    if (missing.length > 0) await queueMissing(this.#parts.world, { group, disk }, missing);
    return missing.length === 0;
  }

  /** The disk has become a member again: the row is of no use any more. */
  async #forget(extra: ExtraCopy): Promise<boolean> {
    await this.#parts.world.core.leaderWrites.run(async (sql) => {
      const slots = await loadSlots(sql, extra.group);
      if (slots.some((slot) => slot.disk === extra.disk)) await removeExtraCopy(sql, extra);
    });
    return false;
  }

  async #tell(dropped: readonly ExtraCopy[]): Promise<void> {
    const byDisk = new Map<DiskId, GroupId[]>();
    for (const { group, disk } of dropped) byDisk.set(disk, [...(byDisk.get(disk) ?? []), group]);
    for (const [disk, groups] of byDisk) {
      await this.#parts.world.core.events.tell({
        severity: "info",
        kind: "copies.dropped",
        subject: `disk ${disk}`,
        message: `dropped copies of groups that live elsewhere by now: ${groups.length}`,
        details: { disk, groups },
      });
    }
  }
}

function keyOf({ group, disk }: ExtraCopy): string {
  return `${group} ${disk}`;
}
