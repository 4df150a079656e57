import {
  asStorageError,
  type ChunkId,
  type CommittedChunk,
  type DiskId,
  type GroupId,
  type GroupMember,
  isKind,
  limits,
  type Receipt,
  StorageError,
  type WritableGroup,
} from "@cairn/protocol";
import type { DriveEnv } from "../drive-env.ts";
import { cancelled, linkedController } from "../nodes/deadline.ts";
import type { NodeBoard } from "../nodes/node-board.ts";
import { patience, retrying } from "../retry.ts";
import { type ChosenGroup, chooseGroup, type GroupLoad, rankOf } from "./group-choice.ts";
import type { HeldLease } from "./held-lease.ts";
import { MemberFailure, WriteAttempts } from "./write-attempts.ts";

/** Small chunks stay on one group for so many, so that they share requests and syncs. */
const smallChunksPerTurn = 128;
const fullDiskPauseMs = 10_000;
const overloadPauseMs = 50;

export interface ChunkToWrite {
  readonly id: ChunkId;
  /** Must not change until the write has ended, and not after it failed either: a late node may still be reading them. */
  readonly bytes: Uint8Array;
}

/**
 * Puts chunks on all members of a group at once. A member that fails or is slow costs the chunk this group, not the
 * write: another group takes the chunk, under a new generation.
 */
export class ReplicatedWrite {
  readonly #env: DriveEnv;
  readonly #board: NodeBoard;
  readonly #load: GroupLoad;
  readonly #bytesInFlight = new Map<GroupId, number>();
  readonly #fullDisks = new Map<DiskId, number>();
  readonly #abandoned;
  #turn: { readonly group: GroupId; left: number } | undefined;

  constructor(env: DriveEnv, board: NodeBoard) {
    this.#env = env;
    this.#board = board;
    this.#load = {
      usable: (member) => board.peer(member).usable && !this.#isFull(member.disk),
      inFlight: (group) => this.#bytesInFlight.get(group) ?? 0,
      fraction: () => env.random.fraction(),
    };
    this.#abandoned = env.metrics.counter(
      "cairn_drive_groups_abandoned_total",
      "Times a chunk had to leave a group because a member failed.",
    );
  }

  /**
   * Answers when every member of one group has the chunk synced and has proved it. Throws unavailable when
   * groupsPerChunkMax groups failed again and again (details.nodes), no-space when nothing but full disks stood in the way, cancelled.
   */
  write(lease: HeldLease, chunk: ChunkToWrite, signal?: AbortSignal): Promise<CommittedChunk> {
    return retrying(this.#env, { signal, patienceMs: patience.chunk }, () => this.#tryGroups(lease, chunk, signal));
  }

  async #tryGroups(lease: HeldLease, chunk: ChunkToWrite, signal: AbortSignal | undefined): Promise<CommittedChunk> {
    const attempts = new WriteAttempts(chunk.id);
    const begunAt = this.#env.clock.monotonic();
    while (attempts.count < limits.groupsPerChunkMax) {
      if (signal?.aborted) throw cancelled("write chunk");
      const chosen = await this.#choose(lease, chunk.bytes.length, { attempts, begunAt });
      if (!chosen) break;
      const written = await this.#tryGroup(lease, chosen.group, { chunk, attempts, signal });
      if (written) return written;
    }
    throw attempts.verdict(lease.copies);
  }

  /** Asks for fresh groups before it settles for one that is known to be bad. */
  async #choose(
    lease: HeldLease,
    bytes: number,
    { attempts, begunAt }: { attempts: WriteAttempts; begunAt: number },
  ): Promise<ChosenGroup | undefined> {
    const chosen = this.#chooseOf(lease, bytes, attempts);
    if (chosen && (chosen.rank === "healthy" || chosen.rank === "suspect")) return chosen;
    try {
      // With no group left the write would fail: groups from before it began may name nodes that moved since.
      await (chosen ? lease.refresh() : lease.refresh(begunAt));
    } catch (error) {
      if (!chosen) attempts.noGroups(asStorageError(error, "renew lease"));
    }
    return this.#chooseOf(lease, bytes, attempts);
  }

  #chooseOf(lease: HeldLease, bytes: number, attempts: WriteAttempts): ChosenGroup | undefined {
    const load = attempts.wary.size === 0 ? this.#load : this.#waryLoad(attempts.wary);
    if (bytes > limits.batchedChunkBytesMax) return chooseGroup(lease.groups, attempts, load);
    const turn = this.#turn;
    if (attempts.count === 0 && turn && turn.left > 0) {
      const group = lease.groups.find(({ id }) => id === turn.group);
      if (group && rankOf(group, this.#load) === "healthy") {
        turn.left--;
        return { group, rank: "healthy" };
      }
    }
    const chosen = chooseGroup(lease.groups, attempts, load);
    this.#turn = chosen && { group: chosen.group.id, left: smallChunksPerTurn - 1 };
    return chosen;
  }

  #waryLoad(wary: ReadonlySet<DiskId>): GroupLoad {
    return { ...this.#load, usable: (member) => !wary.has(member.disk) && this.#load.usable(member) };
  }

  async #tryGroup(
    lease: HeldLease,
    group: WritableGroup,
    work: { chunk: ChunkToWrite; attempts: WriteAttempts; signal: AbortSignal | undefined },
  ): Promise<CommittedChunk | undefined> {
    const { id, bytes } = work.chunk;
    const write = { id, bytes, generation: lease.nextGeneration(), token: group.writeToken };
    const { members } = group;
    // Those of the moment when the group was chosen: a renewal may bring others meanwhile.
    const { copies } = lease;
    const startedAt = this.#env.clock.monotonic();
    this.#account(group.id, bytes.length);
    // What was abandoned should not go on holding its bytes; a batch is not worth a controller for each of its chunks.
    const stop = bytes.length > limits.batchedChunkBytesMax ? linkedController(work.signal) : undefined;
    try {
      const receipts = await Promise.all(
        members.map(async (member) => {
          try {
            return checked(await this.#board.peer(member).put(write, stop?.signal ?? work.signal), member, group);
          } catch (error) {
            throw new MemberFailure(member, asStorageError(error, "write chunk"));
          }
        }),
      );
      if (distinctDisks(receipts) === copies) {
        return { id, length: bytes.length, group: group.id, written: { generation: write.generation, receipts } };
      }
      throw new StorageError("internal", "write chunk", `group ${group.id} has not ${copies} distinct disks`);
    } catch (failure) {
      stop?.abort();
      if (!(failure instanceof MemberFailure)) throw failure;
      await this.#abandon(lease, group, { ...work, failure, startedAt });
      return undefined;
    } finally {
      stop?.unlink();
      this.#account(group.id, -bytes.length);
    }
  }

  /** Notes why a group is left alone. No refusal ends a write at once: the request may have been damaged on its way. */
  async #abandon(
    lease: HeldLease,
    group: WritableGroup,
    work: { attempts: WriteAttempts; signal: AbortSignal | undefined; failure: MemberFailure; startedAt: number },
  ): Promise<void> {
    const { attempts, signal } = work;
    const { member, error } = work.failure;
    if (signal?.aborted) throw cancelled("write chunk");
    if (isKind(error, "no-space")) this.#fullDisks.set(member.disk, this.#env.clock.monotonic() + fullDiskPauseMs);
    this.#env.log.debug({ node: member.node, disk: member.disk, err: error }, "a chunk leaves a group");
    this.#abandoned.add(1);
    this.#turn = undefined;
    const next = attempts.failed(group, work.failure);
    if (next === "pause") {
      await this.#env.clock.sleep(overloadPauseMs * attempts.overloads * (0.5 + this.#env.random.fraction()), signal);
    }
    // Without an answer the groups at hand have to do; the next choice looks again.
    if (next === "refresh")
      await lease.refresh(work.startedAt).catch((err) => this.#env.log.debug({ err }, "no fresh groups"));
  }

  #isFull(disk: DiskId): boolean {
    const until = this.#fullDisks.get(disk);
    if (until === undefined) return false;
    if (this.#env.clock.monotonic() < until) return true;
    this.#fullDisks.delete(disk);
    return false;
  }

  #account(group: GroupId, bytes: number): void {
    const sum = (this.#bytesInFlight.get(group) ?? 0) + bytes;
    if (sum === 0) this.#bytesInFlight.delete(group);
    else this.#bytesInFlight.set(group, sum);
  }
}

/** A receipt counts only from the disk and the epoch that were asked. */
function checked(receipt: Receipt, member: GroupMember, group: WritableGroup): Receipt {
  if (receipt.disk === member.disk && receipt.epoch === group.epoch) return receipt;
  const what = `${member.node} gave a receipt of disk ${receipt.disk}, epoch ${receipt.epoch}`;
  throw new StorageError("stale", "write chunk", what);
}

function distinctDisks(receipts: readonly Receipt[]): number {
  return new Set(receipts.map(({ disk }) => disk)).size;
}
