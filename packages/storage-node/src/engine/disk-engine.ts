import type { Clock, CrashPoint, Disk, Hasher, Log, Metrics } from "@cairn/env";
import {
  asStorageError,
  assert,
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
} from "@cairn/protocol";
import type { Location } from "./chunk-table.ts";
import { type DiskIdentity, readDiskIdentity } from "./disk-identity.ts";
import { type EngineOptions, type EngineParts, engineMeters, engineOptions } from "./engine-parts.ts";
import { FileCache } from "./file-cache.ts";
import { type DiskSpace, FreeSpace, isFull } from "./free-space.ts";
import { GroupStore } from "./group-store.ts";
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
  readonly #groups = new Map<GroupId, GroupStore>();
  readonly #opening = new Map<GroupId, Promise<GroupStore>>();
  readonly #changed = new Map<GroupId, number>();
  /** Starts at 1, so that no answered mark is 0, which means everything. */
  #change = 1;
  readonly #space: FreeSpace;
  #health: "ok" | "suspect" | "failed" = "ok";
  #readErrors = 0;
  #closed = false;

  private constructor(parts: EngineParts, lock: AsyncDisposable) {
    this.#parts = parts;
    this.#lock = lock;
    this.identity = parts.identity;
    this.#space = new FreeSpace(parts.disk, parts.clock, parts.options);
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
      const identity = await readDiskIdentity(disk);
      if (!identity) {
        throw new StorageError("not-found", "open disk", expected.uuid, {
          hint: "The folder has no disk.json. Is the disk mounted? A lost disk is removed from the node on purpose, never by accident.",
        });
      }
      if (identity.cluster !== expected.cluster || identity.node !== expected.node || identity.uuid !== expected.uuid) {
        throw new StorageError("conflict", "open disk", `it is disk ${identity.disk} of ${identity.node}`, {
          hint: "This folder belongs to another node, disk or cluster. Check which folder is mounted where.",
        });
      }
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
        await engine.#closeGroups();
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
  async put(put: EnginePut): Promise<Outcome<void>> {
    try {
      if (this.#closed || this.#health !== "ok") throw this.#refusal();
      if (put.bytes.length > payloadBytesMax) {
        throw new StorageError("too-large", "put chunk", `${put.bytes.length} bytes; at most ${payloadBytesMax}`);
      }
      const hash = hashOfChunkId(put.id);
      const actual = await this.#parts.hasher.sha256(put.bytes);
      if (compareBytes(actual, hash) !== 0) {
        throw new StorageError("invalid", "put chunk", put.id, {
          hint: "The bytes do not have this SHA-256; send the chunk again.",
          details: { mismatch: true },
        });
      }
      await this.#space.admit(recordBytes(put.bytes.length));
      const { generation, epoch, bytes } = put;
      const outcome = await (await this.#group(put.group)).put({ hash, generation, epoch, bytes });
      if (outcome.ok) this.#touch(put.group);
      else this.#judge(outcome.error);
      return outcome;
    } catch (error) {
      const known = asStorageError(error, "put chunk");
      this.#judge(known);
      return { ok: false, error: known };
    }
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
      this.#readErrors = 0;
      return blocks;
    } catch (error) {
      if (isKind(error, "corrupt")) this.#touch(group);
      if (error instanceof StorageError && error.kind !== "internal") throw error;
      throw this.#readFailure(id, error);
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
          else this.#judge(outcome.error);
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

  /** Reads all records of a group, or of all groups, and checks their bytes; what is damaged is set aside. */
  async verify({ group, signal }: { group?: GroupId; signal?: AbortSignal } = {}): Promise<VerifyReport> {
    const report = { records: 0, damaged: 0 };
    for (const store of [...this.#groups.values()]) {
      if (group !== undefined && store.id !== group) continue;
      const { records, damaged } = await store.verify(signal);
      report.records += records;
      report.damaged += damaged;
      if (damaged > 0) this.#touch(store.id);
    }
    return report;
  }

  /** The places that were found damaged and not replaced since. */
  quarantined(group: GroupId): readonly QuarantinedPlace[] {
    return this.#groups.get(group)?.quarantined ?? [];
  }

  holds(group: GroupId): boolean {
    return this.#groups.has(group);
  }

  /** Of all groups. */
  digests(): GroupDigest[] {
    return [...this.#groups.values()].map((store) => store.digest());
  }

  /** Groups that changed after a mark of an earlier call; 0 gives all. */
  changedSince(mark: number): { readonly mark: number; readonly groups: readonly GroupDigest[] } {
    const groups = [...this.#groups.values()].filter(
      (store) => mark === 0 || (this.#changed.get(store.id) ?? 0) > mark,
    );
    return { mark: this.#change, groups: groups.map((store) => store.digest()) };
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
    return this.#health === "ok" ? seen : this.#health;
  }

  /** What the node reports of this disk. */
  state(space: DiskSpace): DiskState {
    if (this.#health !== "ok") return this.#health;
    return isFull(space, this.#parts.options) ? "full" : "ok";
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    try {
      await this.#closeGroups();
    } finally {
      await this.#lock[Symbol.asyncDispose]();
    }
  }

  async #recover(): Promise<void> {
    const { disk, log } = this.#parts;
    // A process that ended in between may have left folders whose names are not durable yet.
    await disk.syncFolder("g");
    for (const name of await disk.list("g")) {
      if (/^[1-9]\d*$/.test(name)) await this.#group(parseGroupId(Number(name)));
      else log.warn({ name }, "the folder of groups holds something that is no group; it is left alone");
    }
  }

  async #closeGroups(): Promise<void> {
    const closed = await Promise.allSettled([...this.#groups.values()].map((store) => store[Symbol.asyncDispose]()));
    await this.#parts.files[Symbol.asyncDispose]();
    for (const result of closed) if (result.status === "rejected") throw result.reason;
  }

  async #group(id: GroupId): Promise<GroupStore> {
    const known = this.#groups.get(id);
    if (known) return known;
    const opening = this.#opening.get(id) ?? GroupStore.open(this.#parts, id);
    this.#opening.set(id, opening);
    try {
      const store = await opening;
      this.#groups.set(id, store);
      return store;
    } finally {
      this.#opening.delete(id);
    }
  }

  #touch(group: GroupId): void {
    assert(this.#groups.has(group), "a group that changed is open");
    this.#changed.set(group, ++this.#change);
  }

  /** An I/O error of the disk itself means: read from it, write no more to it, and let the operator know. */
  #judge(error: StorageError): void {
    if (error.kind !== "internal" || this.#health !== "ok") return;
    this.#health = "suspect";
    this.#parts.log.error(
      { err: error },
      "the disk failed a write; it takes no more chunks until the node is restarted",
    );
  }

  /** Another copy serves meanwhile; a disk that fails again and again is given up. */
  #readFailure(id: ChunkId, cause: unknown): StorageError {
    this.#readErrors++;
    if (this.#readErrors >= this.#parts.options.readErrorsMax && this.#health !== "failed") {
      this.#health = "failed";
      this.#parts.log.error({ err: cause, errors: this.#readErrors }, "the disk fails reads and is given up");
    }
    const hint = "Another copy serves this chunk. Check the disk.";
    return new StorageError("unavailable", "read chunk", id, { hint, cause });
  }

  #refusal(): StorageError {
    const why = this.#closed ? "is being closed" : "failed and takes no more chunks";
    return new StorageError("unavailable", "put chunk", `disk ${this.identity.disk} ${why}`, {
      hint: this.#closed ? "Try another node." : "Check the disk, then restart the node.",
    });
  }
}
