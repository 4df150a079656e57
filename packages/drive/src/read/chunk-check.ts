import type { DiskId, ManifestEntry, NodeId } from "@cairn/protocol";

/** What reading one copy showed. ok: whole and right. unreachable: nobody knows. */
export type CheckedState = "ok" | "corrupt" | "missing" | "unreachable";

/** One chunk, read on every copy. */
export interface ChunkCheck extends ManifestEntry {
  readonly index: number;
  /** Byte of the file at which the chunk starts. */
  readonly offset: number;
  readonly copies: readonly CheckedCopy[];
}

export interface CheckedCopy {
  readonly disk: DiskId;
  readonly node: NodeId;
  readonly state: CheckedState;
  /** Why it is not ok, in words. */
  readonly reason: string | undefined;
}
