import type { DiskId, GroupId, NodeId } from "./ids.ts";

/** How the metadata server sees a node: suspect after 10 s of silence, down after 30 s. */
export type NodeHealth = "online" | "suspect" | "down";

/** active: takes and serves; draining: gives its groups away; maintenance: may be away without repair; removed: never again. */
export type NodeDuty = "active" | "draining" | "maintenance" | "removed";

/** One copy's place in a group. */
export interface GroupMember {
  readonly slot: number;
  readonly disk: DiskId;
  readonly node: NodeId;
  /** Base URL of the node's chunk API. */
  readonly url: string;
  readonly health: NodeHealth;
}

/** A group as readers see it: its members, and the right to read from them. */
export interface GroupView {
  readonly id: GroupId;
  /** Raised by every change of membership. */
  readonly epoch: number;
  readonly members: readonly GroupMember[];
  readonly readToken: string;
}

/** A group that a lease may write to. */
export interface WritableGroup {
  readonly id: GroupId;
  readonly epoch: number;
  readonly members: readonly GroupMember[];
  readonly writeToken: string;
}
