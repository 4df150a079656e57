import { chunkState } from "../database/chunk-rows.ts";
import { hexOf } from "../database/hash-column.ts";
import type { DiskFolder } from "../segments/disk-folder.ts";
import { type Fault, type FoundRecord, type GroupScan, type ScanVisitor, scanGroup } from "../segments/group-scan.ts";
import type { Depth } from "../segments/layout.ts";
import { digestOf } from "../segments/small-files.ts";
import { type GroupRows, writeKey } from "./group-rows.ts";

/** How a disk has the write that a row names. A later one of the list wins. */
export const copyStates = ["absent", "deleted", "damaged", "good"] as const;
export type CopyState = (typeof copyStates)[number];
const absent: number = copyStates.indexOf("absent");
const good: number = copyStates.indexOf("good");

/** Records of a disk that no version needs, by why they are there. */
export type Surplus = "deleted" | "in-grace" | "condemned" | "orphan-open" | "orphan-closed";

export interface SurplusTotal {
  readonly records: number;
  readonly bytes: number;
}

/** What one disk holds of one group, beside what the rows of the group say. */
export class DiskCopy implements ScanVisitor {
  readonly disk: DiskFolder;
  readonly #rows: GroupRows;
  readonly #tell: (bytes: number) => void;
  readonly #states: Uint8Array;
  readonly #deleted = new Set<string>();
  readonly #surplus = new Map<Surplus, SurplusTotal>();
  /** Writes that no row names and whose lease is closed. */
  readonly #orphans: string[] = [];
  readonly #undone: string[] = [];
  /** Digest of each write, so that one that was written twice counts once. */
  readonly #writes = new Set<bigint>();
  #writtenBytes = 0;
  #liveBytes = 0;
  #liveRecords = 0;
  #scan: GroupScan | undefined;

  private constructor(disk: DiskFolder, rows: GroupRows, tell: (bytes: number) => void) {
    this.disk = disk;
    this.#rows = rows;
    this.#tell = tell;
    this.#states = new Uint8Array(rows.chunks.hashes.count);
  }

  static async read(
    disk: DiskFolder,
    rows: GroupRows,
    { depth, signal, tell }: { depth: Depth; signal: AbortSignal; tell: (bytes: number) => void },
  ): Promise<DiskCopy> {
    const copy = new DiskCopy(disk, rows, tell);
    copy.#scan = await scanGroup(disk, rows.id, { depth, signal, visitor: copy });
    for (const fault of copy.#scan.faults) copy.#damaged(fault);
    return copy;
  }

  get isMember(): boolean {
    return this.#rows.members.some(({ disk }) => disk === this.disk.disk);
  }

  get faults(): readonly Fault[] {
    return this.#scan?.faults ?? [];
  }

  get unfinished(): GroupScan["unfinished"] {
    return this.#scan?.unfinished ?? [];
  }

  get surplus(): ReadonlyMap<Surplus, SurplusTotal> {
    return this.#surplus;
  }

  /** Records that are neither deleted nor damaged. */
  get live(): SurplusTotal {
    return { records: this.#liveRecords, bytes: this.#liveBytes };
  }

  /** Writes that all members said they deleted and that are live here. */
  get undone(): readonly string[] {
    return this.#undone;
  }

  get orphans(): readonly string[] {
    return this.#orphans;
  }

  /** How it has the write that the row at this index names. */
  stateOf(index: number): CopyState {
    return copyStates[this.#states[index] ?? 0] ?? "absent";
  }

  hasDeleted(key: string): boolean {
    return this.#deleted.has(key);
  }

  /** What is wrong with the index, of one that its node would believe. */
  get wrongIndex(): string | undefined {
    const { sealedIndex: index, segments } = this.#scan ?? {};
    if (!index || !segments || this.faults.length > 0) return undefined;
    const believed =
      index.group === this.#rows.id &&
      index.disk === this.disk.uuid &&
      index.segments.size === segments.size &&
      [...index.segments].every(([number, bytes]) => segments.get(number) === bytes);
    if (!believed) return undefined;
    const digest = [...this.#writes].reduce((sum, one) => sum ^ one, 0n);
    if (index.entries === this.#writes.size && index.bytes === this.#writtenBytes && index.digest === digest) {
      return undefined;
    }
    return `it has ${index.entries} records, its segments have ${this.#writes.size}`;
  }

  deleted(hash: Uint8Array, generation: number): void {
    this.#deleted.add(writeKey(hash, generation));
  }

  read(bytes: number): void {
    this.#tell(bytes);
  }

  record(record: FoundRecord): void {
    const { hash, generation, length } = record;
    const { chunks, condemned, mayBeCommitted } = this.#rows;
    const digest = digestOf(hash, generation);
    if (!this.#writes.has(digest)) this.#writtenBytes += length;
    this.#writes.add(digest);
    const index = chunks.hashes.find(hash);
    const isRow = index >= 0 && chunks.generations[index] === generation;
    const key = writeKey(hash, generation);
    if (this.#deleted.has(key)) {
      if (isRow) this.#raise(index, "deleted");
      this.#count("deleted", length);
      return;
    }
    this.#liveRecords++;
    this.#liveBytes += length;
    if (isRow && chunks.states[index] !== chunkState.condemned) {
      this.#raise(index, chunks.lengths[index] === length ? "good" : "damaged");
      if (chunks.references[index] === 0) this.#count("in-grace", length);
    } else if (condemned.has(key) || isRow) {
      this.#count("condemned", length);
      const acked = condemned.get(key);
      if (this.isMember && typeof acked === "number" && acked === this.#rows.row?.epoch) this.#undone.push(key);
    } else if (mayBeCommitted(generation)) {
      this.#count("orphan-open", length);
    } else {
      this.#count("orphan-closed", length);
      this.#orphans.push(key);
    }
  }

  /** Whether a fault hurts: a chunk that is kept lacks its copy here, or may lack it where nobody can tell whose bytes they were. */
  hurts(fault: Fault): boolean {
    if (!this.isMember) return false;
    const { chunks } = this.#rows;
    if (!fault.hash) return this.#lacksAnything();
    const index = chunks.hashes.find(fault.hash);
    const isRow = index >= 0 && chunks.generations[index] === fault.generation;
    return isRow && chunks.states[index] === chunkState.live && this.#states[index] !== good;
  }

  #damaged({ hash, generation }: Fault): void {
    if (!hash) return;
    const index = this.#rows.chunks.hashes.find(hash);
    if (index < 0 || this.#rows.chunks.generations[index] !== generation) return;
    this.#raise(index, this.#deleted.has(writeKey(hash, generation)) ? "deleted" : "damaged");
  }

  #lacksAnything(): boolean {
    const { states } = this.#rows.chunks;
    return this.#states.some((state, index) => state === absent && states[index] === chunkState.live);
  }

  #raise(index: number, state: CopyState): void {
    this.#states[index] = Math.max(this.#states[index] ?? 0, copyStates.indexOf(state));
  }

  #count(surplus: Surplus, length: number): void {
    const { records, bytes } = this.#surplus.get(surplus) ?? { records: 0, bytes: 0 };
    this.#surplus.set(surplus, { records: records + 1, bytes: bytes + length });
  }
}

/** For findings: whose bytes a fault is about. */
export function faultDetails(fault: Fault): Readonly<Record<string, string | number | null>> {
  const { segment, offset, end, why } = fault;
  return { segment, offset, end, why, chunk: fault.hash ? hexOf(fault.hash) : null, generation: fault.generation };
}
