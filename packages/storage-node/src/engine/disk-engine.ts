import type { Clock, CrashPoint, Disk, Hasher, Log, Metrics } from "@cairn/env";
import {
  asStorageError,
  type ChunkBlocks,
  type ChunkId,
  compareBytes,
  type DiskState,
  type ExactChunk,
  failed,
  type Generation,
  type GroupDigest,
  type GroupId,
  hashOfChunkId,
  type InventoryPage,
  isKind,
  type Outcome,
  parseGroupId,
  StorageError,
  utf8,
} from "@cairn/protocol";
import { readJsonFile, writeWholeFile } from "./atomic-file.ts";
import type { Location } from "./chunk-table.ts";
import type { CopyFinding, ScrubbedRecords, ScrubStep } from "./copy-findings.ts";
import { DiskHealth } from "./disk-health.ts";
import { type DiskIdentity, expectDiskIdentity } from "./disk-identity.ts";
import { type EngineOptions, type EngineParts, engineMeters, engineOptions } from "./engine-parts.ts";
import { FileCache } from "./file-cache.ts";
import { type DiskSpace, FreeSpace, isFull } from "./free-space.ts";
import { GroupChanges } from "./group-changes.ts";
import type { Compactable, CompactionOrder, CompactionWish } from "./group-compaction.ts";
import type { GroupPut, GroupStore } from "./group-store.ts";
import { GroupTrash, type TrashedGroup } from "./group-trash.ts";
import { OpenGroups } from "./open-groups.ts";
import type { QuarantinedPlace } from "./quarantine.ts";
import { payloadBytesMax, recordBytes } from "./record-format.ts";

/** A chunk to keep. The bytes must not change until the put has ended. */
export interface EnginePut {
  readonly group: GroupId;
  readonly epoch: number;
  readonly id: ChunkId;
  readonly generation: Generation;
  readonly bytes: Uint8Array;
}

/** What a check of all bytes found. */
export interface VerifyReport {
  readonly records: number;
  readonly damaged: number;
}

const scrubStateFile = "scrub.json";

/** The parts of the outside world that an engine needs besides its disk. */
export interface EngineEnv {
  readonly clock: Clock;
  readonly hasher: Hasher;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly crashPoint: CrashPoint;
}

/**
 * The chunks of one disk. A put has ended well only when its record is synced; what is read has been checked. One
 * engine serves one disk, and one process serves one engine.
 */
export class DiskEngine implements AsyncDisposable {
  readonly identity: DiskIdentity;
  readonly #parts: EngineParts;
  readonly #lock: AsyncDisposable;
  readonly #groups: OpenGroups;
  readonly #changes = new GroupChanges();
  readonly #space: FreeSpace;
  readonly #trash: GroupTrash;
  readonly #health: DiskHealth;
  #closed = false;

  private constructor(parts: EngineParts, lock: AsyncDisposable) {
    this.#parts = parts;
    this.#lock = lock;
    this.identity = parts.identity;
    this.#space = new FreeSpace(parts.disk, parts.clock, parts.options);
    this.#trash = new GroupTrash(parts);
    this.#groups = new OpenGroups(parts, this.#trash);
    this.#health = new DiskHealth(parts.log, parts.options.readErrorsMax);
  }

  /**
   * Opens a disk that has its identity and recovers all its groups. Throws not-found when there is none (an empty mount
   * point is not an empty disk), conflict when it belongs to another cluster or node, unavailable when another process has it.
   */
  static async open(
    env: EngineEnv,
    disk: Disk,
    {
      expected,
      options = {},
    }: { expected: Pick<DiskIdentity, "cluster" | "node" | "uuid">; options?: Partial<EngineOptions> },
  ): Promise<DiskEngine> {
    const lock = await disk.lock("lock");
    try {
      const identity = await expectDiskIdentity(disk, expected);
      const settings = { ...engineOptions, ...options };
      const parts: EngineParts = {
        ...env,
        disk,
        identity,
        log: env.log.child({ disk: identity.disk }),
        crc32c: (bytes) => env.hasher.crc32c(bytes),
        files: new FileCache(disk, settings.filesMax),
        options: settings,
        meters: engineMeters(env.metrics, String(identity.disk)),
      };
      const engine = new DiskEngine(parts, lock);
      try {
        await engine.#recover();
        return engine;
      } catch (error) {
        await engine.#groups[Symbol.asyncDispose]();
        throw error;
      }
    } catch (error) {
      await lock[Symbol.asyncDispose]();
      throw error;
    }
  }

  /**
   * Each chunk keeps its own outcome: invalid (hash), stale (epoch, or a generation that was deleted), no-space,
   * overloaded, unavailable (sealed, suspect disk).
   */
  putMany(puts: readonly EnginePut[]): Promise<readonly Outcome<void>[]> {
    return Promise.all(puts.map((put) => this.put(put)));
  }

  /** Ends when the chunk is on the disk, synced. Never throws; see putMany. */
  put(put: EnginePut): Promise<Outcome<void>> {
    return this.#take(put, async (store, chunk) => store.put(chunk));
  }

  /**
   * As put, for a copy that the leader of maintenance ordered: a sealed group takes it too, and it takes the place of a
   * record that was found damaged. A generation that was deleted here stays deleted (stale).
   */
  adopt(copy: EnginePut): Promise<Outcome<void>> {
    return this.#take(copy, async (store, chunk) => {
      const outcome = await store.adopt(chunk);
      await this.#groups.used(store);
      return outcome;
    });
  }

  /**
   * Throws not-found, corrupt, range, unavailable (the disk cannot be read). A copy that is found damaged is set aside
   * and never read again.
   */
  async read(group: GroupId, id: ChunkId, range?: { offset: number; length: number }): Promise<ChunkBlocks> {
    const store = this.#groups.get(group);
    if (!store) throw new StorageError("not-found", "read chunk", id);
    try {
      const blocks = await store.read(id, range);
      this.#health.readWell();
      return blocks;
    } catch (error) {
      if (isKind(error, "corrupt")) this.#touch(group);
      if (error instanceof StorageError && error.kind !== "internal") throw error;
      throw this.#health.readFailure(id, error);
    }
  }

  /** Newest live generation of a chunk, or undefined. */
  async find(group: GroupId, id: ChunkId): Promise<Location | undefined> {
    return this.#groups.get(group)?.find(id);
  }

  /** Tombstones exactly these generations, synced. One that is not there counts as deleted. */
  deleteExact(chunks: readonly ExactChunk[]): Promise<readonly Outcome<void>[]> {
    return Promise.all(
      chunks.map(async ({ group, id, generation }): Promise<Outcome<void>> => {
        const store = this.#groups.get(group);
        if (!store) return { ok: true, value: undefined };
        try {
          const outcome = await store.delete(id, generation);
          if (outcome.ok) this.#touch(group);
          else this.#health.judgeWrite(outcome.error);
          return outcome;
        } catch (error) {
          return failed(error, "delete chunk");
        }
      }),
    );
  }

  /** Live records of a group in order of (id, generation). Throws invalid for a cursor that is not one of ours. */
  async inventory(group: GroupId, cursor: string | undefined, limit: number): Promise<InventoryPage> {
    const store = this.#groups.get(group);
    return store ? store.inventory(cursor, limit) : { chunks: [], cursor: undefined };
  }

  /** Reads exactly this record and checks it; a damaged one is set aside. Throws unavailable (the disk cannot be read). */
  async check(group: GroupId, id: ChunkId, generation: Generation): Promise<CopyFinding> {
    const store = this.#groups.get(group);
    if (!store) return "missing";
    try {
      const finding = await store.check(id, generation);
      if (finding === "damaged") this.#touch(group);
      return finding;
    } catch (error) {
      throw this.#health.readFailure(id, error);
    }
  }

  /**
   * Reads records of a group from a cursor on, at least one, and checks them; what is damaged or cannot be read is set
   * aside. A group that is not here has no records. Throws unavailable when the disk is given up.
   */
  async scrubStep({ group, cursor, bytesMax, signal }: ScrubStep): Promise<ScrubbedRecords> {
    const store = this.#groups.get(group);
    if (!store) return { bytes: 0, records: 0, damaged: 0, unreadable: 0, cursor: undefined };
    this.#health.assertReadable();
    const scrubbed = await store.scrub(cursor, bytesMax, signal);
    if (scrubbed.damaged > 0) this.#touch(group);
    if (scrubbed.unreadable > 0) this.#health.readFailure("scrub", undefined, scrubbed.unreadable);
    else if (scrubbed.records > 0) this.#health.readWell();
    return scrubbed;
  }

  /** Reads all records and checks their bytes; what is damaged is set aside. */
  async verify(): Promise<VerifyReport> {
    const report = { records: 0, damaged: 0 };
    for (const group of [...this.#groups.ids()]) {
      const signal = new AbortController().signal;
      const step = await this.scrubStep({ group, cursor: undefined, bytesMax: Number.POSITIVE_INFINITY, signal });
      report.records += step.records;
      report.damaged += step.damaged;
    }
    return report;
  }

  /** What the last scrub noted for the next one; undefined when there is nothing that can be read. */
  readScrubState(): Promise<unknown> {
    return readJsonFile(this.#parts.disk, scrubStateFile);
  }

  async writeScrubState(state: unknown): Promise<void> {
    await writeWholeFile(this.#parts.disk, scrubStateFile, [utf8(JSON.stringify(state))]);
  }

  /**
   * Moves all of a group into the disk's trash: by an order of the leader, who has written it down before. One that is
   * not here counts as dropped. A write that comes later begins the group anew.
   */
  async dropGroup(group: GroupId): Promise<void> {
    try {
      await this.#groups.drop(group);
    } catch (error) {
      const known = asStorageError(error, "drop group");
      this.#health.judgeWrite(known);
      throw known;
    }
    this.#changes.dropped(group);
  }

  /** Segments that hold dead bytes which may go, the most dead first. */
  async compactable(wish: CompactionWish): Promise<readonly Compactable[]> {
    const found = [...this.#groups.stores()].flatMap((store) => store.compactable(wish));
    return found.sort((a, b) => b.deadBytes - a.deadBytes);
  }

  /**
   * Writes a segment anew without the deleted records whose trash time is over. Throws not-found, conflict (it grows, or is
   * damaged), corrupt (damage was found and set aside), no-space, cancelled; the segment is as it was then.
   */
  async compact(order: CompactionOrder & { readonly group: GroupId }): Promise<{ readonly freedBytes: number }> {
    const store = this.#groups.get(order.group);
    if (!store) throw new StorageError("not-found", "compact segment", `group ${order.group} is not on this disk`);
    try {
      const compacted = await store.compact(order);
      await this.#groups.used(store);
      return compacted;
    } catch (error) {
      const known = asStorageError(error, "compact segment");
      if (known.kind === "corrupt") this.#touch(order.group);
      this.#health.judgeWrite(known);
      throw known;
    }
  }

  trashed(): Promise<readonly TrashedGroup[]> {
    return this.#trash.list();
  }

  /** Removes a dropped group for good; tells the bytes it freed. One that is not there freed none. */
  emptyTrash(name: string, signal?: AbortSignal): Promise<number> {
    return this.#trash.empty(name, signal);
  }

  /** The places that were found damaged and not replaced since. */
  quarantined(group: GroupId): readonly QuarantinedPlace[] {
    return this.#groups.get(group)?.quarantined ?? [];
  }

  holds(group: GroupId): boolean {
    return this.#groups.has(group);
  }

  /** The highest epoch that a group was written under on this disk; -1 when it is not there. */
  epochOf(group: GroupId): number {
    return this.#groups.get(group)?.epoch ?? -1;
  }

  /** Of all groups. */
  digests(): GroupDigest[] {
    return [...this.#groups.stores()].map((store) => store.digest());
  }

  /** Groups that changed after a mark of an earlier call; 0 gives all. */
  changedSince(mark: number): { readonly mark: number; readonly groups: readonly GroupDigest[] } {
    const groups = [...this.#groups.stores()].filter(({ id }) => this.#changes.isAfter(mark, id));
    return { mark: this.#changes.mark, groups: groups.map((store) => store.digest()) };
  }

  /** The group takes no more chunks. Repeating it does no harm; a group that is not here needs no seal. */
  async seal(group: GroupId): Promise<void> {
    const store = this.#groups.get(group);
    if (!store) return;
    const before = store.sealed;
    await store.seal();
    if (!before) this.#touch(group);
  }

  async space(): Promise<DiskSpace> {
    return this.#space.measure();
  }

  /** The state as it is known without asking the disk: an error that came since the last look changes it at once. */
  health(seen: DiskState): DiskState {
    return this.#health.state === "ok" ? seen : this.#health.state;
  }

  /** What the node reports of this disk. */
  state(space: DiskSpace): DiskState {
    if (this.#health.state !== "ok") return this.#health.state;
    return isFull(space, this.#parts.options) ? "full" : "ok";
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    try {
      await this.#groups[Symbol.asyncDispose]();
    } finally {
      await this.#lock[Symbol.asyncDispose]();
    }
  }

  async #recover(): Promise<void> {
    const { disk, log } = this.#parts;
    // A process that ended in between may have left folders whose names are not durable yet.
    await disk.syncFolder("g");
    for (const name of await disk.list("g")) {
      if (/^[1-9]\d*$/.test(name)) await this.#groups.open(parseGroupId(Number(name)));
      else log.warn({ name }, "the folder of groups holds something that is no group; it is left alone");
    }
  }

  async #take(
    { group, epoch, id, generation, bytes }: EnginePut,
    append: (store: GroupStore, chunk: GroupPut) => Promise<Outcome<void>>,
  ): Promise<Outcome<void>> {
    try {
      if (this.#closed) throw this.#isClosed();
      this.#health.assertWritable(this.identity.disk);
      if (bytes.length > payloadBytesMax) {
        throw new StorageError("too-large", "put chunk", `${bytes.length} bytes; at most ${payloadBytesMax}`);
      }
      const hash = hashOfChunkId(id);
      const actual = await this.#parts.hasher.sha256(bytes);
      if (compareBytes(actual, hash) !== 0) {
        throw new StorageError("invalid", "put chunk", id, {
          hint: "The bytes do not have this SHA-256; send the chunk again.",
          details: { mismatch: true },
        });
      }
      await this.#space.admit(recordBytes(bytes.length));
      const outcome = await append(await this.#groups.open(group), { hash, generation, epoch, bytes });
      if (outcome.ok) this.#touch(group);
      else this.#health.judgeWrite(outcome.error);
      return outcome;
    } catch (error) {
      const known = asStorageError(error, "put chunk");
      this.#health.judgeWrite(known);
      return { ok: false, error: known };
    }
  }

  #touch(group: GroupId): void {
    // A group that was dropped meanwhile has nothing to tell.
    if (this.#groups.has(group)) this.#changes.changed(group);
  }

  #isClosed(): StorageError {
    const hint = "Try another node.";
    return new StorageError("unavailable", "put chunk", `disk ${this.identity.disk} is being closed`, { hint });
  }
}
