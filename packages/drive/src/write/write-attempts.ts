import {
  type ChunkId,
  type DiskId,
  type GroupId,
  type GroupMember,
  isKind,
  StorageError,
  type WritableGroup,
} from "@cairn/protocol";
import { isSilence } from "../nodes/silence.ts";
import type { Avoided } from "./group-choice.ts";

const overloadsMax = 8;

/** A member that did not store a chunk, and why. */
export class MemberFailure extends Error {
  readonly member: GroupMember;
  readonly error: StorageError;

  constructor(member: GroupMember, error: StorageError) {
    super(error.message);
    this.member = member;
    this.error = error;
  }
}

/** What one chunk met on its way to a group that took it. */
export class WriteAttempts implements Avoided {
  readonly groups: Set<GroupId> = new Set();
  readonly disks: Set<DiskId> = new Set();
  readonly places: Set<string> = new Set();
  /** Disks whose node answered that it cannot take the chunk: other groups come first. */
  readonly wary: Set<DiskId> = new Set();
  readonly #chunk: ChunkId;
  readonly #failures: MemberFailure[] = [];
  #noGroups: StorageError | undefined;
  #overloads = 0;
  #count = 0;

  constructor(chunk: ChunkId) {
    this.#chunk = chunk;
  }

  /** Attempts that used up a group. */
  get count(): number {
    return this.#count;
  }

  /** Times that a node asked for patience. */
  get overloads(): number {
    return this.#overloads;
  }

  /** Tells what to do before the next attempt. A node that is overloaded does not use up a group, up to a limit. */
  failed(group: WritableGroup, failure: MemberFailure): "go on" | "pause" | "refresh" {
    const { member, error } = failure;
    this.#failures.push(failure);
    if (isKind(error, "overloaded") && this.#overloads < overloadsMax) {
      this.#overloads++;
      return "pause";
    }
    this.#count++;
    if (isKind(error, "stale", "unauthenticated", "forbidden")) {
      this.groups.add(group.id);
      return "refresh";
    }
    if (isKind(error, "unavailable") && !isSilence(error)) {
      this.groups.add(group.id);
      this.wary.add(member.disk);
      return "refresh";
    }
    if (isKind(error, "no-space")) this.disks.add(member.disk);
    else if (isKind(error, "overloaded")) this.groups.add(group.id);
    // Not the group: its member may be found at another place.
    else this.places.add(member.url);
    return "go on";
  }

  /** Fresh groups could not be had. */
  noGroups(error: StorageError): void {
    this.#noGroups = error;
  }

  /**
   * Why the chunk could not be written, with every place that failed it. No chunk is larger than nodes take: one that calls
   * it too large got a damaged request, and has failed like any other.
   */
  verdict(copies: number): StorageError {
    const reasons = this.#failures.map(({ member, error }) => `${member.node}: ${error.kind}: ${error.subject}`);
    const nodes = [...new Set(this.#failures.map(({ member }) => member.node))];
    const cause = this.#failures.at(-1)?.error ?? this.#noGroups;
    if (this.#failures.length > 0 && this.#failures.every(({ error }) => isKind(error, "no-space"))) {
      return new StorageError("no-space", "write chunk", `the disks of ${nodes.join(", ")} are full`, {
        hint: "Free space, or add a disk or a storage node.",
        details: { chunk: this.#chunk, nodes },
      });
    }
    const what = reasons.length === 0 ? `no group of ${copies} healthy nodes is left` : reasons.join("; ");
    return new StorageError("unavailable", "write chunk", what, {
      hint: `${copies} storage nodes must be reachable to write; see the state of the nodes with: cairn status`,
      details: { chunk: this.#chunk, nodes, reasons },
      ...(cause === undefined ? {} : { cause }),
    });
  }
}
