import type { Clock, CrashPoint, Disk, Hasher, Log, Metrics } from "@cairn/env";
import {
  asStorageError,
  assert,
  type ChunkBlocks,
  type ChunkId,
  chunkIdFromHash,
  type DiskState,
  type ExactChunk,
  type Generation,
  type GroupDigest,
  type GroupId,
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
import { GroupStore } from "./group-store.ts";

/** A chunk to keep. The bytes must not change until the put has ended. */
export interface EnginePut {
  readonly group: GroupId;
  readonly epoch: number;
  readonly id: ChunkId;
  readonly generation: Generation;
  readonly bytes: Uint8Array;
}

export interface EngineEnv {
  readonly clock: Clock;
  readonly hasher: Hasher;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly crashPoint: CrashPoint;
}

export interface DiskSpace {
  readonly totalBytes: number;
  readonly freeBytes: number;
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
  #change = 0;
  #health: "ok" | "suspect" = "ok";

  private constructor(parts: EngineParts, lock: AsyncDisposable) {
    this.#parts = parts;
    this.#lock = lock;
    this.identity = parts.identity;
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
      for (const name of await disk.list("g")) await engine.#group(parseGroupId(Number(name)));
      return engine;
    } catch (error) {
      await lock[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Each chunk keeps its own outcome: invalid (hash), stale (epoch), no-space, unavailable (sealed, suspect disk). */
  putMany(puts: readonly EnginePut[]): Promise<readonly Outcome<void>[]> {
    return Promise.all(puts.map((put) => this.put(put)));
  }

  /** Never throws; see putMany. */
  async put(put: EnginePut): Promise<Outcome<void>> {
    try {
      if (this.#health === "suspect") throw this.#suspectError();
      const hash = await this.#parts.hasher.sha256(put.bytes);
      if (chunkIdFromHash(hash) !== put.id) {
        throw new StorageError("invalid", "put chunk", put.id, {
          hint: "The bytes do not have this SHA-256; send the chunk again.",
          details: { mismatch: true },
        });
      }
      const outcome = await (await this.#group(put.group)).put(put);
      if (outcome.ok) this.#touch(put.group);
      else this.#judge(outcome.error);
      return outcome;
    } catch (error) {
      const known = asStorageError(error, "put chunk");
      this.#judge(known);
      return { ok: false, error: known };
    }
  }

  /** Throws not-found, corrupt, range. A copy that is found damaged is set aside and never read again. */
  async read(group: GroupId, id: ChunkId, range?: { offset: number; length: number }): Promise<ChunkBlocks> {
    const store = this.#groups.get(group);
    if (!store) throw new StorageError("not-found", "read chunk", id);
    try {
      return await store.read(id, range);
    } catch (error) {
      if (isKind(error, "corrupt")) this.#touch(group);
      throw error;
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
        const outcome = await store.delete(id, generation);
        if (outcome.ok) this.#touch(group);
        return outcome;
      }),
    );
  }

  async inventory(group: GroupId, cursor: string | undefined, limit: number): Promise<InventoryPage> {
    const store = this.#groups.get(group);
    return store ? store.inventory(cursor, limit) : { chunks: [], cursor: undefined };
  }

  holds(group: GroupId): boolean {
    return this.#groups.has(group);
  }

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

  async seal(group: GroupId): Promise<void> {
    const store = this.#groups.get(group);
    if (!store || store.sealed) return;
    await store.seal();
    this.#touch(group);
  }

  async space(): Promise<DiskSpace> {
    return this.#parts.disk.space();
  }

  /** The state as it is known without asking the disk: an error that came since the last look changes it at once. */
  health(seen: DiskState): DiskState {
    return this.#health === "suspect" ? "suspect" : seen;
  }

  /** What the node reports of this disk. */
  state(space: DiskSpace): DiskState {
    if (this.#health === "suspect") return "suspect";
    const { reserveBytes, fullFraction } = this.#parts.options;
    return space.freeBytes < Math.min(reserveBytes, space.totalBytes * fullFraction) ? "full" : "ok";
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const store of this.#groups.values()) await store[Symbol.asyncDispose]();
    await this.#parts.files[Symbol.asyncDispose]();
    await this.#lock[Symbol.asyncDispose]();
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
    if (error.kind !== "internal" || this.#health === "suspect") return;
    this.#health = "suspect";
    this.#parts.log.error(
      { err: error },
      "the disk failed a write; it takes no more chunks until the node is restarted",
    );
  }

  #suspectError(): StorageError {
    return new StorageError(
      "unavailable",
      "put chunk",
      `disk ${this.identity.disk} failed a write and takes no more chunks`,
      {
        hint: "Check the disk, then restart the node.",
      },
    );
  }
}
