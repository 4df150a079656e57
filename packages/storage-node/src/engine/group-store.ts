import {
  assert,
  type ChunkBlocks,
  type ChunkId,
  chunkIdFromHash,
  failed,
  type Generation,
  type GroupDigest,
  type GroupId,
  hashOfChunkId,
  type InventoryPage,
  isKind,
  type Outcome,
  StorageError,
  succeeded,
} from "@cairn/protocol";
import { AppendQueue } from "./append-queue.ts";
import { type ChunkTable, type Location, tableEntriesMax } from "./chunk-table.ts";
import type { EngineParts } from "./engine-parts.ts";
import { type Deletion, GroupAppender } from "./group-appender.ts";
import { RunningDigest } from "./group-digest.ts";
import { cursorOf, parseCursor, tableEntries } from "./group-listing.ts";
import {
  indexFile,
  liveDigest,
  type RecoveredGroup,
  readSealedGroup,
  recordEnd,
  recoverGroup,
} from "./group-recovery.ts";
import type { QuarantinedPlace } from "./quarantine.ts";
import { encodeRecord, recordBytes } from "./record-format.ts";
import { readRecord } from "./record-read.ts";
import { type SealedIndex, writeSealedIndex } from "./sealed-index.ts";
import { type EntryKey, SealedRecords, type TableEntry } from "./sealed-records.ts";
import { segmentName } from "./segment-format.ts";

/** A chunk to append. Its bytes were checked against its hash. */
export interface GroupPut {
  readonly hash: Uint8Array;
  readonly generation: Generation;
  readonly epoch: number;
  readonly bytes: Uint8Array;
}

/** Entries looked at in one step of a listing. */
const stepEntries = 1024;

/** All that one disk holds of one group: its segments, its index, its tombstones. */
export class GroupStore implements AsyncDisposable {
  readonly id: GroupId;
  readonly #parts: EngineParts;
  readonly #folder: string;
  readonly #state: RecoveredGroup;
  readonly #appender: GroupAppender;
  readonly #puts: AppendQueue<GroupPut>;
  readonly #deletes: AppendQueue<Deletion>;
  /** Records while the group takes more; then they are in the index. */
  #table: ChunkTable | undefined;
  #index: SealedRecords | undefined;
  #digest = new RunningDigest();
  #sealed: boolean;
  #sealing: Promise<void> | undefined;

  private constructor(
    parts: EngineParts,
    { id, folder, state }: { id: GroupId; folder: string; state: RecoveredGroup },
  ) {
    this.id = id;
    this.#parts = parts;
    this.#folder = folder;
    this.#state = state;
    this.#table = state.table;
    this.#sealed = state.sealed;
    this.#appender = new GroupAppender(parts, { group: id, folder, state });
    const { batchRecordsMax: recordsMax, batchBytesMax: bytesMax, waitingBytesMax, waitingRecordsMax } = parts.options;
    const batch = { recordsMax, bytesMax, waitingBytesMax, waitingRecordsMax };
    this.#puts = new AppendQueue(batch, (puts) => this.#flushPuts(puts));
    this.#deletes = new AppendQueue(batch, (deletes) => this.#flushDeletes(deletes));
  }

  /** Opens a group's folder, making it if needed, and recovers what its segments say. */
  static async open(parts: EngineParts, id: GroupId): Promise<GroupStore> {
    const folder = `g/${id}`;
    if (!(await parts.disk.exists(folder))) {
      await parts.disk.makeFolder(folder);
      parts.crashPoint("engine.group.after-folder");
      await parts.disk.syncFolder("g");
    }
    const state = await recoverGroup(parts, id, folder);
    const store = new GroupStore(parts, { id, folder, state });
    if (state.table) {
      store.#digest = store.#digestOf(state.table);
      // The process may have ended between the seal and its index.
      if (state.sealed) await store.#moveToIndex(state.table);
    } else {
      assert(state.index, "a group without a table has an index");
      store.#index = store.#openIndex(state.index);
      store.#digest = await store.#sealedDigest(state.index);
    }
    return store;
  }

  get sealed(): boolean {
    return this.#sealed;
  }

  get quarantined(): readonly QuarantinedPlace[] {
    return this.#state.quarantine.places;
  }

  digest(): GroupDigest {
    const { records, bytes, xor } = this.#digest;
    const digest = xor.toString(16).padStart(16, "0");
    return { group: this.id, disk: this.#parts.identity.disk, records, bytes, digest, sealed: this.#sealed };
  }

  /** Ends when the record is synced. A record that is there already is synced already. */
  async put(put: GroupPut): Promise<Outcome<void>> {
    const epoch = this.#appender.epoch;
    if (put.epoch < epoch) return refuse("stale", this.id, `epoch ${put.epoch} was overtaken by ${epoch}`);
    if (this.#state.tombstones.get(put.hash, put.generation)) {
      return refuse("stale", this.id, "this generation of the chunk was deleted");
    }
    // Without a table there is nothing to wait for, and the answer comes from the index.
    const known = this.#table
      ? this.#table.get(put.hash, put.generation)
      : await this.#locate(put.hash, put.generation);
    if (known && this.#isLive(put.hash, known)) return succeeded(undefined);
    if (!this.#table || this.#sealed || this.#sealing) return refuse("unavailable", this.id, "the group is sealed");
    if (this.#table.count >= tableEntriesMax) return refuse("unavailable", this.id, "the group is full");
    return this.#puts.add({ item: put, bytes: put.bytes.length });
  }

  /** Blocks that cover the range, checked. Throws not-found, corrupt, range. */
  async read(id: ChunkId, range?: { offset: number; length: number }): Promise<ChunkBlocks> {
    const hash = hashOfChunkId(id);
    let damaged: StorageError | undefined;
    for (const location of await this.#locations(hash)) {
      if (this.#isDeleted(hash, location)) continue;
      if (!this.#isLive(hash, location)) {
        damaged = new StorageError("corrupt", "read chunk", "this copy was found damaged and is set aside");
        continue;
      }
      const read = await this.#readRecord(hash, location, range);
      if (read.ok) return read.value;
      if (read.error.kind === "range") throw read.error;
      damaged = read.error;
      await this.#setAside(hash, location, read.error.subject);
    }
    throw damaged ?? new StorageError("not-found", "read chunk", id);
  }

  /** Newest generation of a chunk that is not deleted and not known to be damaged, or undefined. */
  async find(id: ChunkId): Promise<Location | undefined> {
    const locations = await this.#liveLocations(hashOfChunkId(id));
    return locations.sort((a, b) => b.generation - a.generation)[0];
  }

  /** Notes that exactly this generation is deleted; its bytes stay until compaction. */
  async delete(id: ChunkId, generation: Generation): Promise<Outcome<void>> {
    const hash = hashOfChunkId(id);
    if (this.#state.tombstones.get(hash, generation)) return succeeded(undefined);
    const location = await this.#locate(hash, generation);
    if (!location) return succeeded(undefined);
    return this.#deletes.add({ item: { hash, generation, length: location.length }, bytes: 0 });
  }

  /** Live records in order of (id, generation), from the cursor on. */
  async inventory(cursor: string | undefined, limit: number): Promise<InventoryPage> {
    const chunks: { id: ChunkId; generation: Generation; length: number }[] = [];
    for await (const { hash, location } of this.#liveEntries(cursor === undefined ? undefined : parseCursor(cursor))) {
      if (chunks.length === limit) return { chunks, cursor: cursorOf(chunks) };
      chunks.push({ id: chunkIdFromHash(hash), generation: location.generation, length: location.length });
    }
    return { chunks, cursor: undefined };
  }

  /** Reads every live record from the disk and checks its bytes against its hash. What is damaged is set aside. */
  async verify(signal?: AbortSignal): Promise<{ records: number; damaged: number }> {
    let records = 0;
    let damaged = 0;
    for await (const { hash, location } of this.#liveEntries(undefined)) {
      signal?.throwIfAborted();
      records++;
      const read = await this.#readRecord(hash, location, undefined);
      const sound =
        read.ok && (await this.#parts.hasher.sha256(read.value.bytes)).every((byte, at) => byte === hash[at]);
      if (sound) continue;
      damaged++;
      await this.#setAside(hash, location, read.ok ? "the bytes are not what their hash says" : read.error.subject);
    }
    return { records, damaged };
  }

  /** Takes no more chunks from now on. Repeating it changes nothing, or writes the index that could not be written. */
  async seal(): Promise<void> {
    this.#sealing ??= this.#seal();
    try {
      await this.#sealing;
    } finally {
      this.#sealing = undefined;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sealing?.catch(() => undefined);
    await this.#puts.idle();
    await this.#deletes.idle();
    await this.#appender.close();
  }

  async #seal(): Promise<void> {
    if (!this.#sealed) {
      await this.#puts.idle();
      await this.#appender.appendSeal();
      this.#sealed = true;
    }
    await this.#appender.end();
    if (this.#table) await this.#moveToIndex(this.#table);
  }

  async #flushPuts(puts: readonly GroupPut[]): Promise<void> {
    const table = this.#table;
    assert(table, "a group that takes puts has its records in memory");
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
      const location = { generation, segment, offset, length: bytes.length };
      const before = table.get(hash, generation);
      const counted = before !== undefined && this.#isLive(hash, before);
      table.set(hash, location);
      if (!counted && this.#isLive(hash, location)) this.#digest.add(hash, location);
    }
    this.#parts.crashPoint("engine.append.after-index");
  }

  async #flushDeletes(deletes: readonly Deletion[]): Promise<void> {
    await this.#appender.appendTombstones(deletes);
    this.#parts.crashPoint("engine.delete.after-sync");
    for (const { hash, generation, length } of deletes) {
      const location = await this.#locate(hash, generation);
      const counted = location !== undefined && this.#isLive(hash, location);
      this.#state.tombstones.set(hash, { generation, segment: 0, offset: 0, length });
      if (counted) this.#digest.remove(hash, location);
    }
  }

  async #moveToIndex(table: ChunkTable): Promise<void> {
    this.#parts.crashPoint("engine.seal.before-index");
    const index = await this.#writeIndex(table);
    this.#parts.crashPoint("engine.seal.after-index");
    this.#index = this.#openIndex(index);
    this.#table = undefined;
  }

  async #writeIndex(table: ChunkTable): Promise<SealedIndex> {
    const { disk, identity, crc32c, files } = this.#parts;
    const { records, bytes, xor } = liveDigest(table, () => true);
    const { nextSequence } = this.#appender;
    const segments = this.#appender.segments();
    const summary = { group: this.id, disk: identity.uuid, segments, records, bytes, digest: xor, nextSequence };
    const path = `${this.#folder}/${indexFile}`;
    const index = await writeSealedIndex(disk, path, { table, summary, crc32c });
    await files.forget(path);
    return index;
  }

  #openIndex(index: SealedIndex): SealedRecords {
    const rebuild = async (): Promise<SealedIndex> => {
      const place = { folder: this.#folder, quarantine: this.#state.quarantine };
      const table = await readSealedGroup(this.#parts, this.id, place);
      const made = await this.#writeIndex(table);
      this.#digest = this.#digestOf(table);
      return made;
    };
    return new SealedRecords(this.#parts, { path: `${this.#folder}/${indexFile}`, index, rebuild });
  }

  #digestOf(table: ChunkTable): RunningDigest {
    return liveDigest(table, (hash, location) => this.#isLive(hash, location));
  }

  /** The index counts everything; what was deleted or damaged since is taken off. */
  async #sealedDigest(all: { records: number; bytes: number; digest: bigint }): Promise<RunningDigest> {
    const digest = RunningDigest.of(all.records, all.bytes, all.digest);
    const { tombstones, quarantine } = this.#state;
    if (tombstones.count === 0 && quarantine.places.length === 0) return digest;
    for await (const { hash, location } of this.#entries(undefined)) {
      if (!this.#isLive(hash, location)) digest.remove(hash, location);
    }
    return digest;
  }

  async #liveLocations(hash: Uint8Array): Promise<Location[]> {
    return (await this.#locations(hash)).filter((location) => this.#isLive(hash, location));
  }

  async #locate(hash: Uint8Array, generation: Generation): Promise<Location | undefined> {
    if (this.#table) return this.#table.get(hash, generation);
    return (await this.#locations(hash)).find((location) => location.generation === generation);
  }

  async #locations(hash: Uint8Array): Promise<Location[]> {
    if (this.#table) return this.#table.all(hash);
    assert(this.#index, "a group has its records in a table or in an index");
    return this.#index.find(hash);
  }

  async *#liveEntries(after: EntryKey | undefined): AsyncGenerator<TableEntry> {
    for await (const entry of this.#entries(after)) if (this.#isLive(entry.hash, entry.location)) yield entry;
  }

  async *#entries(after: EntryKey | undefined): AsyncGenerator<TableEntry> {
    if (this.#table) return yield* tableEntries(this.#table, after);
    let last = after;
    while (true) {
      assert(this.#index, "a group has its records in a table or in an index");
      const page = await this.#index.page(last, stepEntries);
      yield* page;
      const end = page.at(-1);
      if (!end || page.length < stepEntries) return;
      last = { hash: end.hash, generation: end.location.generation };
    }
  }

  #isDeleted(hash: Uint8Array, { generation }: Location): boolean {
    const { tombstones } = this.#state;
    return tombstones.count > 0 && tombstones.get(hash, generation) !== undefined;
  }

  /** Neither deleted nor known to be damaged. */
  #isLive(hash: Uint8Array, location: Location): boolean {
    return !this.#isDeleted(hash, location) && !this.#state.quarantine.holds(location.segment, location.offset);
  }

  async #readRecord(
    hash: Uint8Array,
    location: Location,
    range: { offset: number; length: number } | undefined,
  ): Promise<Outcome<ChunkBlocks>> {
    const path = `${this.#folder}/${segmentName(location.segment)}`;
    const { files, crc32c } = this.#parts;
    try {
      return await files.use(path, (file) => readRecord(file, { group: this.id, hash, location, range, crc32c }));
    } catch (error) {
      // The chunk was here: that its file is gone is damage, not an answer to whether it exists.
      if (!isKind(error, "not-found")) throw error;
      return failed(new StorageError("corrupt", "read chunk", `${path} is gone`), "read chunk");
    }
  }

  async #setAside(hash: Uint8Array, location: Location, why: string): Promise<void> {
    const { segment, offset, generation } = location;
    const current = await this.#locate(hash, generation);
    const counted = current?.segment === segment && current.offset === offset && this.#isLive(hash, current);
    const added = this.#state.quarantine.add({ segment, offset, end: recordEnd(location), why }, { hash, generation });
    // The place counts as damaged from the call on, so that the digest follows before anything else can happen.
    if (counted) this.#digest.remove(hash, location);
    await added;
  }
}

function refuse(kind: "stale" | "unavailable", group: GroupId, why: string): Outcome<never> {
  return {
    ok: false,
    error: new StorageError(kind, "put chunk", `group ${group}: ${why}`, { hint: "Take another group of the lease." }),
  };
}
