import type { Sql } from "@cairn/env";
import type { DiskId, GroupId } from "@cairn/protocol";
import type { CollectionGate } from "../collection-gate.ts";
import type { CollectionWorld } from "../collection-world.ts";
import type { CopyChecks, CopyName } from "./copy-checks.ts";
import { reportedSum } from "./copy-sum.ts";

/** A copy on a disk that is no member of its group. */
export interface StrangeCopy extends CopyName {
  readonly records: number;
  readonly bytes: number;
  /** False: this database has no such group, so nothing is known of the copy. */
  readonly known: boolean;
}

/**
 * Copies on disks that are not members, such as those of a node that came back after its groups were repaired elsewhere.
 * They become rows of extra_copy, which is the decision that they may be dropped, when all members have told of themselves
 * and were found whole. A copy of a group that this database does not know is kept: it cannot be decided.
 */
export class ExtraCopies {
  readonly #world: CollectionWorld;
  readonly #gate: CollectionGate;
  readonly #checks: CopyChecks;
  readonly #told = new Set<string>();

  constructor(world: CollectionWorld, gate: CollectionGate, checks: CopyChecks) {
    this.#world = world;
    this.#gate = gate;
    this.#checks = checks;
  }

  /** All that nodes have told of. */
  list(): StrangeCopy[] {
    const { copies, map } = this.#world.core;
    const strange: StrangeCopy[] = [];
    for (const group of copies.groups()) {
      const slots = map.group(group)?.slots;
      for (const [disk, { digest }] of copies.of(group)) {
        if (digest.records === 0 || slots?.some((slot) => slot.disk === disk)) continue;
        strange.push({ group, disk, records: digest.records, bytes: digest.bytes, known: slots !== undefined });
      }
    }
    return strange;
  }

  /** Decides what can be decided now; tells how many copies became extra. */
  async decide(signal: AbortSignal): Promise<number> {
    let decided = 0;
    for (const copy of this.list()) {
      if (signal.aborted) break;
      if (!copy.known) await this.#tellUnknown(copy);
      else if (this.#membersAreWhole(copy.group) && (await this.#insert(copy))) decided++;
    }
    return decided;
  }

  /** Every member was found whole, with just what it holds now. */
  #membersAreWhole(group: GroupId): boolean {
    const { core } = this.#world;
    const slots = core.map.group(group)?.slots ?? [];
    return (
      slots.length > 0 &&
      slots.every(({ disk }) => {
        const sum = reportedSum(core, { group, disk });
        return sum !== undefined && this.#checks.of({ group, disk })?.checkedDigest === sum.digest;
      })
    );
  }

  #insert({ group, disk, records }: StrangeCopy): Promise<boolean> {
    return this.#world.core.leaderWrites.run(async (sql, tell) => {
      await this.#gate.guard(sql);
      if (!(await isExtra(sql, group, disk))) return false;
      const added = await sql.run(
        "INSERT INTO extra_copy (grp, disk, decided_at) VALUES (?, ?, ?) ON CONFLICT (grp, disk) DO NOTHING",
        group,
        disk,
        this.#world.store.clock.now(),
      );
      if (added === 0) return false;
      await tell({
        severity: "info",
        kind: "copy.extra",
        subject: `disk ${disk}`,
        message: `disk ${disk} holds a copy of group ${group} that is no longer needed; it will be dropped`,
        details: { group, disk, chunks: records },
      });
      return true;
    });
  }

  async #tellUnknown({ group, disk, records }: StrangeCopy): Promise<void> {
    const key = `${group} ${disk}`;
    if (this.#told.has(key)) return;
    this.#told.add(key);
    await this.#world.core.events.tell({
      severity: "warning",
      kind: "copy.unknown-group",
      subject: `disk ${disk}`,
      message: `disk ${disk} holds ${records} chunks of group ${group}, which this cluster does not know; they are kept`,
      details: { group, disk, chunks: records },
    });
  }
}

/** In the caller's transaction: a known group, on no member, not on the move, all members in use and nothing to repair. */
async function isExtra(sql: Sql, group: GroupId, disk: DiskId): Promise<boolean> {
  const grp = await sql.get<{ copies: number }>("SELECT copies FROM grp WHERE id = ?", group);
  const slots = await sql.all<{ disk: number; state: number }>("SELECT disk, state FROM grp_slot WHERE grp = ?", group);
  const move = await sql.get("SELECT grp FROM group_move WHERE grp = ?", group);
  const repair = await sql.get("SELECT grp FROM repair WHERE grp = ? LIMIT 1", group);
  return (
    grp !== undefined &&
    slots.length >= grp.copies &&
    slots.every((slot) => slot.state === 0 && slot.disk !== disk) &&
    !move &&
    !repair
  );
}
