import { spellDigest } from "@cairn/protocol";
import type { ClusterCore } from "../../service/cluster-core.ts";
import type { CopyName } from "./copy-checks.ts";

/** A digest, and of how many records. */
export interface CopySum {
  readonly digest: string;
  readonly records: number;
}

/** What an empty copy, or one that is not there, is worth. */
const emptySum: CopySum = { digest: spellDigest(0n), records: 0 };

/** What the disk's node last told of a copy; undefined when it has not told of it. */
export function reportedSum(
  { copies, map }: Pick<ClusterCore, "copies" | "map">,
  { group, disk }: CopyName,
): CopySum | undefined {
  const told = copies.of(group).get(disk)?.digest;
  if (told) return told;
  const node = map.disk(disk)?.node;
  return node && copies.heardAll(node) ? emptySum : undefined;
}

export function isSameSum(one: CopySum, other: CopySum): boolean {
  return one.digest === other.digest && one.records === other.records;
}
