import { type GroupId, isKind, StorageError } from "@cairn/protocol";
import type { EngineParts } from "./engine-parts.ts";
import type { GroupAppender } from "./group-appender.ts";
import type { GroupRecords } from "./group-records.ts";
import { deletedAt } from "./group-recovery.ts";
import { segmentName, unfinishedName } from "./segment-format.ts";
import { RewrittenSegment, rewriteSegment } from "./segment-rewrite.ts";

/** Less of a segment than this is not worth the writing. */
const deadFractionMin = 0.25;

/** A segment that holds dead bytes which may go. */
export interface Compactable {
  readonly group: GroupId;
  readonly segment: number;
  readonly deadBytes: number;
  readonly liveBytes: number;
}

export interface CompactionWish {
  /** Dead records whose tombstones are younger than this stay. */
  readonly trashMs: number;
  /** Every dead byte is worth the writing. */
  readonly urgent: boolean;
}

export interface CompactionOrder {
  readonly segment: number;
  readonly trashMs: number;
  /** Awaited before so many bytes are copied. */
  readonly pace: (bytes: number) => Promise<void>;
  readonly signal: AbortSignal;
}

export interface CompactionParts {
  readonly group: GroupId;
  readonly folder: string;
  readonly appender: GroupAppender;
  readonly records: GroupRecords;
  readonly sealed: () => boolean;
  /** Runs the work while the records move neither into memory nor out of it; `closed` then says whether the group is gone. */
  readonly inTurn: (work: (closed: boolean) => Promise<void>) => Promise<void>;
}

/**
 * Gives back the bytes of deleted records: a segment is written anew without them, and the new file takes the place of the old
 * one with one rename. What the leader has not deleted is never dropped, nor is anything that cannot be read.
 */
export class GroupCompaction {
  readonly #parts: EngineParts;
  readonly #group: CompactionParts;
  #running = false;

  constructor(parts: EngineParts, group: CompactionParts) {
    this.#parts = parts;
    this.#group = group;
  }

  compactable({ trashMs, urgent }: CompactionWish): Compactable[] {
    const { group, records, appender } = this.#group;
    return records.dead.until(this.#parts.clock.now() - trashMs).flatMap(({ segment, deadBytes }) => {
      const bytes = this.#compactableBytes(segment);
      if (bytes === undefined || (!urgent && deadBytes < bytes * deadFractionMin)) return [];
      return [{ group, segment, deadBytes, liveBytes: Math.max((appender.endedBytes(segment) ?? 0) - deadBytes, 0) }];
    });
  }

  /**
   * Throws conflict when the segment grows, is damaged, or another one is being written; corrupt when damage is found on the
   * way, which is set aside; no-space, cancelled. The segment is as it was then.
   */
  async compact(order: CompactionOrder): Promise<{ readonly freedBytes: number }> {
    const { folder } = this.#group;
    const bytes = this.#compactableBytes(order.segment);
    if (bytes === undefined || this.#running) throw this.#refusal(order.segment);
    const target = `${folder}/${unfinishedName(order.segment)}`;
    this.#running = true;
    try {
      const rewritten = await this.#rewrite(order, { bytes, target });
      await this.#putInPlace(order.segment, { bytes, rewritten, target });
      return { freedBytes: bytes - rewritten.bytes };
    } catch (error) {
      await this.#discard(target);
      throw error;
    } finally {
      this.#running = false;
    }
  }

  /** Bytes of a segment that may be written anew: it grows no more, and everything in it can be read. */
  #compactableBytes(segment: number): number | undefined {
    const { appender, records, sealed } = this.#group;
    // A start would take the newest segment of an open group for the one that grows.
    if (!sealed() && segment === appender.lastSegment) return undefined;
    return records.isDamaged(segment) ? undefined : appender.endedBytes(segment);
  }

  async #rewrite(
    { segment, trashMs, pace, signal }: CompactionOrder,
    { bytes, target }: { readonly bytes: number; readonly target: string },
  ): Promise<RewrittenSegment> {
    const { group, folder, records } = this.#group;
    const until = this.#parts.clock.now() - trashMs;
    const path = `${folder}/${segmentName(segment)}`;
    const rewritten = await rewriteSegment(this.#parts, {
      ...{ group, number: segment, path, bytes, target, pace, signal },
      mayDrop: ({ hash, generation }) => {
        const tombstone = generation !== 0 ? records.tombstone(hash, generation) : undefined;
        return tombstone !== undefined && deletedAt(tombstone) <= until;
      },
    });
    if (rewritten instanceof RewrittenSegment) return rewritten;
    // It counts as damaged from now on, so that it is replaced and the segment is left alone.
    await records.setAsideAt({ segment, ...rewritten, why: "compaction found it damaged" });
    throw new StorageError("corrupt", "compact segment", `${path} is damaged at ${rewritten.offset}`, {
      hint: "The segment stays as it is. What is damaged is copied from another disk.",
    });
  }

  /** The one step that changes anything: a crash before it leaves the old segment, and one after it the new one. */
  async #putInPlace(
    segment: number,
    { bytes, rewritten, target }: { bytes: number; rewritten: RewrittenSegment; target: string },
  ): Promise<void> {
    const { folder, appender, records, inTurn } = this.#group;
    const path = `${folder}/${segmentName(segment)}`;
    await inTurn(async (closed) => {
      if (closed || this.#compactableBytes(segment) !== bytes) throw this.#refusal(segment);
      await records.toTable();
      this.#parts.crashPoint("engine.compact.before-rename");
      await records.gate.switch(async () => {
        await this.#parts.disk.rename(target, path);
        this.#parts.crashPoint("engine.compact.after-rename");
        let lasting = false;
        try {
          // First the name, then what is noted of the file: never the other way round on the disk.
          await this.#parts.disk.syncFolder(folder);
          lasting = true;
        } finally {
          // The name leads to the new file already, whether it lasts or not; both hold what is needed.
          await this.#parts.files.forget(path);
          appender.replaced(segment, { bytes: rewritten.bytes, lasting });
          records.moved(segment, rewritten);
        }
      });
      await appender.noteEnds();
      this.#parts.crashPoint("engine.compact.after-checkpoint");
    });
  }

  /** What was written and is not wanted; a start throws it away too. */
  async #discard(target: string): Promise<void> {
    try {
      await this.#parts.disk.remove(target);
    } catch (error) {
      if (isKind(error, "not-found")) return;
      this.#parts.log.warn({ err: error, file: target }, "an unfinished segment could not be removed; a start does");
    }
  }

  #refusal(segment: number): StorageError {
    const { group } = this.#group;
    return new StorageError(
      "conflict",
      "compact segment",
      `segment ${segment} of group ${group} cannot be written anew`,
    );
  }
}
