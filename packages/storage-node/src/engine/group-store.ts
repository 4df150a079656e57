import {
  assert,
  type ChunkBlocks,
  type ChunkId,
  type Generation,
  type GroupDigest,
  type GroupId,
  hashOfChunkId,
  type InventoryPage,
  type Outcome,
  StorageError,
  succeeded,
} from "@cairn/protocol";
import { AppendQueue } from "./append-queue.ts";
import { type Location, tableEntriesMax } from "./chunk-table.ts";
import type { CopyFinding, ScrubbedRecords } from "./copy-findings.ts";
import type { EngineParts } from "./engine-parts.ts";
import { type Deletion, GroupAppender } from "./group-appender.ts";
import { type Compactable, type CompactionOrder, type CompactionWish, GroupCompaction } from "./group-compaction.ts";
import { GroupRecords } from "./group-records.ts";
import { type RecoveredGroup, recoverGroup } from "./group-recovery.ts";
import type { QuarantinedPlace } from "./quarantine.ts";
import { encodeRecord, recordBytes } from "./record-format.ts";
import { groupFolder } from "./segment-format.ts";

/** A chunk to append. Its bytes were checked against its hash. */
export interface GroupPut {
  readonly hash: Uint8Array;
  readonly generation: Generation;
  readonly epoch: number;
  readonly bytes: Uint8Array;
}

/** All that one disk holds of one group: its segments, its index, its tombstones. */
export class GroupStore implements AsyncDisposable {
  readonly id: GroupId;
  readonly #parts: EngineParts;
  readonly #appender: GroupAppender;
  readonly #records: GroupRecords;
  readonly #compaction: GroupCompaction;
  readonly #puts: AppendQueue<GroupPut>;
  readonly #deletes: AppendQueue<Deletion>;
  #sealed: boolean;
  /** Sealing, and what moves records between index and memory: one at a time. */
  #turning: Promise<void> = Promise.resolve();
  #sealing = false;
  #closed = false;
  readonly #adopting = new Set<Promise<unknown>>();

  private constructor(
    parts: EngineParts,
    { id, folder, state }: { id: GroupId; folder: string; state: RecoveredGroup },
  ) {
    this.id = id;
    this.#parts = parts;
    this.#sealed = state.sealed;
    this.#appender = new GroupAppender(parts, { group: id, folder, state });
    const extent = () => ({ segments: this.#appender.segments(), nextSequence: this.#appender.nextSequence });
    this.#records = new GroupRecords(parts, { id, folder, state, extent });
    this.#compaction = new GroupCompaction(parts, {
      ...{ group: id, folder, appender: this.#appender, records: this.#records },
      sealed: () => this.#sealed,
      inTurn: (work) => this.#inTurn(() => work(this.#closed)),
    });
    const { batchRecordsMax: recordsMax, batchBytesMax: bytesMax, waitingBytesMax, waitingRecordsMax } = parts.options;
    const batch = { recordsMax, bytesMax, waitingBytesMax, waitingRecordsMax };
    this.#puts = new AppendQueue(batch, (puts) => this.#flushPuts(puts));
    this.#deletes = new AppendQueue(batch, (deletes) => this.#flushDeletes(deletes));
  }

  /** Opens a group's folder, making it if needed, and recovers what its segments say. */
  static async open(parts: EngineParts, id: GroupId): Promise<GroupStore> {
    const folder = groupFolder(id);
    if (!(await parts.disk.exists(folder))) {
      await parts.disk.makeFolder(folder);
      parts.crashPoint("engine.group.after-folder");
      await parts.disk.syncFolder("g");
    }
    const state = await recoverGroup(parts, id, folder);
    const store = new GroupStore(parts, { id, folder, state });
    try {
      await store.#records.open();
    } catch (error) {
      await store.#appender.close();
      throw error;
    }
    if (state.sealed) await store.#indexAtOpen();
    return store;
  }

  get sealed(): boolean {
    return this.#sealed;
  }

  /** The highest epoch that it was written under. */
  get epoch(): number {
    return this.#appender.epoch;
  }

  get quarantined(): readonly QuarantinedPlace[] {
    return this.#records.quarantined;
  }

  /** True while a sealed group has its records in memory, because copies came to it. */
  get reopened(): boolean {
    return this.#sealed && this.#records.table !== undefined;
  }

  digest(): GroupDigest {
    const { records, bytes, xor } = this.#records.digest;
    const digest = xor.toString(16).padStart(16, "0");
    return { group: this.id, disk: this.#parts.identity.disk, records, bytes, digest, sealed: this.#sealed };
  }

  /** Ends when the record is synced. A record that is there already is synced already. */
  async put(put: GroupPut): Promise<Outcome<void>> {
    const known = await this.#known(put);
    if (known) return known;
    if (!this.#records.table || this.#sealed || this.#sealing) {
      return refuse("unavailable", this.id, "the group is sealed");
    }
    return this.#append(put);
  }

  /**
   * As put, for a copy that the leader of maintenance ordered: a sealed group takes it too and stays sealed, and it takes
   * the place of a record that was found damaged. Its records stay in memory until `settle`.
   */
  async adopt(put: GroupPut): Promise<Outcome<void>> {
    const known = await this.#known(put);
    if (known) return known;
    let adopted: Promise<Outcome<void>> | undefined;
    await this.#inTurn(async () => {
      if (!this.#closed) await this.#records.toTable();
      const appending = this.#append(put);
      adopted = appending;
      this.#adopting.add(appending);
      void appending.finally(() => this.#adopting.delete(appending));
    });
    assert(adopted, "an adoption was begun in its turn");
    return adopted;
  }

  /** Writes the index of a sealed group that took copies. One that is at it is left alone. */
  async settle(): Promise<void> {
    if (!this.reopened) return;
    await this.#inTurn(async () => {
      if (this.reopened) await this.#toIndex();
    });
  }

  /** Blocks that cover the range, checked. Throws not-found, corrupt, range. */
  read(id: ChunkId, range?: { offset: number; length: number }): Promise<ChunkBlocks> {
    return this.#records.read(id, range);
  }

  /** Newest generation of a chunk that is not deleted and not known to be damaged, or undefined. */
  find(id: ChunkId): Promise<Location | undefined> {
    return this.#records.find(id);
  }

  /** See GroupRecords.check. */
  check(id: ChunkId, generation: Generation): Promise<CopyFinding> {
    return this.#records.check(id, generation);
  }

  /** Notes that exactly this generation is deleted; its bytes stay until compaction. */
  async delete(id: ChunkId, generation: Generation): Promise<Outcome<void>> {
    const hash = hashOfChunkId(id);
    if (this.#records.isDeletedGeneration(hash, generation)) return succeeded(undefined);
    const location = await this.#records.locate(hash, generation);
    if (!location) return succeeded(undefined);
    if (this.#closed) return refuse("unavailable", this.id, "the group is being closed");
    return this.#deletes.add({ item: { hash, generation, length: location.length }, bytes: 0 });
  }

  /** Live records in order of (id, generation), from the cursor on. Throws invalid for a cursor that is not one of ours. */
  inventory(cursor: string | undefined, limit: number): Promise<InventoryPage> {
    return this.#records.inventory(cursor, limit);
  }

  /** See GroupRecords.scrub. */
  scrub(cursor: string | undefined, bytesMax: number, signal: AbortSignal): Promise<ScrubbedRecords> {
    return this.#records.scrub(cursor, bytesMax, signal);
  }

  /** Segments with deleted records that may go. */
  compactable(wish: CompactionWish): readonly Compactable[] {
    return this.#compaction.compactable(wish);
  }

  /** See GroupCompaction.compact. A sealed group has its records in memory afterwards, until `settle`. */
  compact(order: CompactionOrder): Promise<{ readonly freedBytes: number }> {
    return this.#compaction.compact(order);
  }

  /** Takes no more chunks of writers from now on. Repeating it writes the index that could not be written. */
  async seal(): Promise<void> {
    this.#sealing = true;
    try {
      await this.#inTurn(() => this.#seal());
    } finally {
      this.#sealing = false;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // From here on nothing is appended: whatever asks for it sees this first.
    this.#closed = true;
    await this.#turning.catch(() => undefined);
    await this.#puts.idle();
    await this.#deletes.idle();
    try {
      // A start finds the index then, and need not read the segments.
      await this.settle();
    } catch (error) {
      this.#parts.log.error({ err: error, group: this.id }, "an index could not be written; the next start makes it");
    }
    await this.#records.close();
    await this.#appender.close();
  }

  /** The process may have ended between the seal and its index, or while copies came in. */
  async #indexAtOpen(): Promise<void> {
    try {
      await this.#records.toIndex();
    } catch (error) {
      // A disk without room for an index still has all its chunks to serve: they stay in memory until there is room.
      this.#parts.log.error({ err: error, group: this.id }, "an index could not be written yet");
    }
  }

  async #seal(): Promise<void> {
    if (this.#closed) throw new StorageError("unavailable", "seal group", `group ${this.id} is being closed`);
    if (!this.#sealed) {
      await this.#quiet();
      await this.#appender.appendSeal();
      this.#sealed = true;
    }
    await this.#toIndex();
  }

  async #toIndex(): Promise<void> {
    await this.#quiet();
    await this.#appender.end();
    await this.#records.toIndex();
  }

  /** Nothing is being appended, and in this turn nothing begins to be. */
  async #quiet(): Promise<void> {
    await Promise.allSettled(this.#adopting);
    await this.#puts.idle();
  }

  /** The answer to a record that need not or may not be written; undefined when it must be. */
  async #known({ hash, generation, epoch }: GroupPut): Promise<Outcome<void> | undefined> {
    const current = this.#appender.epoch;
    if (epoch < current) return refuse("stale", this.id, `epoch ${epoch} was overtaken by ${current}`);
    if (this.#records.isDeletedGeneration(hash, generation)) {
      return refuse("stale", this.id, "this generation of the chunk was deleted");
    }
    // Without a table there is nothing to wait for, and the answer comes from the index.
    const { table } = this.#records;
    const known = table ? table.get(hash, generation) : await this.#records.locate(hash, generation);
    return known && this.#records.isLive(hash, known) ? succeeded(undefined) : undefined;
  }

  async #append(put: GroupPut): Promise<Outcome<void>> {
    if (this.#closed) return refuse("unavailable", this.id, "the group is being closed");
    if ((this.#records.table?.count ?? 0) >= tableEntriesMax)
      return refuse("unavailable", this.id, "the group is full");
    return this.#puts.add({ item: put, bytes: put.bytes.length });
  }

  async #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#turning.catch(() => undefined).then(work);
    this.#turning = turn;
    await turn;
  }

  async #flushPuts(puts: readonly GroupPut[]): Promise<void> {
    assert(this.#records.table, "a group that takes puts has its records in memory");
    await this.#appender.raiseEpoch(Math.max(...puts.map((put) => put.epoch)));
    const placed = await this.#appender.append({
      sizes: puts.map((put) => recordBytes(put.bytes.length)),
      payloadBytes: puts.reduce((sum, put) => sum + put.bytes.length, 0),
      encode: (index, sequence) => {
        const { hash, generation, bytes } = puts[index] as GroupPut;
        const fields = { group: this.id, generation, sequence, writtenAt: this.#parts.clock.now(), hash };
        return encodeRecord({ type: "chunk", ...fields }, bytes, this.#parts.crc32c);
      },
    });
    for (const [index, { segment, offset }] of placed.entries()) {
      const { hash, generation, bytes } = puts[index] as GroupPut;
      this.#records.added(hash, { generation, segment, offset, length: bytes.length });
    }
    await this.#records.quarantineSaved();
    this.#parts.crashPoint("engine.append.after-index");
  }

  async #flushDeletes(deletes: readonly Deletion[]): Promise<void> {
    await this.#appender.appendTombstones(deletes);
    this.#parts.crashPoint("engine.delete.after-sync");
    for (const { hash, generation, length } of deletes) await this.#records.deleted(hash, generation, length);
    await this.#records.quarantineSaved();
  }
}

function refuse(kind: "stale" | "unavailable", group: GroupId, why: string): Outcome<never> {
  return {
    ok: false,
    error: new StorageError(kind, "put chunk", `group ${group}: ${why}`, { hint: "Take another group of the lease." }),
  };
}
