import type { DiskId, GroupId, NodeId } from "@cairn/protocol";
import type { GroupRecord } from "../../cluster/cluster-map.ts";
import { copysetsOf } from "../../placement/copysets.ts";
import { nodesOfCopysets } from "../../placement/group-placement.ts";
import type { CopyStreams } from "../copy-streams.ts";
import { type Standings, takesCopies } from "../disk-standing.ts";
import { allExtraCopies } from "../extra-copies.ts";
import { neededBytes } from "../group-chunks.ts";
import { compareNeeds, type GroupNeed, hasSource, needOf } from "../group-need.ts";
import type { HealingWorld } from "../healing-world.ts";
import { chooseTarget, type TargetQuestion } from "../target-choice.ts";
import type { MoveDesk } from "./move-desk.ts";

export interface PlannerParts {
  readonly world: HealingWorld;
  readonly desk: MoveDesk;
  readonly streams: CopyStreams;
  /** A command to drop this copy may still be on its way. */
  readonly isBeingDropped: (group: GroupId, disk: DiskId) => boolean;
}

/** What groups lack, as of one look. */
export interface NeedsFound {
  /** Most urgent first; without groups that are on the move. */
  readonly due: readonly GroupNeed[];
  /** Lost, but their time has not come. */
  readonly later: readonly GroupNeed[];
  /** Due, and nobody has a copy that can be reached. */
  readonly stuck: readonly GroupNeed[];
}

/** So many moves are begun at one look: each is a transaction. */
const beginsMax = 32;

/** Decides which groups move next and where to. */
export class MovePlanner {
  readonly #parts: PlannerParts;
  #copysets: { readonly key: string; readonly sets: readonly (readonly NodeId[])[] } | undefined;

  constructor(parts: PlannerParts) {
    this.#parts = parts;
  }

  /** What all groups lack now. */
  find(standings: Standings): NeedsFound {
    const { world, desk } = this.#parts;
    const { map, settings } = world.core;
    const delays = { usualMs: settings.get("repair.delay"), singleMs: settings.get("repair.delay-single") };
    const due: GroupNeed[] = [];
    const later: GroupNeed[] = [];
    const stuck: GroupNeed[] = [];
    for (const group of map.groups()) {
      const need = desk.has(group.id) ? undefined : needOf(group, standings, delays);
      if (!need) continue;
      if (need.dueInMs > 0) later.push(need);
      else if (!hasSource(group, standings)) stuck.push(need);
      else due.push(need);
    }
    return { due: due.sort(compareNeeds), later: later.sort(compareNeeds), stuck };
  }

  /** Begins the most urgent moves for which disks have streams free. Tells for how many groups no disk could be found. */
  async begin(needs: readonly GroupNeed[], standings: Standings): Promise<{ begun: number; homeless: number }> {
    let begun = 0;
    let homeless = 0;
    const holders = await this.#holders();
    let incoming = this.#parts.desk.incomingBytes();
    for (const need of needs) {
      const target = (isFull: (disk: DiskId) => boolean): DiskId | undefined =>
        this.#targetFor(need, {
          standings,
          holders: holders(need.group.id),
          incomingBytes: (disk) => incoming.get(disk) ?? 0,
          isFull,
        });
      if (target(() => false) === undefined) homeless++;
      if (begun >= beginsMax) continue;
      const to = target((disk) => !this.#parts.streams.canTake(disk));
      if (to === undefined || !(await this.#begin(need, to))) continue;
      begun++;
      incoming = this.#parts.desk.incomingBytes();
    }
    return { begun, homeless };
  }

  /** Whether a group can have a copy on this disk now. */
  async mayTake(group: GroupRecord, to: DiskId, standings: Standings): Promise<boolean> {
    const target = standings.get(to);
    const nodes = group.slots.map((slot) => standings.get(slot.disk)?.node);
    if (!target || !takesCopies(target) || nodes.includes(target.node)) return false;
    if (this.#parts.isBeingDropped(group.id, to) || this.#parts.desk.isAvoided(group.id, to)) return false;
    const holders = (await this.#holders())(group.id);
    return [...holders].every((disk) => disk === to || standings.get(disk)?.node !== target.node);
  }

  /** A disk that a copy of the group could go to now. */
  async targetFor(id: GroupId, from: DiskId | undefined, standings: Standings): Promise<DiskId | undefined> {
    const group = this.#parts.world.core.map.group(id);
    if (!group) return undefined;
    const incoming = this.#parts.desk.incomingBytes();
    const question = {
      standings,
      holders: (await this.#holders())(id),
      incomingBytes: (disk: DiskId) => incoming.get(disk) ?? 0,
      isFull: () => false,
    };
    return this.#targetFor({ group, from }, question);
  }

  async #begin({ group, from, reason }: GroupNeed, to: DiskId): Promise<boolean> {
    const totalBytes = await neededBytes(this.#parts.world.database, group.id);
    return this.#parts.desk.begin({ group: group.id, from, to, reason, job: undefined, totalBytes });
  }

  #targetFor(
    { group, from }: Pick<GroupNeed, "group" | "from">,
    question: Pick<TargetQuestion, "standings" | "holders" | "incomingBytes"> & {
      readonly isFull: (disk: DiskId) => boolean;
    },
  ): DiskId | undefined {
    const { desk, isBeingDropped } = this.#parts;
    return chooseTarget({
      ...question,
      group,
      from,
      isBusy: (disk) => question.isFull(disk) || desk.isAvoided(group.id, disk) || isBeingDropped(group.id, disk),
      copysets: this.#copysetsFor(group.copies),
    });
  }

  /** Disks that have a copy of a group although they are no members: by decision, or as their nodes tell. */
  async #holders(): Promise<(group: GroupId) => ReadonlySet<DiskId>> {
    const { core, database } = this.#parts.world;
    const decided = new Map<GroupId, DiskId[]>();
    for (const { group, disk } of await database.read(allExtraCopies)) {
      decided.set(group, [...(decided.get(group) ?? []), disk]);
    }
    return (group) => new Set([...(decided.get(group) ?? []), ...core.copies.of(group).keys()]);
  }

  #copysetsFor(copies: number): readonly (readonly NodeId[])[] {
    const nodes = nodesOfCopysets(this.#parts.world.core.map);
    const key = `${copies} ${nodes.join(" ")}`;
    if (this.#copysets?.key !== key) this.#copysets = { key, sets: copysetsOf(nodes, copies) };
    return this.#copysets.sets;
  }
}
