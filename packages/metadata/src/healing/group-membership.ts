import type { Clock, Sql } from "@cairn/env";
import { assert, type DiskId, type GroupId, type GroupMove, StorageError } from "@cairn/protocol";
import { type ClusterMap, type GroupSlot, loadSlots, slotStateNumber } from "../cluster/cluster-map.ts";
import { addExtraCopy, extraCopiesOf, removeExtraCopy } from "./extra-copies.ts";
import type { LeaderWrites, TellEvent } from "./leader-writes.ts";
import { deleteMove, findMove, insertMove, type MoveOrder } from "./moves/move-table.ts";

export interface GroupMembershipWorld {
  readonly clock: Clock;
  readonly map: ClusterMap;
  readonly leaderWrites: LeaderWrites;
}

/** A command to drop a copy is refused by its node after a minute; clocks may differ by another one; ms. */
const dropUnderWayMs = 120_000;

interface GroupFacts {
  readonly epoch: number;
  readonly copies: number;
  readonly slots: readonly GroupSlot[];
}

/**
 * Every change of who holds a group, each in one fenced transaction. All of them seal the group and raise its epoch: so
 * only receipts of a group's first epoch are ever made, and a commit that was overtaken by a change finds out. README.md
 * tells why nothing is lost in between.
 */
export class GroupMembership {
  readonly #world: GroupMembershipWorld;
  /** Monotonic ms until which a command to drop a copy may still arrive. */
  readonly #drops = new Map<string, number>();
  #turn: Promise<unknown> = Promise.resolve();

  constructor(world: GroupMembershipWorld) {
    this.#world = world;
  }

  /** The new disk joins. Throws conflict when the group is on the move, or the disks are not as the order takes them to be. */
  begin(order: MoveOrder): Promise<void> {
    const { clock } = this.#world;
    return this.#change(order.group, async (sql, facts) => {
      if (await findMove(sql, order.group)) throw refusal(order.group, "it is on the move already");
      const leaving = facts.slots.find((slot) => slot.disk === order.from);
      if (order.from !== undefined && !leaving) throw refusal(order.group, `disk ${order.from} is no member`);
      // A drop that arrives late would take the new copy.
      if (this.isBeingDropped(order.group, order.to)) throw refusal(order.group, `disk ${order.to} drops its copy`);
      if (facts.slots.some((slot) => slot.disk === order.to))
        throw refusal(order.group, `disk ${order.to} is a member`);
      const staying = facts.slots.filter((slot) => slot !== leaving).map((slot) => slot.disk);
      await assertDistinctNodes(sql, order.group, [...staying, order.to]);
      await removeExtraCopy(sql, { group: order.group, disk: order.to });
      await sql.run(
        "INSERT INTO grp_slot (grp, slot, disk, state, epoch) VALUES (?, ?, ?, ?, ?)",
        order.group,
        freeSlot(facts.slots),
        order.to,
        slotStateNumber("joining"),
        facts.epoch + 1,
      );
      if (leaving) await setSlotState(sql, order.group, leaving.disk, "leaving");
      await insertMove(sql, order, clock.now());
    });
  }

  /**
   * The new disk becomes a member and the old one ceases to be one; its copy is to be dropped. `epoch` is that under which
   * the new copy was compared. Throws conflict when anything has changed since, or a chunk was committed meanwhile that
   * the new disk may lack: then it is to be repaired and compared again.
   */
  complete(move: GroupMove, epoch: number): Promise<void> {
    const { group, from, to } = move;
    const now = this.#world.clock.now();
    return this.#change(group, async (sql, facts, tell) => {
      const standing = await findMove(sql, group);
      if (standing?.to !== to || standing.from !== from) throw refusal(group, "the move was ended");
      if (facts.epoch !== epoch) throw refusal(group, "its members changed since the copy was compared");
      if (!facts.slots.some((slot) => slot.disk === to && slot.state === "joining")) {
        throw refusal(group, `disk ${to} is not joining`);
      }
      await assertNoLateCommit(sql, group, to);
      await setSlotState(sql, group, to, "ok");
      if (from !== undefined) await this.#leave(sql, group, from, now);
      await deleteMove(sql, group);
      await tell({
        severity: "info",
        kind: "group.moved",
        subject: `group ${group}`,
        message: from === undefined ? `disk ${to} has a copy too` : `disk ${to} took the place of disk ${from}`,
        details: { group, from, to, reason: move.reason, bytes: move.totalBytes, ms: now - move.startedAt },
      });
    });
  }

  /** The new disk leaves again, and its partial copy is to be dropped. Throws conflict when the move has ended. */
  abandon(move: GroupMove, why: string): Promise<void> {
    const { group, from, to } = move;
    const now = this.#world.clock.now();
    return this.#change(group, async (sql, _facts, tell) => {
      const standing = await findMove(sql, group);
      if (standing?.to !== to || standing.from !== from) throw refusal(group, "the move has ended");
      await this.#leave(sql, group, to, now);
      if (from !== undefined) await setSlotState(sql, group, from, "ok");
      await deleteMove(sql, group);
      const details = { group, from, to, reason: move.reason };
      const message = `the copy to disk ${to} was given up: ${why}`;
      await tell({ severity: "info", kind: "group.move-abandoned", subject: `group ${group}`, message, details });
    });
  }

  /**
   * How many copies a group is to have. With fewer than it has, `drop` names the disks that go; `epoch` is that under which
   * the others were found to hold everything. Throws conflict when that has changed, or too few would be left.
   */
  setCopies(
    group: GroupId,
    { copies, drop, epoch }: { readonly copies: number; readonly drop: readonly DiskId[]; readonly epoch: number },
  ): Promise<void> {
    const now = this.#world.clock.now();
    return this.#change(group, async (sql, facts, tell) => {
      if (await findMove(sql, group)) throw refusal(group, "it is on the move");
      if (facts.epoch !== epoch) throw refusal(group, "its members changed since they were compared");
      if (drop.length > 0 && facts.slots.length - drop.length < copies) throw refusal(group, "too few copies are left");
      if (drop.length > 0) await assertNothingToRepair(sql, group);
      for (const disk of drop) await this.#leave(sql, group, disk, now);
      await sql.run("UPDATE grp SET copies = ? WHERE id = ?", copies, group);
      await tell({
        severity: "info",
        kind: "group.copies",
        subject: `group ${group}`,
        message: `it is to have ${copies} copies instead of ${facts.copies}`,
        details: { group, copies, before: facts.copies, dropped: drop },
      });
    });
  }

  /** Whether a command to drop this copy may still be on its way. */
  isBeingDropped(group: GroupId, disk: DiskId): boolean {
    return (this.#drops.get(`${group} ${disk}`) ?? 0) > this.#world.clock.monotonic();
  }

  /**
   * The last look before a copy that is no member is dropped; from now on the disk joins this group no more until the command
   * cannot arrive any longer. `epoch` is that under which all members were found to hold everything. Throws conflict
   * when the copy must stay.
   */
  confirmDrop(copy: { readonly group: GroupId; readonly disk: DiskId }, epoch: number): Promise<void> {
    const { group, disk } = copy;
    return this.#inTurn(async () => {
      await this.#world.leaderWrites.run(async (sql) => {
        const row = await sql.get<{ epoch: number; copies: number }>(
          "SELECT epoch, copies FROM grp WHERE id = ?",
          group,
        );
        const slots = await loadSlots(sql, group);
        const extra = await extraCopiesOf(sql, group);
        if (!extra.some((one) => one.disk === disk))
          throw refusal(group, `disk ${disk} is not to drop its copy any more`);
        if (slots.some((slot) => slot.disk === disk)) throw refusal(group, `disk ${disk} is a member`);
        if (row?.epoch !== epoch) throw refusal(group, "its members changed since they were compared");
        if (slots.filter((slot) => slot.state === "ok").length < row.copies) throw refusal(group, "it lacks copies");
        if (await findMove(sql, group)) throw refusal(group, "it is on the move");
        await assertNothingToRepair(sql, group);
      });
      const now = this.#world.clock.monotonic();
      for (const [key, until] of this.#drops) if (until <= now) this.#drops.delete(key);
      this.#drops.set(`${group} ${disk}`, now + dropUnderWayMs);
    });
  }

  async #leave(sql: Sql, group: GroupId, disk: DiskId, now: number): Promise<void> {
    await sql.run("DELETE FROM grp_slot WHERE grp = ? AND disk = ?", group, disk);
    await sql.run("DELETE FROM repair WHERE grp = ? AND disk = ?", group, disk);
    await addExtraCopy(sql, { group, disk, decidedAt: now });
  }

  /** One at a time, so that the map shows the changes in the order in which the database has them. */
  #change(group: GroupId, work: (sql: Sql, facts: GroupFacts, tell: TellEvent) => Promise<void>): Promise<void> {
    return this.#inTurn(() => this.#write(group, work));
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  async #write(group: GroupId, work: (sql: Sql, facts: GroupFacts, tell: TellEvent) => Promise<void>): Promise<void> {
    const { clock, map, leaderWrites } = this.#world;
    const now = clock.now();
    const changed = await leaderWrites.run(async (sql, tell) => {
      const row = await sql.get<{ epoch: number; copies: number }>("SELECT epoch, copies FROM grp WHERE id = ?", group);
      if (!row) throw new StorageError("not-found", "change group", `group ${group}`);
      const { epoch, copies } = row;
      await work(sql, { epoch, copies, slots: await loadSlots(sql, group) }, tell);
      await sql.run(
        `UPDATE grp SET epoch = epoch + 1, state = CASE WHEN state = 0 THEN 1 ELSE state END,
           sealed_at = COALESCE(sealed_at, ?) WHERE id = ?`,
        now,
        group,
      );
      const after = await sql.get<{ copies: number }>("SELECT copies FROM grp WHERE id = ?", group);
      const slots = await loadSlots(sql, group);
      assert(
        slots.some((slot) => slot.state !== "joining"),
        "a group never loses its last member",
      );
      return { epoch: epoch + 1, copies: after?.copies ?? copies, slots };
    });
    const before = map.group(group);
    const sealing = before?.state === "writable" ? ({ state: "sealed", sealedAt: now } as const) : {};
    map.changeGroup(group, { ...changed, ...sealing });
  }
}

/** Of two copies on one node both would go with it. */
async function assertDistinctNodes(sql: Sql, group: GroupId, disks: readonly DiskId[]): Promise<void> {
  const nodes = new Set<string>();
  for (const disk of disks) {
    const row = await sql.get<{ node: string }>("SELECT node FROM disk WHERE id = ?", disk);
    if (!row) throw refusal(group, `disk ${disk} is not known`);
    if (nodes.has(row.node)) throw refusal(group, `two of its copies would be on ${row.node}`);
    nodes.add(row.node);
  }
}

/**
 * A chunk that was committed with receipts of an older epoch is on the disks that were members then. Until its repair has
 * brought it to the new disk, the old one must stay (storage-design §2, step 5d).
 */
async function assertNoLateCommit(sql: Sql, group: GroupId, to: DiskId): Promise<void> {
  const late = await sql.get<{ hash: Uint8Array }>(
    `SELECT repair.hash FROM repair JOIN chunk ON chunk.hash = repair.hash AND chunk.generation = repair.generation
       AND chunk.grp = repair.grp AND chunk.state = 0
     WHERE repair.grp = ? AND repair.reason = 'stale' AND repair.disk IN (0, ?) LIMIT 1`,
    group,
    to,
  );
  if (late) throw refusal(group, "chunks were committed meanwhile that the new disk may lack");
}

/** While a copy of any chunk is known to be bad, every other one may be the last. */
export async function assertNothingToRepair(sql: Sql, group: GroupId): Promise<void> {
  if (await sql.get("SELECT 1 AS found FROM repair WHERE grp = ? AND reason <> 'lost' LIMIT 1", group)) {
    throw refusal(group, "some of its chunks wait for repair");
  }
}

function setSlotState(sql: Sql, group: GroupId, disk: DiskId, state: GroupSlot["state"]): Promise<number> {
  return sql.run("UPDATE grp_slot SET state = ? WHERE grp = ? AND disk = ?", slotStateNumber(state), group, disk);
}

function freeSlot(slots: readonly GroupSlot[]): number {
  let slot = 0;
  while (slots.some((taken) => taken.slot === slot)) slot++;
  return slot;
}

function refusal(group: GroupId, why: string): StorageError {
  return new StorageError("conflict", "change group", `group ${group}: ${why}`);
}
