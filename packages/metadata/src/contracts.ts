import type { Sql } from "@cairn/env";
import type { CommittedChunk, GroupId, GroupView, LeaseId } from "@cairn/protocol";

/** A chunk of a commit that was written for it: it comes with its generation and receipts. */
export interface WrittenChunk extends CommittedChunk {
  readonly written: NonNullable<CommittedChunk["written"]>;
}

/** Tells inside a transaction whether a lease still allows commits (storage-design §2, I3). */
export interface LeaseGate {
  /**
   * Reads the lease's row in the caller's transaction, so that a close either happens before it and is seen, or waits
   * for the end of it. Throws stale when the lease is closed or was never given.
   */
  assertOpen(sql: Sql, lease: LeaseId): Promise<void>;
}

/** Checks the proofs that a chunk is on its disks (storage-design §2, steps 4 and 5d). */
export interface ReceiptJudge {
  /**
   * The receipts must be genuine, of one epoch, and come from `copies` distinct disks on distinct nodes that are members
   * of the chunk's group. `stale`: the group's epoch has risen since, so the chunk may be missing on a new member; the
   * caller then leaves a repair row. Keys and members may be cached, the epoch is the one of the caller's transaction.
   * Throws unauthenticated (not genuine), invalid (not enough, not members) or not-found (no such group).
   */
  judge(sql: Sql, chunk: WrittenChunk, copies: number): Promise<{ readonly stale: boolean }>;
}

/** Groups as readers see them: members, health, read token. */
export interface GroupViews {
  /** One view per distinct id, in no order; a group that does not exist is left out. */
  views(ids: readonly GroupId[]): Promise<readonly GroupView[]>;
}
