import type { DiskId, GroupId, GroupMember, WritableGroup } from "@cairn/protocol";

/** What speaks against a group right now, from the best to the last resort. */
export type GroupRank = "healthy" | "suspect" | "avoided" | "down";
const ranks: readonly GroupRank[] = ["healthy", "suspect", "avoided", "down"];

/** What one chunk has learnt on its way: groups and places that failed it are not asked again. */
export interface Avoided {
  readonly groups: ReadonlySet<GroupId>;
  readonly disks: ReadonlySet<DiskId>;
  /** URLs of nodes: one that was started again somewhere else is another place. */
  readonly places: ReadonlySet<string>;
}

export interface GroupLoad {
  /** False while the node is avoided because it failed just now. */
  usable(member: GroupMember): boolean;
  /** Bytes on their way to the group. */
  inFlight(group: GroupId): number;
  /** In [0, 1); spreads writers over groups that are equally good. */
  fraction(): number;
}

export interface ChosenGroup {
  readonly group: WritableGroup;
  readonly rank: GroupRank;
}

/** The healthiest group that is not to be avoided, and of those the one with the least on its way to it. */
export function chooseGroup(
  groups: readonly WritableGroup[],
  avoided: Avoided,
  load: GroupLoad,
): ChosenGroup | undefined {
  let best: ChosenGroup | undefined;
  let bestCost = Number.POSITIVE_INFINITY;
  for (const group of groups) {
    if (isAvoided(group, avoided)) continue;
    const rank = rankOf(group, load);
    // The rank outweighs any load; chance decides between equals only.
    const cost = ranks.indexOf(rank) * 2 ** 50 + load.inFlight(group.id) * 2 + load.fraction();
    if (cost < bestCost) {
      best = { group, rank };
      bestCost = cost;
    }
  }
  return best;
}

/** How well a group fares as a whole: as its worst member. */
export function rankOf(group: WritableGroup, load: Pick<GroupLoad, "usable">): GroupRank {
  if (group.members.some(({ health }) => health === "down")) return "down";
  if (group.members.some((member) => !load.usable(member))) return "avoided";
  return group.members.some(({ health }) => health === "suspect") ? "suspect" : "healthy";
}

export function isAvoided(group: WritableGroup, avoided: Avoided): boolean {
  if (avoided.groups.has(group.id)) return true;
  return group.members.some(({ disk, url }) => avoided.disks.has(disk) || avoided.places.has(url));
}
