import { assert, compareBytes, type Generation } from "@cairn/protocol";

/** Where a record lies. Offsets are multiples of 8. */
export interface Location {
  readonly generation: Generation;
  readonly segment: number;
  readonly offset: number;
  /** Bytes of the payload. */
  readonly length: number;
}

/** hash 32, generation 8, segment 1, offset ÷ 8 4, length 3: the entry of docs/formats/segment.md. */
export const tableEntryBytes = 48;
/** Entries of one table at most: 32 bits of hash and the index of an entry share one exact number. */
export const tableEntriesMax: number = 2 ** 20;
const hashBytes = 32;
const segmentAt = 40;
const offsetAt = 41;

/**
 * Records of one group in two typed arrays: entries in the order of their coming, and slots of an open-addressing table
 * that point at them. No object per chunk: a JavaScript Map would take five times the memory and stall the collector.
 */
export class ChunkTable {
  #entries = new Uint8Array(tableEntryBytes * 64);
  #view = new DataView(this.#entries.buffer);
  #slots = new Uint32Array(128);
  #count = 0;
  #order: Uint32Array | undefined;

  get count(): number {
    return this.#count;
  }

  /** Memory that the records take. */
  get bytes(): number {
    return this.#entries.byteLength + this.#slots.byteLength + (this.#order?.byteLength ?? 0);
  }

  /** Adds a record; the same (hash, generation) is replaced. True when it is new. */
  set(hash: Uint8Array, location: Location): boolean {
    const known = this.#find(hash, location.generation);
    const index = known ?? this.#count;
    if (known === undefined) {
      this.#grow();
      this.#count++;
      this.#insert(hash, index);
    }
    writeTableEntry(this.#entries, this.#view, index, hash, location);
    return known === undefined;
  }

  get(hash: Uint8Array, generation: Generation): Location | undefined {
    const index = this.#find(hash, generation);
    return index === undefined ? undefined : this.at(index).location;
  }

  /** All records with this hash, whatever their generation. */
  all(hash: Uint8Array): Location[] {
    const found: Location[] = [];
    this.#probe(hash, (index) => {
      found.push(this.at(index).location);
      return false;
    });
    return found;
  }

  at(index: number): { hash: Uint8Array; location: Location } {
    assert(index < this.#count, "an entry is read that was written");
    return readTableEntry(this.#entries, this.#view, index);
  }

  /** Indices of all entries in order of (hash, generation). Kept until the next new entry. */
  sorted(): Uint32Array {
    if (this.#order?.length === this.#count) return this.#order;
    assert(this.#count <= tableEntriesMax, "a table is bounded");
    // Numbers sort natively, a hundred times faster than by a callback: the hash's first 32 bits, then the index.
    const keys = new Float64Array(this.#count);
    for (let index = 0; index < this.#count; index++) {
      keys[index] = this.#view.getUint32(index * tableEntryBytes) * tableEntriesMax + index;
    }
    keys.sort();
    const order = Uint32Array.from(keys, (key) => key % tableEntriesMax);
    this.#settleTies(order);
    this.#order = order;
    return order;
  }

  /** Puts entries in order whose hashes begin with the same 32 bits: few, and side by side already. */
  #settleTies(order: Uint32Array): void {
    for (let rank = 1; rank < order.length; rank++) {
      const entry = order[rank] as number;
      let place = rank;
      while (place > 0 && this.#compare(order[place - 1] as number, entry) > 0) {
        order[place] = order[place - 1] as number;
        place--;
      }
      order[place] = entry;
    }
  }

  /**
   * The same records with new places for those of one segment; one that has no place there any more is left out. This table
   * stays as it is, for whoever is still walking through it.
   */
  withMoved(segment: number, placeOf: (offset: number) => number | undefined): ChunkTable {
    const moved = new ChunkTable();
    moved.#entries = new Uint8Array(this.#entries.length);
    moved.#view = new DataView(moved.#entries.buffer);
    for (let index = 0; index < this.#count; index++) {
      const start = index * tableEntryBytes;
      const inSegment = this.#entries[start + segmentAt] === segment;
      const offset = this.#view.getUint32(start + offsetAt, true) * 8;
      const place = inSegment ? placeOf(offset) : offset;
      if (place === undefined) continue;
      const target = moved.#count * tableEntryBytes;
      moved.#entries.set(this.#entries.subarray(start, start + tableEntryBytes), target);
      moved.#view.setUint32(target + offsetAt, place / 8, true);
      moved.#count++;
    }
    moved.#slots = new Uint32Array(this.#slots.length);
    moved.#insertAll();
    return moved;
  }

  #find(hash: Uint8Array, generation: Generation): number | undefined {
    let found: number | undefined;
    this.#probe(hash, (index) => {
      const offset = index * tableEntryBytes + hashBytes;
      if (Number(this.#view.getBigUint64(offset, true)) !== generation) return false;
      found = index;
      return true;
    });
    return found;
  }

  /** Visits the entries with this hash until the visitor answers true. */
  #probe(hash: Uint8Array, visit: (index: number) => boolean): void {
    const mask = this.#slots.length - 1;
    for (let slot = slotOf(hash) & mask; ; slot = (slot + 1) & mask) {
      const entry = this.#slots[slot] ?? 0;
      if (entry === 0) return;
      if (this.#hashIs(entry - 1, hash) && visit(entry - 1)) return;
    }
  }

  #hashIs(index: number, hash: Uint8Array): boolean {
    const start = index * tableEntryBytes;
    for (let byte = 0; byte < hashBytes; byte++) if (this.#entries[start + byte] !== hash[byte]) return false;
    return true;
  }

  #insert(hash: Uint8Array, index: number): void {
    const mask = this.#slots.length - 1;
    let slot = slotOf(hash) & mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = index + 1;
  }

  #grow(): void {
    if ((this.#count + 1) * tableEntryBytes > this.#entries.length) {
      const larger = new Uint8Array(this.#entries.length * 2);
      larger.set(this.#entries);
      this.#entries = larger;
      this.#view = new DataView(larger.buffer);
    }
    // At most two thirds full, so that probes stay short.
    if ((this.#count + 1) * 3 <= this.#slots.length * 2) return;
    this.#slots = new Uint32Array(this.#slots.length * 2);
    this.#insertAll();
  }

  /** Into slots that are empty. */
  #insertAll(): void {
    for (let index = 0; index < this.#count; index++) {
      const start = index * tableEntryBytes;
      this.#insert(this.#entries.subarray(start, start + hashBytes), index);
    }
  }

  #compare(a: number, b: number): number {
    return compareBytes(this.#key(a), this.#key(b)) || this.#generation(a) - this.#generation(b);
  }

  #key(index: number): Uint8Array {
    return this.#entries.subarray(index * tableEntryBytes, index * tableEntryBytes + hashBytes);
  }

  #generation(index: number): number {
    return Number(this.#view.getBigUint64(index * tableEntryBytes + hashBytes, true));
  }
}

export function writeTableEntry(
  target: Uint8Array,
  view: DataView,
  index: number,
  hash: Uint8Array,
  location: Location,
): void {
  const start = index * tableEntryBytes;
  assert(location.segment < 256 && location.length < 2 ** 24, "a location fits into its entry");
  target.set(hash, start);
  view.setBigUint64(start + 32, BigInt(location.generation), true);
  view.setUint8(start + segmentAt, location.segment);
  view.setUint32(start + offsetAt, location.offset / 8, true);
  view.setUint16(start + 45, location.length & 0xffff, true);
  view.setUint8(start + 47, location.length >> 16);
}

export function readTableEntry(
  source: Uint8Array,
  view: DataView,
  index: number,
): { hash: Uint8Array; location: Location } {
  const start = index * tableEntryBytes;
  return {
    hash: source.subarray(start, start + hashBytes),
    location: {
      generation: Number(view.getBigUint64(start + 32, true)) as Generation,
      segment: view.getUint8(start + segmentAt),
      offset: view.getUint32(start + offsetAt, true) * 8,
      length: view.getUint16(start + 45, true) + (view.getUint8(start + 47) << 16),
    },
  };
}

/** A SHA-256 is as good as chance: four of its bytes are the slot. */
function slotOf(hash: Uint8Array): number {
  return ((hash[4] ?? 0) | ((hash[5] ?? 0) << 8) | ((hash[6] ?? 0) << 16) | ((hash[7] ?? 0) << 24)) >>> 0;
}
