import type { Sql } from "@cairn/env";
import {
  type Bucket,
  bytesOfId,
  type CommitId,
  type DriveId,
  lifecycleDocument,
  limits,
  notificationDocument,
  objectLockDocument,
  StorageError,
  type Versioning,
} from "@cairn/protocol";
import { forgetProgress } from "../lifecycle/lifecycle-progress.ts";
import type { DriveRecord } from "../namespace/drive-table.ts";
import { makeDrive } from "../sql/make-drive.ts";
import type { Store } from "../sql/store.ts";
import type { Transaction } from "../sql/transaction.ts";

const createOperation = "create bucket";
const removeOperation = "remove bucket";
const bucketsMax = 1000;

/** Drives as buckets. */
export class Buckets {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  /** In order of their names. */
  all(): Promise<readonly Bucket[]> {
    return this.#store.database.read(async (sql) => {
      const drives = await this.#store.drives.all(sql);
      return drives.map(bucketOf).sort((a, b) => (a.name < b.name ? -1 : 1));
    });
  }

  async create(
    commit: CommitId,
    { name, versioning }: { readonly name: string; readonly versioning: Versioning },
  ): Promise<Bucket> {
    checkName(name);
    const made = await this.#store.queue.submit(async (tx) => {
      const replay = await tx.replayOf<Bucket>(commit, createOperation);
      if (replay) return replay.result;
      const drives = await this.#store.drives.all(tx.sql);
      if (drives.some((drive) => drive.name === name)) {
        throw new StorageError("conflict", createOperation, name, { hint: "A drive has this name already." });
      }
      if (drives.length >= bucketsMax) {
        throw new StorageError("too-large", createOperation, name, { hint: `There are at most ${bucketsMax} drives.` });
      }
      const [first] = drives;
      const { clock, random } = this.#store;
      const { chunkBytes = limits.chunkBytesDefault, copies = 2 } = first ?? {};
      const bytes = await makeDrive(tx.sql, { clock, random }, { name, copies, chunkBytes, versioning });
      this.#store.drives.forget();
      const bucket = bucketOf(await this.#store.drives.byBytes(tx.sql, bytes));
      await tx.remember(commit, createOperation, bucket);
      return bucket;
    });
    this.#store.drives.forget();
    return made;
  }

  async remove(commit: CommitId, id: DriveId): Promise<void> {
    await this.#store.queue.submit(async (tx) => {
      if (await tx.replayOf(commit, removeOperation)) return;
      const [first] = await this.#store.drives.all(tx.sql);
      const drive = await this.#store.drives.byId(tx.sql, id);
      if (first?.id === id) {
        throw new StorageError("conflict", removeOperation, drive.name, {
          hint: "The first drive of a cluster stays.",
        });
      }
      if (await isInUse(tx.sql, drive)) {
        throw new StorageError("conflict", removeOperation, drive.name, {
          hint: "Remove what is in it first, and empty its trash.",
        });
      }
      await removeRows(tx, drive);
      await tx.remember(commit, removeOperation, null);
    });
    this.#store.drives.forget();
  }

  async setVersioning(id: DriveId, versioning: Versioning): Promise<Bucket> {
    if (!["off", "enabled", "suspended"].includes(versioning)) {
      throw new StorageError("invalid", "set versioning", String(versioning).slice(0, 80));
    }
    const drive = await this.#store.queue.submit(async (tx) => {
      const known = await this.#store.drives.byId(tx.sql, id);
      if (known.objectLock && versioning !== "enabled") {
        throw new StorageError("conflict", "set versioning", known.name, {
          hint: "The drive has object lock: it keeps all versions.",
        });
      }
      await tx.run("UPDATE drive SET versioning = ? WHERE id = ?", versioning, known.idBytes);
      return known;
    });
    this.#store.drives.forget();
    return bucketOf({ ...drive, versioning });
  }

  document(id: DriveId, name: string): Promise<string | undefined> {
    return this.#store.database.read(async (sql) => {
      const row = await sql.get<{ body: string }>(
        "SELECT body FROM drive_document WHERE drive = ? AND name = ?",
        bytesOfId(id),
        name,
      );
      return row?.body;
    });
  }

  async setDocument(id: DriveId, name: string, body: string | null): Promise<void> {
    if ((body?.length ?? 0) > limits.bucketDocumentBytesMax || name.length > 100) {
      throw new StorageError("too-large", "keep bucket document", name.slice(0, 100));
    }
    await this.#store.queue.submit(async (tx) => {
      const { idBytes, ...drive } = await this.#store.drives.byId(tx.sql, id);
      if (name === objectLockDocument) checkObjectLock(drive, body);
      await tx.run("DELETE FROM drive_document WHERE drive = ? AND name = ?", idBytes, name);
      // New rules look at everything anew.
      if (name === lifecycleDocument) await forgetProgress(tx, id);
      if (body === null) return;
      await tx.run("INSERT INTO drive_document (drive, name, body) VALUES (?, ?, ?)", idBytes, name, body);
    });
    if (name === notificationDocument || name === objectLockDocument) this.#store.drives.forget();
  }
}

function bucketOf({ id, root, name, createdAt, versioning }: DriveRecord): Bucket {
  return { drive: id, root, name, createdAt, versioning };
}

/** Object lock stands on versions, and what was promised stays. Throws conflict. */
function checkObjectLock({ name, versioning }: Pick<DriveRecord, "name" | "versioning">, body: string | null): void {
  if (body !== null && versioning === "enabled") return;
  throw new StorageError("conflict", "set object lock", name, {
    hint: body === null ? "Object lock cannot be taken back." : "Enable versioning first.",
  });
}

/** A file is in it or in its trash, removed and not given back yet, or on its way in; or somebody made a folder in it. */
async function isInUse(sql: Sql, { idBytes, rootBytes, trashBytes }: DriveRecord): Promise<boolean> {
  const entry = await sql.get(
    "SELECT id FROM entry WHERE drive = ? AND (kind = 0 OR implicit = 0) AND id NOT IN (?, ?) LIMIT 1",
    idBytes,
    rootBytes,
    trashBytes,
  );
  const upload = await sql.get("SELECT id FROM upload WHERE drive = ? LIMIT 1", idBytes);
  return entry !== undefined || upload !== undefined;
}

/** A drive without files. Its leases end by themselves: nothing can be committed to it any more. */
async function removeRows(tx: Transaction, { idBytes, scope }: DriveRecord): Promise<void> {
  await tx.run("DELETE FROM detached WHERE entry IN (SELECT id FROM entry WHERE drive = ?)", idBytes);
  await tx.run("DELETE FROM entry WHERE drive = ?", idBytes);
  await tx.run("DELETE FROM drive_document WHERE drive = ?", idBytes);
  await tx.run("DELETE FROM usage WHERE scope = ?", scope);
  await tx.run("DELETE FROM drive WHERE id = ?", idBytes);
}

/** As S3 names buckets: they are parts of host names. Throws invalid. */
function checkName(name: string): void {
  const isName = /^(?!xn--|sthree-)(?!.*(?:-s3alias|--ol-s3|--x-s3)$)[a-z0-9](?:[a-z0-9.-]{1,61})[a-z0-9]$/.test(name);
  const isAddress = /^\d{1,3}(?:\.\d{1,3}){3}$/.test(name);
  if (isName && !isAddress && !name.includes("..") && !/\.-|-\./.test(name)) return;
  throw new StorageError("invalid", createOperation, String(name).slice(0, 80), {
    hint: "3–63 small letters, digits, '-' and '.', with a letter or digit at both ends, and no IP address.",
  });
}
