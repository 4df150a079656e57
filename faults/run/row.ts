import type { RowContext } from "./row-context.ts";

/** What a row needs of the machine. */
export type Need =
  | "root"
  | "loop devices"
  | "xfs"
  | "ext4"
  | "strace"
  | "faketime"
  | "network namespaces"
  | "nftables"
  | "memory cgroup"
  | "blkio cgroup"
  | "prlimit";

/** One row of the fault table: a fault that is brought about on real processes, and what must come of it. */
export interface Row {
  /** `F01`, or `F05 xfs` where a row has several parts. */
  readonly id: string;
  readonly tier: 0 | 1;
  readonly title: string;
  readonly expected: string;
  readonly needs: readonly Need[];
  /** Runs with `npm test` too. */
  readonly quick?: boolean;
  /** Default: five minutes. */
  readonly limitMs?: number;
  readonly run: (context: RowContext) => Promise<void>;
}

export type RowState = "passed" | "failed" | "not run";

export interface RowResult {
  readonly id: string;
  readonly tier: 0 | 1;
  readonly title: string;
  readonly expected: string;
  readonly state: RowState;
  /** Why it failed, or was not run. */
  readonly reasons: readonly string[];
  /** Oracles that were asked, with how often. */
  readonly oracles: Readonly<Record<string, number>>;
  /** What was measured and counted on the way. */
  readonly figures: Readonly<Record<string, string | number>>;
  readonly seed: string;
  readonly seconds: number;
}
