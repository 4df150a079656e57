import type { GroupId } from "@cairn/protocol";
import type { EngineParts } from "./engine-parts.ts";
import { GroupStore } from "./group-store.ts";
import type { GroupTrash } from "./group-trash.ts";
import { groupFolder } from "./segment-format.ts";

/** Sealed groups that are held in memory for the copies that come to them: about 10 MB each. */
const reopenedMax = 4;

/** The groups of one disk: each is opened once, and one that is dropped is opened anew when it is written again. */
export class OpenGroups implements AsyncDisposable {
  readonly #parts: EngineParts;
  readonly #trash: GroupTrash;
  readonly #stores = new Map<GroupId, GroupStore>();
  readonly #opening = new Map<GroupId, Promise<GroupStore>>();
  readonly #dropping = new Map<GroupId, Promise<void>>();
  /** Sealed groups with their records in memory, the least recently used one first. */
  readonly #reopened = new Set<GroupStore>();

  constructor(parts: EngineParts, trash: GroupTrash) {
    this.#parts = parts;
    this.#trash = trash;
  }

  has(id: GroupId): boolean {
    return this.#stores.has(id);
  }

  get(id: GroupId): GroupStore | undefined {
    return this.#stores.get(id);
  }

  ids(): Iterable<GroupId> {
    return this.#stores.keys();
  }

  stores(): Iterable<GroupStore> {
    return this.#stores.values();
  }

  /** Makes the group if it is not there. */
  async open(id: GroupId): Promise<GroupStore> {
    // Not awaited when there is nothing to wait for: writes of one request are to meet in one batch.
    while (this.#dropping.has(id)) await this.#dropping.get(id)?.catch(() => undefined);
    const known = this.#stores.get(id);
    if (known) return known;
    const opening = this.#opening.get(id) ?? GroupStore.open(this.#parts, id);
    this.#opening.set(id, opening);
    try {
      const store = await opening;
      this.#stores.set(id, store);
      // Its index could not be written: it is tried again with those that took copies.
      if (store.reopened) this.#reopened.add(store);
      return store;
    } finally {
      this.#opening.delete(id);
    }
  }

  /** Sealed groups that took copies have their records in memory: only so many, and the index is written in the end. */
  async used(store: GroupStore): Promise<void> {
    if (!store.reopened) return;
    this.#reopened.delete(store);
    this.#reopened.add(store);
    for (const oldest of [...this.#reopened].slice(0, -reopenedMax)) {
      this.#reopened.delete(oldest);
      try {
        await oldest.settle();
      } catch (error) {
        // The records of that group stay in memory; what was done in this one is done.
        this.#parts.log.error({ err: error, group: oldest.id }, "an index could not be written yet");
        this.#reopened.add(oldest);
      }
    }
  }

  /**
   * Closes a group and moves it to the trash. One that is not here is left so. After a failure the group is served as before,
   * if the disk lets it.
   */
  async drop(id: GroupId): Promise<void> {
    const before = this.#dropping.get(id)?.catch(() => undefined);
    const opening = this.#opening.get(id)?.catch(() => undefined);
    // Whoever comes from now on waits for the end of it, and finds no group.
    const dropping = Promise.all([before, opening]).then(() => this.#moveToTrash(id));
    this.#dropping.set(id, dropping);
    try {
      await dropping;
    } catch (error) {
      this.#forgetDrop(id, dropping);
      await this.#openAgain(id);
      throw error;
    } finally {
      this.#forgetDrop(id, dropping);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#dropping.values());
    const closed = await Promise.allSettled([...this.#stores.values()].map((store) => store[Symbol.asyncDispose]()));
    await this.#parts.files[Symbol.asyncDispose]();
    for (const result of closed) if (result.status === "rejected") throw result.reason;
  }

  async #moveToTrash(id: GroupId): Promise<void> {
    const store = this.#stores.get(id);
    if (store) {
      this.#stores.delete(id);
      this.#reopened.delete(store);
      await store[Symbol.asyncDispose]();
      await this.#parts.files.forgetBelow(`${groupFolder(id)}/`);
    }
    if (store || (await this.#parts.disk.exists(groupFolder(id)))) await this.#trash.take(id);
    else await this.#trash.settle();
  }

  #forgetDrop(id: GroupId, dropping: Promise<void>): void {
    if (this.#dropping.get(id) === dropping) this.#dropping.delete(id);
  }

  /** What is still in its place is a copy of its group, wanted or not, and is told as one. */
  async #openAgain(id: GroupId): Promise<void> {
    try {
      if (await this.#parts.disk.exists(groupFolder(id))) await this.open(id);
    } catch (error) {
      this.#parts.log.error({ err: error, group: id }, "a group that could not be dropped cannot be opened either");
    }
  }
}
