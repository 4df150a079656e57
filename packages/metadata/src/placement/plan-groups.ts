import { type DiskId, limits, type NodeId } from "@cairn/protocol";
import { copysetsOf } from "./copysets.ts";

/** A disk that may take new chunks now: its node is online, and it is neither full nor suspect nor failed. */
export interface EligibleDisk {
  readonly disk: DiskId;
  readonly node: NodeId;
  readonly totalBytes: number;
  readonly freeBytes: number;
}

export interface GroupPlanInput {
  readonly copies: number;
  /** Every node of the cluster that has a disk, healthy or not: the copysets follow membership, not health. */
  readonly nodes: readonly NodeId[];
  readonly eligible: readonly EligibleDisk[];
  /** Disks of the groups that can be written now, all on eligible disks. */
  readonly usable: readonly (readonly DiskId[])[];
}

/**
 * Which groups to create so that about `writableGroupsPerDisk` are writable per disk, more on those with more free space.
 * Each answer lists a group's disks, on distinct nodes and on one copyset. Empty when there are enough or none is possible.
 */
export function planGroups(input: GroupPlanInput): readonly (readonly DiskId[])[] {
  const field = new PlanField(input);
  const wanted = Math.ceil((limits.writableGroupsPerDisk * input.eligible.length) / input.copies);
  const planned: DiskId[][] = [];
  let total = input.usable.length;
  while (total < wanted || (field.neediest() >= 1 && total < 2 * wanted)) {
    const disks = field.choose();
    if (!disks) break;
    field.take(disks);
    planned.push(disks);
    total++;
  }
  return planned;
}

/** Bytes at which a group is sealed: small on small disks, so that even those have hundreds of groups to balance with. */
export function groupBytesMax(disks: readonly { readonly totalBytes: number }[]): number {
  const smallest = Math.min(...disks.map((disk) => disk.totalBytes));
  return Math.min(Math.max(Math.floor(smallest / 512), limits.groupBytesMin), limits.groupBytesMax);
}

class PlanField {
  readonly #copysets: readonly (readonly NodeId[])[];
  readonly #disksOf = new Map<NodeId, EligibleDisk[]>();
  /** How many groups a disk still lacks to have its share. */
  readonly #lack = new Map<DiskId, number>();
  readonly #times = new Map<string, number>();

  constructor(input: GroupPlanInput) {
    for (const disk of input.eligible) {
      const disks = this.#disksOf.get(disk.node) ?? [];
      disks.push(disk);
      this.#disksOf.set(disk.node, disks);
    }
    this.#copysets = usableCopysets(input, this.#disksOf);
    for (const [disk, share] of sharesOf(input)) this.#lack.set(disk, share);
    for (const disks of input.usable) this.take(disks);
  }

  /** What the disk lacks that lacks most, among those a group is possible on. */
  neediest(): number {
    let most = Number.NEGATIVE_INFINITY;
    for (const set of this.#copysets) {
      for (const node of set)
        for (const disk of this.#disksOf.get(node) ?? []) most = Math.max(most, this.#lackOf(disk));
    }
    return most;
  }

  /** The copyset and disks around the neediest disk whose others lack most too; undefined when no copyset is healthy. */
  choose(): DiskId[] | undefined {
    const neediest = this.neediest();
    let best: { disks: DiskId[]; score: number } | undefined;
    for (const set of this.#copysets) {
      const chosen = set.map((node) => this.#neediestOf(node));
      if (!chosen.some((disk) => this.#lackOf(disk) === neediest)) continue;
      const disks = chosen.map((disk) => disk.disk);
      // Among equals the set that has been used least, so that groups spread over all sets.
      const score = chosen.reduce((sum, disk) => sum + this.#lackOf(disk), 0) - this.#timesOf(disks) / 1000;
      if (!best || score > best.score) best = { disks, score };
    }
    return best?.disks;
  }

  take(disks: readonly DiskId[]): void {
    for (const disk of disks) this.#lack.set(disk, (this.#lack.get(disk) ?? 0) - 1);
    this.#times.set(keyOfDisks(disks), this.#timesOf(disks) + 1);
  }

  #neediestOf(node: NodeId): EligibleDisk {
    const disks = this.#disksOf.get(node) ?? [];
    return disks.reduce((best, disk) => (this.#lackOf(disk) > this.#lackOf(best) ? disk : best));
  }

  #lackOf(disk: EligibleDisk): number {
    return this.#lack.get(disk.disk) ?? 0;
  }

  #timesOf(disks: readonly DiskId[]): number {
    return this.#times.get(keyOfDisks(disks)) ?? 0;
  }
}

/** The copysets of all nodes that are wholly eligible; if none is, those of the eligible nodes alone: writes go first. */
function usableCopysets(
  input: GroupPlanInput,
  disksOf: ReadonlyMap<NodeId, readonly EligibleDisk[]>,
): readonly (readonly NodeId[])[] {
  const listed = copysetsOf(input.nodes, input.copies).filter((set) => set.every((node) => disksOf.has(node)));
  return listed.length > 0 ? listed : copysetsOf([...disksOf.keys()], input.copies);
}

/** Groups that each disk should carry: by free space, but no more than there are groups, since a disk is in a group once. */
function sharesOf(input: GroupPlanInput): Map<DiskId, number> {
  const groups = Math.ceil((limits.writableGroupsPerDisk * input.eligible.length) / input.copies);
  const shares = new Map<DiskId, number>();
  let open = [...input.eligible];
  let places = groups * input.copies;
  while (open.length > 0) {
    const free = open.reduce((sum, disk) => sum + weightOf(disk), 0);
    const shareOf = (disk: EligibleDisk): number => (places * weightOf(disk)) / free;
    const capped = open.filter((disk) => shareOf(disk) > groups);
    for (const disk of capped.length > 0 ? capped : open) {
      shares.set(disk.disk, capped.length > 0 ? groups : shareOf(disk));
    }
    if (capped.length === 0) break;
    open = open.filter((disk) => !capped.includes(disk));
    places -= groups * capped.length;
  }
  return shares;
}

function weightOf(disk: EligibleDisk): number {
  return Math.max(disk.freeBytes, 1);
}

function keyOfDisks(disks: readonly DiskId[]): string {
  return [...disks].sort((a, b) => a - b).join("-");
}
