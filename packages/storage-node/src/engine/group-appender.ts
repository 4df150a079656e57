import { assert, type Generation, type GroupId, isKind } from "@cairn/protocol";
import type { EngineParts } from "./engine-parts.ts";
import { type GroupCheckpoint, writeCheckpoint } from "./group-checkpoint.ts";
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

export interface Placed {
  readonly segment: number;
  readonly offset: number;
}

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
  #writer: SegmentWriter | undefined;
  #tombstones: SegmentWriter | undefined;
  #sequence: number;
  #epoch: number;
  #lastSegment: number;
  #checkpointed: { durable: number; at: number };
  #sealedRecords = 0;

  constructor(parts: EngineParts, { group, folder, state }: { group: GroupId; folder: string; state: RecoveredGroup }) {
    this.#parts = parts;
    this.#group = group;
    this.#folder = folder;
    this.#writer = state.writer;
    this.#tombstones = state.tombstoneWriter;
    this.#sequence = state.nextSequence;
    this.#epoch = state.checkpoint.epoch;
    this.#lastSegment = state.segments.at(-1)?.number ?? 0;
    for (const { number, bytes } of state.segments) if (number !== state.writer?.number) this.#ended.set(number, bytes);
    this.#checkpointed = { durable: this.#writer?.durable ?? 0, at: parts.clock.monotonic() };
  }

  get epoch(): number {
    return this.#epoch;
  }

  get nextSequence(): number {
    return this.#sequence;
  }

  /** Records in the index of a group that was sealed by this process. */
  get sealedRecords(): number {
    return this.#sealedRecords;
  }

  segments(): { number: number; bytes: number }[] {
    const all = [...this.#ended].map(([number, bytes]) => ({ number, bytes }));
    if (this.#writer) all.push({ number: this.#writer.number, bytes: this.#writer.durable });
    return all.sort((a, b) => a.number - b.number);
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
      await this.#abandon(writer, error);
      throw error;
    }
    this.#sequence += request.sizes.length;
    this.#parts.meters.syncs(request.sizes.length, request.payloadBytes, this.#parts.clock.monotonic() - startedAt);
    await this.#checkpointIfDue();
    return placed;
  }

  async appendTombstones(deletes: readonly { hash: Uint8Array; generation: Generation }[]): Promise<void> {
    this.#tombstones ??= await SegmentWriter.create(this.#parts, {
      group: this.#group,
      folder: this.#folder,
      name: tombstoneFile,
      number: 0,
    });
    const writtenAt = this.#parts.clock.now();
    const buffers = deletes.flatMap(({ hash, generation }) => {
      const header = { type: "tombstone" as const, group: this.#group, generation, sequence: 0, writtenAt, hash };
      return encodeRecord(header, new Uint8Array(0), this.#parts.crc32c);
    });
    try {
      await this.#tombstones.append(buffers, this.#parts.crashPoint);
    } catch (error) {
      // The file is opened and checked anew by the next start; until then this group takes no deletes.
      await this.#tombstones.close();
      throw error;
    }
  }

  /** Ends the last segment with a seal. */
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
    await this.#end();
    this.#sealedRecords = this.#sequence;
  }

  async close(): Promise<void> {
    if (this.#writer && this.#writer.durable > this.#checkpointed.durable) await this.#checkpoint(this.#epoch);
    await this.#writer?.close();
    await this.#tombstones?.close();
  }

  async #writerFor(bytes: number): Promise<SegmentWriter> {
    if (this.#writer && this.#writer.durable + bytes > this.#parts.options.segmentBytes) await this.#end();
    if (this.#writer) return this.#writer;
    const number = this.#lastSegment + 1;
    assert(number < 256, "a group is sealed long before it has 255 segments");
    const place = { group: this.#group, folder: this.#folder, name: segmentName(number), number };
    // A start that failed after the file was made leaves it behind; nothing in it was ever acknowledged.
    if (await this.#parts.disk.exists(`${this.#folder}/${place.name}`))
      await this.#parts.disk.remove(`${this.#folder}/${place.name}`);
    this.#writer = await SegmentWriter.create(this.#parts, place);
    this.#lastSegment = number;
    this.#checkpointed = { durable: 0, at: this.#parts.clock.monotonic() };
    return this.#writer;
  }

  async #end(): Promise<void> {
    const writer = this.#writer;
    if (!writer) return;
    this.#ended.set(writer.number, writer.durable);
    this.#writer = undefined;
    await this.#checkpoint(this.#epoch);
    await writer.close();
  }

  /** After a failed sync the system may believe that lost bytes are written: this file is finished at its last sync. */
  async #abandon(writer: SegmentWriter, error: unknown): Promise<void> {
    this.#parts.log.error(
      { err: error, file: writer.path, durable: writer.durable },
      "append failed; the segment is ended where it was last synced",
    );
    this.#ended.set(writer.number, writer.durable);
    this.#writer = undefined;
    try {
      if (isKind(error, "no-space")) await writer.cutBack();
      await this.#checkpoint(this.#epoch);
    } catch (second) {
      this.#parts.log.error({ err: second, file: writer.path }, "the end of the segment could not be noted");
    } finally {
      await writer.close();
    }
  }

  async #checkpointIfDue(): Promise<void> {
    const { checkpointBytes, checkpointMs } = this.#parts.options;
    const grown = (this.#writer?.durable ?? 0) - this.#checkpointed.durable;
    const due = grown >= checkpointBytes || this.#parts.clock.monotonic() - this.#checkpointed.at >= checkpointMs;
    if (due) await this.#checkpoint(this.#epoch);
  }

  async #checkpoint(epoch: number): Promise<void> {
    const segments = new Map([...this.#ended].map(([number, durable]) => [number, { durable, ended: true }]));
    if (this.#writer) segments.set(this.#writer.number, { durable: this.#writer.durable, ended: false });
    const checkpoint: GroupCheckpoint = { epoch, segments };
    await writeCheckpoint(this.#parts.disk, `${this.#folder}/${checkpointFile}`, checkpoint, this.#parts.crc32c);
    this.#checkpointed = { durable: this.#writer?.durable ?? 0, at: this.#parts.clock.monotonic() };
  }
}
