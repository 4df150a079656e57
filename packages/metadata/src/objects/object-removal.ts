import {
  type CommitId,
  compareBytes,
  type DriveId,
  failed,
  idFromBytes,
  isKind,
  limits,
  type ObjectRemoval,
  type Outcome,
  objectTag,
  type RemovedObject,
  StorageError,
  succeeded,
  type VersionId,
} from "@cairn/protocol";
import type { DriveRecord } from "../namespace/drive-table.ts";
import type { EntryRow } from "../namespace/entry-row.ts";
import { moveToTrash } from "../namespace/entry-writes.ts";
import { findKey } from "../namespace/object-lookup.ts";
import { Reclaimer, reclaimBudget } from "../namespace/reclaim.ts";
import { detach } from "../namespace/removal.ts";
import { childEntry, type Folder, type Tree } from "../namespace/tree.ts";
import { noteObject } from "../notification/object-events.ts";
import { type Store, treeOf } from "../sql/store.ts";
import type { Transaction } from "../sql/transaction.ts";
import { markerOf, versionAtKey } from "./version-lookup.ts";
import { type RemovalParts, removeVersion } from "./version-removal.ts";

const operation = "remove objects";
const removed: RemovedObject = { removed: true, trashed: false };
const absent: RemovedObject = { removed: false, trashed: false };

/** Removes objects in one transaction, each with its own outcome. Throws too-large, not-found (drive). */
export async function removeObjects(
  store: Store,
  commit: CommitId,
  { drive, objects }: { readonly drive: DriveId; readonly objects: readonly ObjectRemoval[] },
): Promise<readonly Outcome<RemovedObject>[]> {
  if (!Array.isArray(objects) || objects.length > limits.objectsPerRemovalMax) {
    throw new StorageError("too-large", operation, `at most ${limits.objectsPerRemovalMax} at once`);
  }
  return await store.queue.submit(async (tx) => {
    const replay = await tx.replayOf<readonly RemovedObject[]>(commit, operation);
    if (replay) return replay.result.map(succeeded<RemovedObject>);
    const record = await store.drives.byId(tx.sql, drive);
    const removal = new Removal(store, tx, { drive: record, kind: "ObjectRemoved" });
    const outcomes: Outcome<RemovedObject>[] = [];
    for (const object of objects) {
      outcomes.push(await removal.one(object).then(succeeded<RemovedObject>, refusal));
    }
    // A refusal changed nothing, and is found again by whoever asks again.
    if (outcomes.every((outcome) => outcome.ok)) {
      await tx.remember(
        commit,
        operation,
        outcomes.map((outcome) => (outcome.ok ? outcome.value : absent)),
      );
    }
    return outcomes;
  }, 8 * objects.length);
}

/** What was refused before anything was changed is this object's outcome; any other failure is that of them all. */
function refusal(error: unknown): Outcome<RemovedObject> {
  if (isKind(error, "precondition-failed", "invalid", "forbidden")) return failed(error, operation);
  throw error;
}

/** Who removes: somebody, or a rule of the bucket. */
type RemovalKind = "ObjectRemoved" | "LifecycleExpiration";

/** Removals of one transaction. */
export class Removal {
  readonly #tx: Transaction;
  readonly #tree: Tree;
  readonly #drive: DriveRecord;
  readonly #reclaimer: Reclaimer;
  readonly #kind: RemovalKind;

  /** `kind`: what those are told who want to know of it. */
  constructor(store: Store, tx: Transaction, { drive, kind }: { drive: DriveRecord; kind: RemovalKind }) {
    this.#kind = kind;
    this.#tx = tx;
    this.#tree = treeOf(store, tx);
    this.#drive = drive;
    this.#reclaimer = new Reclaimer(tx, store.drives, reclaimBudget);
  }

  async one({ key, ifTag, version, bypassGovernance }: ObjectRemoval): Promise<RemovedObject> {
    if (version !== undefined) return await this.#version(key, { version, bypassGovernance });
    const { folder, file } = await findKey(this.#tree, this.#drive, key);
    if (ifTag !== undefined && (!file || (ifTag !== "*" && objectTag(childEntry(file, folder)) !== ifTag))) {
      throw new StorageError("precondition-failed", operation, key.slice(0, 200), {
        details: { missing: file === undefined },
      });
    }
    if (!file) return absent;
    const kept = await this.#kept(key, file);
    if (kept) {
      await moveToTrash(this.#tx, this.#tree, kept, folder);
      await noteObject(this.#tx, this.#drive, { event: `${this.#kind}:DeleteMarkerCreated`, key });
      return { removed: true, trashed: true, marker: markerOf(kept) };
    }
    if (this.#drive.versioning === "off") await this.#drop(file, folder);
    await noteObject(this.#tx, this.#drive, { event: `${this.#kind}:Delete`, key });
    return removed;
  }

  /** What goes to the trash of a file that is removed: while versioning is suspended, without what came meanwhile. */
  async #kept(key: string, file: EntryRow): Promise<EntryRow | undefined> {
    const { versioning } = this.#drive;
    if (versioning !== "suspended") return versioning === "enabled" ? file : undefined;
    const found = await versionAtKey(this.#tree, this.#drive, { key, version: "null" });
    if (!found || compareBytes(found.file.id, file.id) !== 0) return file;
    await removeVersion(this.#parts(key), { key, version: "null" });
    return (await findKey(this.#tree, this.#drive, key)).file;
  }

  async #version(
    key: string,
    { version, bypassGovernance }: { version: VersionId | "null"; bypassGovernance: boolean | undefined },
  ): Promise<RemovedObject> {
    const outcome = await removeVersion(this.#parts(key), { key, version, bypassGovernance });
    if (outcome) await noteObject(this.#tx, this.#drive, { event: `${this.#kind}:Delete`, key, version });
    return outcome ?? absent;
  }

  #parts(key: string): RemovalParts {
    return {
      ...{ tx: this.#tx, tree: this.#tree, drive: this.#drive, reclaimer: this.#reclaimer },
      drop: async (file) => {
        const { folder } = await findKey(this.#tree, this.#drive, key);
        await this.#drop(file, file.trashed_at === null ? folder : undefined);
      },
    };
  }

  /** `folder`: where it stands; undefined for what lies in the trash. */
  async #drop(file: EntryRow, folder: Folder | undefined): Promise<void> {
    await detach(this.#tx, file, this.#drive);
    await this.#reclaimer.detached(file);
    this.#tx.addChange({ operation: "remove", entry: idFromBytes("f_", file.id) });
    if (folder) await this.#prune(folder);
  }

  /** Folders that only stood on the way of keys go with the last of these. */
  async #prune(deepest: Folder): Promise<void> {
    for (let folder: Folder | undefined = deepest; folder; folder = folder.parent) {
      const gone = await this.#tx.run(
        `DELETE FROM entry WHERE id = ? AND implicit = 1 AND parent IS NOT NULL
         AND NOT EXISTS (SELECT 1 FROM entry AS child WHERE child.parent = ?)`,
        folder.bytes,
        folder.bytes,
      );
      if (gone === 0) return;
      this.#tree.forget();
      this.#tx.addUsage(this.#drive.scope, { folders: -1 });
      this.#tx.addChange({ operation: "remove", entry: folder.id });
    }
  }
}
