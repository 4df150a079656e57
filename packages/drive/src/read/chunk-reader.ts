import { asStorageError, type GroupMember, type GroupView, isKind, type ManifestEntry } from "@cairn/protocol";
import type { DriveEnv } from "../drive-env.ts";
import { cancelled, linkedController } from "../nodes/deadline.ts";
import type { NodeBoard } from "../nodes/node-board.ts";
import type { BadCopyReports } from "./bad-copy-reports.ts";
import { corrupt, verifyChunk } from "./chunk-verify.ts";
import { HedgeBudget } from "./hedge-budget.ts";
import { ReadFailures } from "./read-failures.ts";
import { orderReplicas, type ReplicaView } from "./replica-choice.ts";

/** A chunk, or part of one, that somebody wants. */
export interface WantedChunk {
  readonly chunk: ManifestEntry;
  /** Bytes of the chunk. Absent: all of it. */
  readonly range?: { readonly offset: number; readonly length: number } | undefined;
}

interface Attempt {
  readonly wanted: WantedChunk;
  readonly group: GroupView;
  readonly first: GroupMember;
  /** Members still to be asked, best first; a hedge takes the next of them. */
  readonly others: GroupMember[];
  readonly failures: ReadFailures;
  readonly signal: AbortSignal;
}

/** Reads one chunk from the best of its copies; a slow copy is raced by another, a bad one is reported and passed over. */
export class ChunkReader {
  readonly #env: DriveEnv;
  readonly #board: NodeBoard;
  readonly #reports: BadCopyReports;
  readonly #budget = new HedgeBudget();
  readonly #view: ReplicaView;
  readonly #hedges;

  constructor(env: DriveEnv, board: NodeBoard, reports: BadCopyReports) {
    this.#env = env;
    this.#board = board;
    this.#reports = reports;
    this.#hedges = env.metrics.counter("cairn_drive_hedged_reads_total", "Reads that were asked of a second node.");
    this.#view = {
      usable: (member) => board.peer(member).usable,
      score: (member) => board.peer(member).score,
      fraction: () => env.random.fraction(),
    };
  }

  /** Verified bytes, or why every member of the group failed. Throws cancelled. */
  async read(wanted: WantedChunk, group: GroupView, signal: AbortSignal): Promise<Uint8Array | ReadFailures> {
    this.#budget.earn();
    const others = orderReplicas(group.members, this.#view);
    const failures = new ReadFailures(wanted.chunk);
    for (let first = others.shift(); first; first = others.shift()) {
      if (signal.aborted) throw cancelled("read chunk");
      const bytes = await this.#attempt({ wanted, group, first, others, failures, signal });
      if (!bytes) continue;
      for (const { disk } of failures.missing) {
        this.#reports.report({ id: wanted.chunk.id, group: group.id, disk, what: "missing" });
      }
      return bytes;
    }
    if (signal.aborted) throw cancelled("read chunk");
    return failures;
  }

  /** Verified bytes of one member's copy. Throws as ChunkService.get; a corrupt copy is reported. */
  async readCopy(
    wanted: WantedChunk,
    at: { group: GroupView; member: GroupMember },
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    const { chunk, range } = wanted;
    const { group, member } = at;
    const length = range?.length ?? chunk.length;
    const read = { id: chunk.id, group: group.id, token: group.readToken, length, ...(range ? { range } : {}) };
    try {
      const bytes = await this.#board.peer(member).get(read, signal);
      if (range === undefined) await verifyChunk(this.#env.hasher, chunk, bytes);
      else if (bytes.length !== length) throw corrupt(`${bytes.length} bytes came where ${length} were asked for`);
      return bytes;
    } catch (error) {
      if (isKind(error, "corrupt")) {
        this.#reports.report({ id: chunk.id, group: group.id, disk: member.disk, what: "corrupt" });
      }
      throw error;
    }
  }

  /** Asks one member, and a second one when the first is late. Undefined when whoever was asked failed. */
  #attempt(attempt: Attempt): Promise<Uint8Array | undefined> {
    const { wanted, group, first, others, failures, signal } = attempt;
    return new Promise((resolve) => {
      const stop = linkedController(signal);
      let running = 0;
      const end = (bytes: Uint8Array | undefined): void => {
        const loser = running > 1;
        running = 0;
        late.cancel();
        stop.unlink();
        resolve(bytes);
        if (loser) stop.abort();
      };
      const ask = (member: GroupMember): void => {
        running++;
        this.readCopy(wanted, { group, member }, stop.signal).then(end, (error: unknown) => {
          if (running === 0) return;
          failures.add(member, asStorageError(error, "read chunk"));
          running--;
          if (running === 0) end(undefined);
        });
      };
      const bytes = wanted.range?.length ?? wanted.chunk.length;
      const late = this.#env.clock.after(this.#board.peer(first).hedgeAfterMs(bytes), () => {
        const [other] = others;
        if (running === 0 || !other || other.health === "down" || !this.#budget.spend()) return;
        others.shift();
        this.#hedges.add(1);
        ask(other);
      });
      ask(first);
    });
  }
}
