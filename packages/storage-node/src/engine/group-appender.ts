import { assert, type Generation, type GroupId, StorageError } from "@cairn/protocol";
import type { EngineParts } from "./engine-parts.ts";
import { type GroupCheckpoint, tombstoneSegment, writeCheckpoint } from "./group-checkpoint.ts";
import { checkpointFile, type RecoveredGroup, tombstoneFile } from "./group-recovery.ts";
import { encodeRecord, recordBytes } from "./record-format.ts";
import { segmentName } from "./segment-format.ts";
import { SegmentWriter } from "./segment-writer.ts";

export interface AppendRequest {
  /** Bytes of each record in the segment. */
  readonly sizes: readonly number[];
  readonly payloadBytes: number;
  readonly encode: (index: number, sequence: number) => Uint8Array[];
}

/** Which record is deleted, and how many bytes its chunk had. */
export interface Deletion {
  readonly hash: Uint8Array;
  readonly generation: Generation;
  readonly length: number;
}

export interface Placed {
  readonly segment: number;
  readonly offset: number;
}

/** The index has one byte for the number of a segment. */
const segmentsMax = 255;

/**
 * The writing side of one group: which segment grows, when the next one begins, and what the checkpoint notes. After a
 * failed write or sync a segment is ended where it was last synced and never written again.
 */
export class GroupAppender {
  readonly #parts: EngineParts;
  readonly #group: GroupId;
  readonly #folder: string;
  /** Bytes of each segment that has ended. */
  readonly #ended = new Map<number, number>();
  /** What is noted in place of that, where the old file may come back: of the new one its own header tells the bytes. */
  readonly #notedEnds = new Map<number, number>();
  #writer: SegmentWriter | undefined;
  /** Synced bytes of the file of tombstones; 0 until there is one. */
  #tombstoneBytes: number;
  /** Set when a sync of tombstones failed: what stands in the file is known again after the next start. */
  #tombstonesInDoubt = false;
  #sequence: number;
  #epoch: number;
  /** The epoch in the checkpoint: ahead of the one that counts while it is being raised. */
  #notedEpoch: number;
  #lastSegment: number;
  #checkpointed: { durable: number; tombstones: number; at: number };
  /** The end of a segment is in the checkpoint before the next one begins. */
  #endNoted = true;
  /** Records, tombstones and compaction note what they did in one file: one after the other. */
  #noting: Promise<void> = Promise.resolve();

  constructor(parts: EngineParts, { group, folder, state }: { group: GroupId; folder: string; state: RecoveredGroup }) {
    this.#parts = parts;
    this.#group = group;
    this.#folder = folder;
    this.#writer = state.writer;
    this.#tombstoneBytes = state.tombstoneBytes;
    this.#sequence = state.nextSequence;
    this.#epoch = state.checkpoint.epoch;
    this.#notedEpoch = state.checkpoint.epoch;
    this.#lastSegment = state.segments.at(-1)?.number ?? 0;
    for (const { number, bytes } of state.segments) if (number !== state.writer?.number) this.#ended.set(number, bytes);
    const noted = (number: number): number => state.checkpoint.segments.get(number)?.durable ?? 0;
    const durable = this.#writer ? noted(this.#writer.number) : 0;
    this.#checkpointed = { durable, tombstones: noted(tombstoneSegment), at: parts.clock.monotonic() };
  }

  get epoch(): number {
    return this.#epoch;
  }

  get nextSequence(): number {
    return this.#sequence;
  }

  /** Number and bytes of each segment, in order. */
  segments(): { number: number; bytes: number }[] {
    const all = [...this.#ended].map(([number, bytes]) => ({ number, bytes }));
    if (this.#writer) all.push({ number: this.#writer.number, bytes: this.#writer.durable });
    return all.sort((a, b) => a.number - b.number);
  }

  /** Bytes of a segment that takes no more records, or undefined. */
  endedBytes(number: number): number | undefined {
    return this.#ended.get(number);
  }

  /** The number of the newest segment: a start takes it for the one that grows. */
  get lastSegment(): number {
    return this.#lastSegment;
  }

  /**
   * Another file with so many bytes stands in place of a segment that has ended; `noteEnds` tells the checkpoint. Not lasting:
   * after a power cut the old file may stand there again, whole, and must not be taken for a longer one that was cut.
   */
  replaced(number: number, { bytes, lasting }: { readonly bytes: number; readonly lasting: boolean }): void {
    const before = this.#notedEnds.get(number) ?? this.#ended.get(number);
    assert(before !== undefined, "only a segment that has ended is replaced");
    this.#ended.set(number, bytes);
    if (lasting) this.#notedEnds.delete(number);
    else this.#notedEnds.set(number, before);
    this.#endNoted = false;
  }

  /** Notes the ends of all segments that have ended, if the checkpoint does not know them yet. */
  async noteEnds(): Promise<void> {
    if (!this.#endNoted) await this.#checkpoint(this.#epoch);
  }

  /** Notes a higher epoch on the disk before anything is written under it. */
  async raiseEpoch(epoch: number): Promise<void> {
    if (epoch <= this.#epoch) return;
    await this.#checkpoint(epoch);
    this.#epoch = epoch;
  }

  /** Writes and syncs all records or none; tells where each one stands. */
  async append(request: AppendRequest): Promise<Placed[]> {
    const total = request.sizes.reduce((sum, size) => sum + size, 0);
    await this.#checkpointIfDue();
    const writer = await this.#writerFor(total);
    const startedAt = this.#parts.clock.monotonic();
    const placed: Placed[] = [];
    const buffers: Uint8Array[] = [];
    let offset = writer.durable;
    for (const [index, size] of request.sizes.entries()) {
      buffers.push(...request.encode(index, this.#sequence + index));
      placed.push({ segment: writer.number, offset });
      offset += size;
    }
    try {
      await writer.append(buffers, this.#parts.crashPoint);
    } catch (error) {
      if (!writer.usable) await this.#abandon(writer, error);
      throw error;
    }
    this.#sequence += request.sizes.length;
    this.#parts.meters.syncs(request.sizes.length, request.payloadBytes, this.#parts.clock.monotonic() - startedAt);
    return placed;
  }

  /** Writes and syncs all tombstones or none. */
  async appendTombstones(deletions: readonly Deletion[]): Promise<void> {
    if (this.#tombstonesInDoubt) {
      throw new StorageError(
        "unavailable",
        "delete chunk",
        `group ${this.#group}: an earlier delete could not be synced`,
        {
          hint: "Check the disk, then restart the node.",
        },
      );
    }
    const writtenAt = this.#parts.clock.now();
    const group = this.#group;
    const buffers = deletions.flatMap(({ hash, generation, length }) => {
      const header = {
        type: "tombstone" as const,
        group,
        generation,
        sequence: 0,
        writtenAt,
        hash,
        logicalLength: length,
      };
      return encodeRecord(header, new Uint8Array(0), this.#parts.crc32c);
    });
    await this.#checkpointIfDue();
    // Deletes are rare and come in batches: the file is not kept open, since every group may have one.
    const writer = await this.#tombstoneWriter();
    try {
      await writer.append(buffers, this.#parts.crashPoint);
    } finally {
      this.#tombstonesInDoubt = !writer.usable;
      this.#tombstoneBytes = writer.durable;
      await writer.close();
    }
  }

  /** Writes a seal behind the last record. */
  async appendSeal(): Promise<void> {
    const hash = new Uint8Array(32);
    const header = {
      type: "seal" as const,
      group: this.#group,
      generation: 0 as const,
      writtenAt: this.#parts.clock.now(),
      hash,
    };
    await this.append({
      sizes: [recordBytes(0)],
      payloadBytes: 0,
      encode: (_, sequence) => encodeRecord({ ...header, sequence }, new Uint8Array(0), this.#parts.crc32c),
    });
  }

  /** Ends the segment that grows. */
  async end(): Promise<void> {
    await this.#end();
    await this.noteEnds();
  }

  async close(): Promise<void> {
    const { durable, tombstones } = this.#checkpointed;
    try {
      const news = (this.#writer?.durable ?? durable) !== durable || this.#tombstoneBytes !== tombstones;
      if (news || !this.#endNoted) await this.#checkpoint(this.#epoch);
    } finally {
      await this.#writer?.close();
      this.#writer = undefined;
    }
  }

  async #writerFor(bytes: number): Promise<SegmentWriter> {
    if (this.#writer && this.#writer.durable + bytes > this.#parts.options.segmentBytes) await this.#end();
    if (!this.#endNoted) await this.#checkpoint(this.#epoch);
    if (this.#writer) return this.#writer;
    const number = this.#lastSegment + 1;
    if (number > segmentsMax) {
      throw new StorageError("unavailable", "put chunk", `group ${this.#group} has ${segmentsMax} segments`, {
        hint: "Take another group; this one has to be sealed.",
      });
    }
    this.#parts.crashPoint("engine.segment.before-create");
    this.#writer = await this.#create(segmentName(number), number);
    this.#lastSegment = number;
    this.#checkpointed = { ...this.#checkpointed, durable: 0, at: this.#parts.clock.monotonic() };
    return this.#writer;
  }

  async #tombstoneWriter(): Promise<SegmentWriter> {
    if (this.#tombstoneBytes === 0) return this.#create(tombstoneFile, tombstoneSegment);
    const place = { path: `${this.#folder}/${tombstoneFile}`, number: tombstoneSegment };
    return SegmentWriter.reopen(this.#parts.disk, { ...place, noted: this.#tombstoneBytes, end: this.#tombstoneBytes });
  }

  async #create(name: string, number: number): Promise<SegmentWriter> {
    const path = `${this.#folder}/${name}`;
    // A start that failed after the file was made leaves it behind; nothing in it was ever acknowledged.
    if (await this.#parts.disk.exists(path)) await this.#parts.disk.remove(path);
    return SegmentWriter.create(this.#parts, { group: this.#group, folder: this.#folder, name, number });
  }

  async #end(): Promise<void> {
    const writer = this.#writer;
    if (!writer) return;
    this.#ended.set(writer.number, writer.durable);
    this.#writer = undefined;
    this.#endNoted = false;
    await writer.close();
    await this.#checkpoint(this.#epoch);
  }

  /** After a failed sync the system may believe that lost bytes are written: this file is finished at its last sync. */
  async #abandon(writer: SegmentWriter, error: unknown): Promise<void> {
    this.#parts.log.error(
      { err: error, file: writer.path, durable: writer.durable },
      "append failed; the segment is ended where it was last synced",
    );
    try {
      await this.#end();
    } catch (second) {
      // The next append notes it first, and fails if it still cannot.
      this.#parts.log.error({ err: second, file: writer.path }, "the end of the segment could not be noted yet");
    }
  }

  async #checkpointIfDue(): Promise<void> {
    const { checkpointBytes, checkpointMs } = this.#parts.options;
    const grown = (this.#writer?.durable ?? 0) - this.#checkpointed.durable;
    const due = grown >= checkpointBytes || this.#parts.clock.monotonic() - this.#checkpointed.at >= checkpointMs;
    if (due) await this.#checkpoint(this.#epoch);
  }

  async #checkpoint(epoch: number): Promise<void> {
    const noting = this.#noting.catch(() => undefined).then(() => this.#note(epoch));
    this.#noting = noting;
    await noting;
  }

  async #note(wanted: number): Promise<void> {
    // An epoch that was noted meanwhile is never taken back.
    const epoch = Math.max(wanted, this.#notedEpoch);
    const ends = this.#ends();
    const segments = new Map([...ends].map(([number, durable]) => [number, { durable, ended: true }]));
    if (this.#writer) segments.set(this.#writer.number, { durable: this.#writer.durable, ended: false });
    if (this.#tombstoneBytes > 0) segments.set(tombstoneSegment, { durable: this.#tombstoneBytes, ended: false });
    const checkpoint: GroupCheckpoint = { epoch, segments };
    const noted = { durable: this.#writer?.durable ?? 0, tombstones: this.#tombstoneBytes };
    this.#parts.crashPoint("engine.checkpoint.before-write");
    await writeCheckpoint(this.#parts.disk, `${this.#folder}/${checkpointFile}`, checkpoint, this.#parts.crc32c);
    this.#parts.crashPoint("engine.checkpoint.after-write");
    this.#notedEpoch = epoch;
    this.#endNoted = [...this.#ends()].every(([number, bytes]) => ends.get(number) === bytes);
    this.#checkpointed = { ...noted, at: this.#parts.clock.monotonic() };
  }

  /** By number: where each segment that has ended ends, as the checkpoint is to say it. */
  #ends(): Map<number, number> {
    return new Map([...this.#ended, ...this.#notedEnds]);
  }
}
