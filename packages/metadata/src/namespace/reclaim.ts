import { assert, limits, manifestEntryBytes } from "@cairn/protocol";
import { countChunks, giveBack } from "../commit/chunk-ledger.ts";
import type { Transaction } from "../sql/transaction.ts";
import type { DriveTable } from "./drive-table.ts";
import { type EntryRow, entryColumns, folderKind } from "./entry-row.ts";

/** References given back and rows deleted in one transaction, about. */
export const reclaimBudget = 1000;

/** Rows looked at in one statement. */
const rowsAtOnce = 50;

interface VersionRow {
  readonly id: Uint8Array;
  readonly entry: Uint8Array;
  readonly state: number;
  readonly size: number;
  readonly chunks: number;
  readonly manifest: Uint8Array | null;
}

const versionColumns = "id, entry, state, size, chunks, manifest";
const doomedState = 1;

/**
 * Deletes the rows of what was removed for good and gives back its references, up to a budget in one transaction. How
 * far it came stands in the same transaction, so that a crash neither loses nor repeats a step.
 */
export class Reclaimer {
  readonly #tx: Transaction;
  readonly #drives: DriveTable;
  #left: number;

  constructor(tx: Transaction, drives: DriveTable, budget: number) {
    this.#tx = tx;
    this.#drives = drives;
    this.#left = budget;
  }

  /** Goes on with one version; false when there is none. */
  async doomedVersion(): Promise<boolean> {
    const version = await this.#tx.get<VersionRow>(
      `SELECT ${versionColumns} FROM version WHERE id = (SELECT version FROM doomed ORDER BY version LIMIT 1)`,
    );
    if (!version) return false;
    const row = await this.#tx.get<{ drive: Uint8Array }>("SELECT drive FROM entry WHERE id = ?", version.entry);
    assert(row, "a version hangs on an entry until it is deleted");
    await this.#version(version, (await this.#drives.byBytes(this.#tx.sql, row.drive)).scope);
    return true;
  }

  /** Goes on with one upload session that was given up; false when there is none. */
  async doomedUpload(): Promise<boolean> {
    const upload = await this.#tx.get<{ id: Uint8Array }>("SELECT id FROM upload WHERE state = 1 ORDER BY id LIMIT 1");
    if (!upload) return false;
    while (this.#left > 0) {
      const part = await this.#tx.get<{ part: number; chunks: number; manifest: Uint8Array }>(
        "SELECT part, chunks, manifest FROM upload_part WHERE upload = ? ORDER BY part LIMIT 1",
        upload.id,
      );
      if (!part) {
        await this.#tx.run("DELETE FROM object_part WHERE upload = ?", upload.id);
        await this.#tx.run("DELETE FROM upload WHERE id = ?", upload.id);
        return true;
      }
      await giveBack(this.#tx, countChunks(part.manifest, 0, part.chunks));
      await this.#tx.run("DELETE FROM upload_part WHERE upload = ? AND part = ?", upload.id, part.part);
      this.#left -= part.chunks + 1;
    }
    return true;
  }

  /** Goes on with one entry that was removed; false when there is none. */
  async detachedEntry(): Promise<boolean> {
    const row = await this.#tx.get<EntryRow>(
      `SELECT ${entryColumns} FROM entry WHERE id = (SELECT entry FROM detached ORDER BY entry LIMIT 1)`,
    );
    if (row) await this.detached(row);
    return row !== undefined;
  }

  /** Drops the versions of a file that are older than this one; those for which there is no room now are doomed. */
  async olderVersions(
    file: EntryRow,
    newest: Uint8Array,
    { unversionedOnly = false }: { readonly unversionedOnly?: boolean } = {},
  ): Promise<void> {
    const { scope } = await this.#drives.byBytes(this.#tx.sql, file.drive);
    const versions = await this.#tx.all<VersionRow>(
      `SELECT ${versionColumns} FROM version WHERE entry = ? AND state = 0 AND id <> ?
       ${unversionedOnly ? "AND unversioned = 1" : ""} ORDER BY sequence LIMIT ${rowsAtOnce}`,
      file.id,
      newest,
    );
    for (const version of versions) {
      if (this.#left <= 0) await this.#keepCursor(version, 0);
      else await this.#version(version, scope);
    }
  }

  /** Drops one version of a file that is not its current one; false when there is no such version. */
  async olderVersion(file: EntryRow, id: Uint8Array): Promise<boolean> {
    const version = await this.#tx.get<VersionRow>(
      `SELECT ${versionColumns} FROM version WHERE id = ? AND entry = ? AND state = 0 AND id <> ?`,
      id,
      file.id,
      file.current_version,
    );
    if (!version) return false;
    const { scope } = await this.#drives.byBytes(this.#tx.sql, file.drive);
    if (this.#left <= 0) await this.#keepCursor(version, 0);
    else await this.#version(version, scope);
    return true;
  }

  /** Deletes a detached entry and what hangs below, as far as the budget goes. */
  async detached(row: EntryRow): Promise<void> {
    const { scope } = await this.#drives.byBytes(this.#tx.sql, row.drive);
    const pending = [row];
    for (let next = pending.pop(); next && this.#left > 0; next = pending.pop()) {
      const empty =
        next.kind === folderKind ? await this.#children(next, scope, pending) : await this.#versions(next, scope);
      if (!empty || this.#left <= 0) return;
      await this.#tx.run("DELETE FROM detached WHERE entry = ?", next.id);
      await this.#deleteEntry(next, scope);
    }
  }

  /** True when no child is left. Folders below are detached themselves, so that depth costs nothing, and wait their turn. */
  async #children(folder: EntryRow, scope: string, pending: EntryRow[]): Promise<boolean> {
    while (this.#left > 0) {
      const children = await this.#tx.all<EntryRow>(
        `SELECT ${entryColumns} FROM entry WHERE parent = ? ORDER BY sort_name LIMIT ${rowsAtOnce}`,
        folder.id,
      );
      if (children.length === 0) return true;
      for (const child of children) {
        if (this.#left <= 0) return false;
        if (child.kind === folderKind) await this.#detachFolder(child, pending);
        else if (await this.#versions(child, scope)) await this.#deleteEntry(child, scope);
      }
    }
    return false;
  }

  async #detachFolder(row: EntryRow, pending: EntryRow[]): Promise<void> {
    await this.#tx.run("UPDATE entry SET parent = NULL, sort_name = id WHERE id = ?", row.id);
    await this.#tx.run("INSERT INTO detached (entry) VALUES (?)", row.id);
    pending.push(row);
    this.#left -= 1;
  }

  /** True when no version is left. */
  async #versions(file: EntryRow, scope: string): Promise<boolean> {
    while (this.#left > 0) {
      const versions = await this.#tx.all<VersionRow>(
        `SELECT ${versionColumns} FROM version WHERE entry = ? ORDER BY sequence LIMIT ${rowsAtOnce}`,
        file.id,
      );
      if (versions.length === 0) return true;
      for (const version of versions) {
        if (this.#left <= 0 || !(await this.#version(version, scope))) return false;
      }
    }
    return false;
  }

  /** True when the version is gone; else it is doomed and its cursor stands. */
  async #version(version: VersionRow, scope: string): Promise<boolean> {
    const doomed = version.state === doomedState;
    const start = doomed ? await this.#cursorOf(version) : 0;
    const end = await this.#giveBackFrom(version, start);
    if (end < version.chunks) {
      await this.#keepCursor(version, end);
      return false;
    }
    if (version.manifest === null) await this.#tx.run("DELETE FROM manifest_page WHERE version = ?", version.id);
    if (doomed) await this.#tx.run("DELETE FROM doomed WHERE version = ?", version.id);
    await this.#tx.run("DELETE FROM version WHERE id = ?", version.id);
    this.#tx.addUsage(scope, { bytes: -version.size, versions: -1 });
    this.#left -= 1;
    return true;
  }

  /** Gives back references from one chunk on; tells the first chunk that still has its own. */
  async #giveBackFrom(version: VersionRow, start: number): Promise<number> {
    let cursor = start;
    while (cursor < version.chunks && this.#left > 0) {
      const page = Math.floor(cursor / limits.manifestPageEntriesMax);
      const data = version.manifest ?? (await this.#page(version, page));
      const first = page * limits.manifestPageEntriesMax;
      const from = cursor - first;
      const to = Math.min(data.length / manifestEntryBytes, from + this.#left);
      await giveBack(this.#tx, countChunks(data, from, to));
      cursor = first + to;
      this.#left -= to - from;
    }
    return cursor;
  }

  async #page(version: VersionRow, page: number): Promise<Uint8Array> {
    const row = await this.#tx.get<{ data: Uint8Array }>(
      "SELECT data FROM manifest_page WHERE version = ? AND page = ?",
      version.id,
      page,
    );
    assert(row, "a long manifest has all its pages");
    return row.data;
  }

  async #cursorOf(version: VersionRow): Promise<number> {
    const row = await this.#tx.get<{ cursor: number }>("SELECT cursor FROM doomed WHERE version = ?", version.id);
    assert(row, "a doomed version has a cursor");
    return row.cursor;
  }

  async #keepCursor(version: VersionRow, cursor: number): Promise<void> {
    if (version.state !== doomedState) {
      await this.#tx.run("UPDATE version SET state = ? WHERE id = ?", doomedState, version.id);
    }
    await this.#tx.run(
      "INSERT INTO doomed (version, cursor) VALUES (?, ?) ON CONFLICT (version) DO UPDATE SET cursor = excluded.cursor",
      version.id,
      cursor,
    );
  }

  async #deleteEntry(row: EntryRow, scope: string): Promise<void> {
    await this.#tx.run("DELETE FROM entry WHERE id = ?", row.id);
    this.#tx.addUsage(scope, row.kind === folderKind ? { folders: -1 } : { files: -1 });
    this.#left -= 1;
  }
}
