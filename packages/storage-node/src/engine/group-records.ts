import {
  assert,
  type ChunkBlocks,
  type ChunkId,
  chunkIdFromHash,
  failed,
  type Generation,
  type GroupId,
  hashOfChunkId,
  type InventoryPage,
  isKind,
  type Outcome,
  StorageError,
} from "@cairn/protocol";
import { ChunkTable, type Location } from "./chunk-table.ts";
import type { CopyFinding, ScrubbedRecords } from "./copy-findings.ts";
import { DeadBytes } from "./dead-bytes.ts";
import type { EngineParts } from "./engine-parts.ts";
import { RunningDigest } from "./group-digest.ts";
import { cursorOf, parseCursor, tableEntries } from "./group-listing.ts";
import {
  deletedAt,
  indexFile,
  liveDigest,
  type RecoveredGroup,
  readSealedGroup,
  recordEnd,
  tombstoneOf,
} from "./group-recovery.ts";
import type { QuarantinedPlace } from "./quarantine.ts";
import { recordBytes } from "./record-format.ts";
import { readRecord } from "./record-read.ts";
import { scrubRecords } from "./record-scrub.ts";
import { type SealedIndex, writeSealedIndex } from "./sealed-index.ts";
import { type EntryKey, SealedRecords, type TableEntry } from "./sealed-records.ts";
import { segmentName } from "./segment-format.ts";
import type { RewrittenSegment } from "./segment-rewrite.ts";
import { SwitchGate } from "./switch-gate.ts";

/** What the writing side knows of the segments. */
export interface SegmentExtent {
  readonly segments: readonly { readonly number: number; readonly bytes: number }[];
  readonly nextSequence: number;
}

/** Entries looked at in one step of a listing. */
const stepEntries = 1024;

/**
 * Where the records of one group stand, which of them count, and their bytes, checked. While the group takes records they
 * are in a table in memory; else in the index of its folder.
 */
export class GroupRecords {
  /** Held by whoever looks a record up and reads it, so that compaction puts no other file there in between. */
  readonly gate: SwitchGate = new SwitchGate();
  /** What compaction may give back. */
  readonly dead: DeadBytes = new DeadBytes();
  readonly #id: GroupId;
  readonly #parts: EngineParts;
  readonly #folder: string;
  readonly #state: RecoveredGroup;
  #table: ChunkTable | undefined;
  #index: SealedRecords | undefined;
  #digest = new RunningDigest();
  #extent: () => SegmentExtent;

  constructor(
    parts: EngineParts,
    { id, folder, state, extent }: { id: GroupId; folder: string; state: RecoveredGroup; extent: () => SegmentExtent },
  ) {
    this.#id = id;
    this.#parts = parts;
    this.#folder = folder;
    this.#state = state;
    this.#table = state.table;
    this.#extent = extent;
  }

  /** Counts what is there. */
  async open(): Promise<void> {
    if (this.#state.table) {
      this.#digest = this.#digestOf(this.#state.table);
      this.#countDead(this.#state.table);
      return;
    }
    assert(this.#state.index, "a group without a table has an index");
    this.#index = this.#openIndex(this.#state.index);
    this.#digest = await this.#sealedDigest(this.#state.index);
  }

  /** The records of a group that takes more of them. */
  get table(): ChunkTable | undefined {
    return this.#table;
  }

  get digest(): RunningDigest {
    return this.#digest;
  }

  /** The damaged places whose record was neither written anew nor deleted since. */
  get quarantined(): readonly QuarantinedPlace[] {
    return this.#state.quarantine.places.filter((place) => !place.replaced);
  }

  /** Notes a record that is synced. */
  added(hash: Uint8Array, location: Location): void {
    const table = this.#table;
    assert(table, "a group that takes records has them in memory");
    const before = table.get(hash, location.generation);
    const counted = before !== undefined && this.isLive(hash, before);
    table.set(hash, location);
    if (!counted && this.isLive(hash, location)) this.#digest.add(hash, location);
    this.#state.quarantine.replaced(hash, location.generation);
  }

  /** Ends when the list of damaged places is on the disk as it is in memory, or could not be saved. */
  quarantineSaved(): Promise<void> {
    return this.#state.quarantine.saved();
  }

  /** Notes a tombstone that is synced. */
  async deleted(hash: Uint8Array, generation: Generation, length: number): Promise<void> {
    const location = await this.locate(hash, generation);
    const counted = location !== undefined && this.isLive(hash, location);
    const tombstone = tombstoneOf(generation, length, this.#parts.clock.now());
    this.#state.tombstones.set(hash, tombstone);
    if (location) this.dead.note(location.segment, recordBytes(location.length), deletedAt(tombstone));
    if (counted) this.#digest.remove(hash, location);
    this.#state.quarantine.replaced(hash, generation);
  }

  /** Writes the index, and lets go of the table. */
  async toIndex(): Promise<void> {
    if (!this.#table) return;
    this.#parts.crashPoint("engine.seal.before-index");
    const index = await this.#writeIndex(this.#table);
    this.#parts.crashPoint("engine.seal.after-index");
    this.#index = this.#openIndex(index);
    this.#table = undefined;
  }

  /** Takes the index into memory, so that records can be added. After a crash the segments are read again. */
  async toTable(): Promise<void> {
    if (this.#table) return;
    const table = new ChunkTable();
    for await (const { hash, location } of this.#entries(undefined)) table.set(hash, location);
    this.#table = table;
  }

  isDeletedGeneration(hash: Uint8Array, generation: Generation): boolean {
    const { tombstones } = this.#state;
    return tombstones.count > 0 && tombstones.get(hash, generation) !== undefined;
  }

  /** The tombstone of a record, if it has one. */
  tombstone(hash: Uint8Array, generation: Generation): Location | undefined {
    return this.#state.tombstones.get(hash, generation);
  }

  /** True when bytes of this segment were found damaged, whether they were replaced since or not. */
  isDamaged(segment: number): boolean {
    return this.#state.quarantine.places.some((place) => place.segment === segment);
  }

  /** Another file stands in place of a segment, without some of its deleted records. Alone in the gate, with a table. */
  moved(segment: number, rewritten: RewrittenSegment): void {
    assert(this.#table, "records are moved in memory");
    this.#table = this.#table.withMoved(segment, (offset) => rewritten.placeOf(offset));
    this.dead.forget(segment);
    this.#countDead(this.#table, segment);
  }

  /** Sets aside what stands at a place that could not be read there. */
  async setAsideAt(place: { segment: number; offset: number; end: number; why: string }): Promise<void> {
    for await (const { hash, location } of this.#entries(undefined)) {
      if (location.segment !== place.segment || location.offset !== place.offset) continue;
      return this.#setAside(hash, location, place.why);
    }
    await this.#state.quarantine.add(place);
  }

  /** Ends when nobody reads any more and what was found is noted; nothing is noted after. */
  async close(): Promise<void> {
    await this.gate.switch(() => this.#state.quarantine.close());
  }

  /** Neither deleted nor known to be damaged. */
  isLive(hash: Uint8Array, location: Location): boolean {
    return (
      !this.isDeletedGeneration(hash, location.generation) &&
      !this.#state.quarantine.holds(location.segment, location.offset)
    );
  }

  locate(hash: Uint8Array, generation: Generation): Promise<Location | undefined> {
    return this.gate.use(() => this.#locate(hash, generation));
  }

  async #locate(hash: Uint8Array, generation: Generation): Promise<Location | undefined> {
    if (this.#table) return this.#table.get(hash, generation);
    return (await this.#locations(hash)).find((location) => location.generation === generation);
  }

  /** Newest generation of a chunk that is not deleted and not known to be damaged, or undefined. */
  async find(id: ChunkId): Promise<Location | undefined> {
    const hash = hashOfChunkId(id);
    const live = (await this.gate.use(() => this.#locations(hash))).filter((location) => this.isLive(hash, location));
    return live.sort((a, b) => b.generation - a.generation)[0];
  }

  /** Blocks that cover the range, checked. Throws not-found, corrupt, range. */
  read(id: ChunkId, range?: { offset: number; length: number }): Promise<ChunkBlocks> {
    return this.gate.use(() => this.#read(id, range));
  }

  async #read(id: ChunkId, range: { offset: number; length: number } | undefined): Promise<ChunkBlocks> {
    const hash = hashOfChunkId(id);
    let damaged: StorageError | undefined;
    for (const location of await this.#locations(hash)) {
      if (this.isDeletedGeneration(hash, location.generation)) continue;
      if (!this.isLive(hash, location)) {
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

  /** Reads exactly this record from the disk and checks its bytes against its hash; a damaged one is set aside. */
  check(id: ChunkId, generation: Generation): Promise<CopyFinding> {
    return this.gate.use(() => this.#check(id, generation));
  }

  async #check(id: ChunkId, generation: Generation): Promise<CopyFinding> {
    const hash = hashOfChunkId(id);
    if (this.isDeletedGeneration(hash, generation)) return "deleted";
    const location = await this.#locate(hash, generation);
    if (!location) return "missing";
    if (!this.isLive(hash, location)) return "damaged";
    const why = await this.#damageOf(hash, location);
    if (why === undefined) return "sound";
    await this.#setAside(hash, location, why);
    return "damaged";
  }

  /** Reads live records from a cursor on and checks them; see scrubRecords. What is damaged is set aside. */
  scrub(cursor: string | undefined, bytesMax: number, signal: AbortSignal): Promise<ScrubbedRecords> {
    const entries = this.#liveEntries(cursor === undefined ? undefined : parseCursor(cursor));
    const look = {
      damageOf: ({ hash, location }: TableEntry) => this.#damageOf(hash, location),
      setAside: ({ hash, location }: TableEntry, why: string) => this.#setAside(hash, location, why),
    };
    const { readErrorsMax: unreadableMax } = this.#parts.options;
    return this.gate.use(() => scrubRecords(entries, look, { bytesMax, unreadableMax, signal }));
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

  async *#liveEntries(after: EntryKey | undefined): AsyncGenerator<TableEntry> {
    for await (const entry of this.#entries(after)) if (this.isLive(entry.hash, entry.location)) yield entry;
  }

  async *#entries(after: EntryKey | undefined): AsyncGenerator<TableEntry> {
    if (this.#table) return yield* tableEntries(this.#table, after);
    let last = after;
    while (true) {
      // The records may move into memory in the middle of a listing: it goes on there.
      if (this.#table) return yield* tableEntries(this.#table, last);
      assert(this.#index, "a group has its records in a table or in an index");
      const page = await this.#index.page(last, stepEntries);
      yield* page;
      const end = page.at(-1);
      if (!end || page.length < stepEntries) return;
      last = { hash: end.hash, generation: end.location.generation };
    }
  }

  async #locations(hash: Uint8Array): Promise<Location[]> {
    if (this.#table) return this.#table.all(hash);
    assert(this.#index, "a group has its records in a table or in an index");
    return this.#index.find(hash);
  }

  async #writeIndex(table: ChunkTable): Promise<SealedIndex> {
    const { disk, identity, crc32c, files } = this.#parts;
    const { records, bytes, xor } = liveDigest(table, () => true);
    const { segments, nextSequence } = this.#extent();
    const summary = { group: this.#id, disk: identity.uuid, segments, records, bytes, digest: xor, nextSequence };
    const path = `${this.#folder}/${indexFile}`;
    const index = await writeSealedIndex(disk, path, { table, summary, crc32c });
    await files.forget(path);
    return index;
  }

  #openIndex(index: SealedIndex): SealedRecords {
    const rebuild = async (): Promise<SealedIndex> => {
      const place = { folder: this.#folder, quarantine: this.#state.quarantine };
      const table = await readSealedGroup(this.#parts, this.#id, place);
      // Records that are in memory by now are ahead of what the segments said.
      if (this.#table) return index;
      const made = await this.#writeIndex(table);
      this.#digest = this.#digestOf(table);
      return made;
    };
    return new SealedRecords(this.#parts, { path: `${this.#folder}/${indexFile}`, index, rebuild });
  }

  #digestOf(table: ChunkTable): RunningDigest {
    return liveDigest(table, (hash, location) => this.isLive(hash, location));
  }

  /** The index counts everything; what was deleted or damaged since is taken off. */
  async #sealedDigest(all: { records: number; bytes: number; digest: bigint }): Promise<RunningDigest> {
    const digest = RunningDigest.of(all.records, all.bytes, all.digest);
    const { tombstones, quarantine } = this.#state;
    if (tombstones.count === 0 && quarantine.places.length === 0) return digest;
    for await (const { hash, location } of this.#entries(undefined)) {
      if (!this.isLive(hash, location)) digest.remove(hash, location);
      this.#noteDead(hash, location);
    }
    return digest;
  }

  /** Of all segments, or of one. */
  #countDead(table: ChunkTable, segment?: number): void {
    const { tombstones } = this.#state;
    for (let index = 0; index < tombstones.count; index++) {
      const { hash, location: tombstone } = tombstones.at(index);
      const location = table.get(hash, tombstone.generation);
      if (location && (segment === undefined || location.segment === segment)) this.#noteDead(hash, location);
    }
  }

  #noteDead(hash: Uint8Array, { generation, segment, length }: Location): void {
    const tombstone = this.tombstone(hash, generation);
    if (tombstone) this.dead.note(segment, recordBytes(length), deletedAt(tombstone));
  }

  /** Why a record is not what it should be; undefined when it is. Throws what the disk throws. */
  async #damageOf(hash: Uint8Array, location: Location): Promise<string | undefined> {
    const read = await this.#readRecord(hash, location, undefined);
    if (!read.ok) return read.error.subject;
    const actual = await this.#parts.hasher.sha256(read.value.bytes);
    return actual.every((byte, at) => byte === hash[at]) ? undefined : "the bytes are not what their hash says";
  }

  async #readRecord(
    hash: Uint8Array,
    location: Location,
    range: { offset: number; length: number } | undefined,
  ): Promise<Outcome<ChunkBlocks>> {
    const path = `${this.#folder}/${segmentName(location.segment)}`;
    const { files, crc32c } = this.#parts;
    try {
      return await files.use(path, (file) => readRecord(file, { group: this.#id, hash, location, range, crc32c }));
    } catch (error) {
      // The chunk was here: that its file is gone is damage, not an answer to whether it exists.
      if (!isKind(error, "not-found")) throw error;
      return failed(new StorageError("corrupt", "read chunk", `${path} is gone`), "read chunk");
    }
  }

  async #setAside(hash: Uint8Array, location: Location, why: string): Promise<void> {
    const { segment, offset, generation } = location;
    const current = await this.#locate(hash, generation);
    const counted = current?.segment === segment && current.offset === offset && this.isLive(hash, current);
    const added = this.#state.quarantine.add({ segment, offset, end: recordEnd(location), why }, { hash, generation });
    // The place counts as damaged from the call on, so that the digest follows before anything else can happen.
    if (counted) this.#digest.remove(hash, location);
    await added;
  }
}
