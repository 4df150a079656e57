import type { DiskFile } from "@cairn/env";
import {
  assert,
  type ChunkBlocks,
  type ChunkId,
  chunkIdFromHash,
  type Generation,
  type GroupDigest,
  type GroupId,
  hashOfChunkId,
  type InventoryPage,
  type Outcome,
  parseChunkId,
  StorageError,
  toHex,
} from "@cairn/protocol";
import { AppendQueue } from "./append-queue.ts";
import type { ChunkTable, Location } from "./chunk-table.ts";
import type { EngineParts } from "./engine-parts.ts";
import { GroupAppender } from "./group-appender.ts";
import { indexFile, type RecoveredGroup, recoverGroup } from "./group-recovery.ts";
import { encodeRecord, recordBytes } from "./record-format.ts";
import { readRecord } from "./record-read.ts";
import { findInIndex, rankOf, readIndexEntries, writeSealedIndex } from "./sealed-index.ts";
import { segmentName } from "./segment-format.ts";

/** A chunk to append. Its bytes were checked against its id. */
export interface GroupPut {
  readonly id: ChunkId;
  readonly generation: Generation;
  readonly epoch: number;
  readonly bytes: Uint8Array;
}

/** All that one disk holds of one group: its segments, its index, its tombstones. */
export class GroupStore implements AsyncDisposable {
  readonly id: GroupId;
  readonly #parts: EngineParts;
  readonly #folder: string;
  readonly #state: RecoveredGroup;
  readonly #appender: GroupAppender;
  readonly #puts: AppendQueue<GroupPut>;
  readonly #deletes: AppendQueue<{ hash: Uint8Array; generation: Generation }>;
  #table: ChunkTable | undefined;
  #sealed: boolean;
  #sealing = false;

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
    const batch = { recordsMax: parts.options.batchRecordsMax, bytesMax: parts.options.batchBytesMax };
    this.#puts = new AppendQueue(batch, (puts) => this.#flushPuts(puts));
    this.#deletes = new AppendQueue(batch, (deletes) => this.#flushDeletes(deletes));
  }

  /** Opens a group's folder, making it if needed, and recovers what its segments say. */
  static async open(parts: EngineParts, id: GroupId): Promise<GroupStore> {
    const folder = `g/${id}`;
    if (!(await parts.disk.exists(folder))) {
      await parts.disk.makeFolder(folder);
      await parts.disk.syncFolder("g");
    }
    const state = await recoverGroup(parts, id, folder);
    const store = new GroupStore(parts, { id, folder, state });
    // The process may have ended between the seal and its index.
    if (state.sealed && state.table) await store.#writeIndex(state.table);
    return store;
  }

  get sealed(): boolean {
    return this.#sealed;
  }

  digest(): GroupDigest {
    const { records, bytes, xor } = this.#state.digest;
    const digest = xor.toString(16).padStart(16, "0");
    return { group: this.id, disk: this.#parts.identity.disk, records, bytes, digest, sealed: this.#sealed };
  }

  /** Ends when the record is synced. A record that is there already is synced already. */
  async put(put: GroupPut): Promise<Outcome<void>> {
    const epoch = this.#appender.epoch;
    if (put.epoch < epoch) return refuse("stale", this.id, `epoch ${put.epoch} was overtaken by ${epoch}`);
    const known = this.#table?.get(hashOfChunkId(put.id), put.generation);
    if (known && !this.#state.quarantine.holds(known.segment, known.offset)) return { ok: true, value: undefined };
    if (this.#sealed || this.#sealing) return refuse("unavailable", this.id, "the group is sealed");
    return this.#puts.add({ item: put, bytes: put.bytes.length });
  }

  /** Blocks that cover the range, checked. Throws not-found, corrupt, range. */
  async read(id: ChunkId, range?: { offset: number; length: number }): Promise<ChunkBlocks> {
    const hash = hashOfChunkId(id);
    let damaged: StorageError | undefined;
    for (const location of await this.#locations(hash)) {
      const read = await this.#parts.files.use(this.#segmentPath(location.segment), (file) =>
        readRecord(file, { group: this.id, hash, location, range, crc32c: this.#parts.crc32c }),
      );
      if (read.ok) return read.value;
      if (read.error.kind === "range") throw read.error;
      damaged = read.error;
      await this.#setAside(hash, location, read.error.subject);
    }
    throw damaged ?? new StorageError("not-found", "read chunk", id);
  }

  /** Newest generation of a chunk that can be read, or undefined. */
  async find(id: ChunkId): Promise<Location | undefined> {
    const locations = await this.#locations(hashOfChunkId(id));
    return locations.sort((a, b) => b.generation - a.generation)[0];
  }

  /** Notes that exactly this generation is deleted; its bytes stay until compaction. */
  async delete(id: ChunkId, generation: Generation): Promise<Outcome<void>> {
    const hash = hashOfChunkId(id);
    if (this.#state.tombstones.get(hash, generation)) return { ok: true, value: undefined };
    const there = (await this.#allLocations(hash)).some((location) => location.generation === generation);
    if (!there) return { ok: true, value: undefined };
    return this.#deletes.add({ item: { hash, generation }, bytes: 0 });
  }

  /** Live records in order of (id, generation), from the cursor on. */
  async inventory(cursor: string | undefined, limit: number): Promise<InventoryPage> {
    const after = cursor === undefined ? undefined : parseCursor(cursor);
    const entries = this.#table ? tableEntries(this.#table, after) : await this.#indexEntries(after);
    const chunks: { id: ChunkId; generation: Generation; length: number }[] = [];
    for (const { hash, location } of entries) {
      if (!this.#isLive(hash, location)) continue;
      if (chunks.length === limit) return { chunks, cursor: cursorOf(chunks) };
      chunks.push({ id: chunkIdFromHash(hash), generation: location.generation, length: location.length });
    }
    return { chunks, cursor: undefined };
  }

  /** Takes no more chunks from now on. Repeating it changes nothing. */
  async seal(): Promise<void> {
    if (this.#sealed || this.#sealing) return;
    this.#sealing = true;
    try {
      await this.#puts.idle();
      await this.#appender.appendSeal();
      assert(this.#table, "a group that is open has its records in memory");
      await this.#writeIndex(this.#table);
      this.#sealed = true;
    } finally {
      this.#sealing = false;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#puts.idle();
    await this.#deletes.idle();
    await this.#appender.close();
  }

  async #flushPuts(puts: readonly GroupPut[]): Promise<void> {
    const table = this.#table;
    assert(table, "a group that takes puts has its records in memory");
    await this.#appender.raiseEpoch(Math.max(...puts.map((put) => put.epoch)));
    const sizes = puts.map((put) => recordBytes(put.bytes.length));
    const placed = await this.#appender.append({
      sizes,
      payloadBytes: puts.reduce((sum, put) => sum + put.bytes.length, 0),
      encode: (index, sequence) => {
        const { id, generation, bytes } = puts[index] as GroupPut;
        const header = {
          type: "chunk" as const,
          group: this.id,
          generation,
          sequence,
          writtenAt: this.#parts.clock.now(),
          hash: hashOfChunkId(id),
        };
        return encodeRecord(header, bytes, this.#parts.crc32c);
      },
    });
    for (const [index, { segment, offset }] of placed.entries()) {
      const { id, generation, bytes } = puts[index] as GroupPut;
      const hash = hashOfChunkId(id);
      const location = { generation, segment, offset, length: bytes.length };
      if (table.set(hash, location)) this.#state.digest.add(hash, location);
    }
    this.#parts.crashPoint("engine.append.after-index");
  }

  async #flushDeletes(deletes: readonly { hash: Uint8Array; generation: Generation }[]): Promise<void> {
    await this.#appender.appendTombstones(deletes);
    this.#parts.crashPoint("engine.delete.after-sync");
    for (const { hash, generation } of deletes) {
      if (!this.#state.tombstones.set(hash, { generation, segment: 0, offset: 0, length: 0 })) continue;
      const location = (await this.#allLocations(hash)).find((it) => it.generation === generation);
      if (location && !this.#state.quarantine.holds(location.segment, location.offset))
        this.#state.digest.remove(hash, location);
    }
  }

  async #writeIndex(table: ChunkTable): Promise<void> {
    this.#parts.crashPoint("engine.seal.before-index");
    const segments = this.#appender.segments();
    const { records, bytes, xor } = this.#state.digest;
    const summary = { segments, records: table.count, bytes, digest: xor, nextSequence: this.#appender.nextSequence };
    assert(records <= table.count, "live records are among those in the table");
    await writeSealedIndex(this.#parts.disk, `${this.#folder}/${indexFile}`, {
      table,
      summary,
      crc32c: this.#parts.crc32c,
    });
    this.#parts.crashPoint("engine.seal.after-index");
    this.#table = undefined;
  }

  async #locations(hash: Uint8Array): Promise<Location[]> {
    return (await this.#allLocations(hash)).filter((location) => this.#isLive(hash, location));
  }

  async #allLocations(hash: Uint8Array): Promise<Location[]> {
    if (this.#table) return this.#table.all(hash);
    return this.#withIndex((file) => findInIndex(file, hash, this.#parts.crc32c));
  }

  async #indexEntries(
    after: { hash: Uint8Array; generation: number } | undefined,
  ): Promise<{ hash: Uint8Array; location: Location }[]> {
    const { crc32c } = this.#parts;
    const count = this.#state.summary?.records ?? this.#appender.sealedRecords;
    return this.#withIndex(async (file) => {
      const from = after ? await rankOf(file, after.hash, crc32c) : 0;
      const entries = await readIndexEntries(file, { from, count: count - from, crc32c });
      return after ? entries.filter((entry) => isAfter(entry, after)) : entries;
    });
  }

  #withIndex<Result>(work: (file: DiskFile) => Promise<Result>): Promise<Result> {
    return this.#parts.files.use(`${this.#folder}/${indexFile}`, work);
  }

  #isLive(hash: Uint8Array, location: Location): boolean {
    if (this.#state.tombstones.count > 0 && this.#state.tombstones.get(hash, location.generation)) return false;
    return !this.#state.quarantine.holds(location.segment, location.offset);
  }

  async #setAside(hash: Uint8Array, location: Location, why: string): Promise<void> {
    const { segment, offset, generation, length } = location;
    const added = await this.#state.quarantine.add(
      { segment, offset, end: offset + recordBytes(length), why },
      { hash, generation },
    );
    if (added) this.#state.digest.remove(hash, location);
  }

  #segmentPath(segment: number): string {
    return `${this.#folder}/${segmentName(segment)}`;
  }
}

function* tableEntries(
  table: ChunkTable,
  after: { hash: Uint8Array; generation: number } | undefined,
): Generator<{ hash: Uint8Array; location: Location }> {
  for (const index of table.sorted()) {
    const entry = table.at(index);
    if (!after || isAfter(entry, after)) yield entry;
  }
}

function isAfter(
  entry: { hash: Uint8Array; location: Location },
  after: { hash: Uint8Array; generation: number },
): boolean {
  const here = toHex(entry.hash);
  const there = toHex(after.hash);
  return here > there || (here === there && entry.location.generation > after.generation);
}

function cursorOf(chunks: readonly { id: ChunkId; generation: Generation }[]): string {
  const last = chunks.at(-1);
  assert(last, "a page with a cursor is not empty");
  return `${last.id}.${last.generation}`;
}

function parseCursor(cursor: string): { hash: Uint8Array; generation: number } {
  const [id = "", generation = ""] = cursor.split(".");
  if (!/^\d+$/.test(generation)) throw new StorageError("invalid", "list chunks", "the cursor is not one of ours");
  return { hash: hashOfChunkId(parseChunkId(id)), generation: Number(generation) };
}

function refuse(kind: "stale" | "unavailable", group: GroupId, why: string): Outcome<never> {
  return {
    ok: false,
    error: new StorageError(kind, "put chunk", `group ${group}: ${why}`, { hint: "Take another group of the lease." }),
  };
}
