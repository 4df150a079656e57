import { bytesOfId, compareBytes, type ObjectAttributes, type RemovedObject, type VersionId } from "@cairn/protocol";
import { makeFolders } from "../commit/version-writes.ts";
import type { DriveRecord } from "../namespace/drive-table.ts";
import type { EntryRow } from "../namespace/entry-row.ts";
import { hang, updateContent } from "../namespace/entry-writes.ts";
import { findKey } from "../namespace/object-lookup.ts";
import type { Reclaimer } from "../namespace/reclaim.ts";
import { childEntry, type Tree } from "../namespace/tree.ts";
import { refuseKept } from "../namespace/version-lock.ts";
import type { Transaction } from "../sql/transaction.ts";
import { trashedAtKey, type VersionAtKey, versionAtKey } from "./version-lookup.ts";

/** What the removals of one transaction work with. */
export interface RemovalParts {
  readonly tx: Transaction;
  readonly tree: Tree;
  readonly drive: DriveRecord;
  readonly reclaimer: Reclaimer;
  /** Takes a file, live or in the trash, out of its drive with all its versions. */
  readonly drop: (file: EntryRow) => Promise<void>;
}

/** Files in the trash of one key that are looked through for the next newer one. */
const filesLooked = 1000;

/**
 * Removes one version of a key for good, or one delete marker: then what it hid is there again. Undefined when there is no
 * such version. Throws forbidden (object lock) before anything is changed.
 */
export async function removeVersion(
  parts: RemovalParts,
  {
    key,
    version,
    bypassGovernance = false,
  }: {
    readonly key: string;
    readonly version: VersionId | "null";
    readonly bypassGovernance?: boolean | undefined;
  },
): Promise<RemovedObject | undefined> {
  const found = await versionAtKey(parts.tree, parts.drive, { key, version });
  if (!found) return undefined;
  if (found.marker) {
    await removeMarker(parts, key, found.file);
    return { removed: true, trashed: false, marker: found.version };
  }
  const { tx, drive } = parts;
  await refuseKept(tx, "remove version", {
    ...{ drive, row: found.file, version: bytesOfId(found.version), bypassGovernance },
  });
  await removeContent(parts, found);
  return { removed: true, trashed: false };
}

async function removeContent(parts: RemovalParts, { file, version }: VersionAtKey): Promise<void> {
  const { tx, tree, reclaimer, drop } = parts;
  const id = bytesOfId(version);
  const next = await tx.get<NextVersion>(
    `SELECT id, size, chunks, etag, content_type, modified_at, meta FROM version
     WHERE entry = ? AND state = 0 AND id <> ? ORDER BY sequence DESC LIMIT 1`,
    file.id,
    id,
  );
  // A marker that hides nothing is not kept.
  if (!next) return await drop(file);
  const isCurrent = file.current_version !== null && compareBytes(file.current_version, id) === 0;
  const current = isCurrent ? await makeCurrent(tx, file, next) : file;
  await reclaimer.olderVersion(current, id);
  const entry = isCurrent && file.trashed_at === null ? await tree.entryOf(current) : undefined;
  if (!entry) return;
  const { id: named, parent, name } = entry;
  tx.addChange({ operation: "version", entry: named, parent, name, version: entry.version });
}

interface NextVersion {
  readonly id: Uint8Array;
  readonly size: number;
  readonly chunks: number;
  readonly etag: Uint8Array;
  readonly content_type: string | null;
  readonly modified_at: number;
  readonly meta: string | null;
}

async function makeCurrent(tx: Transaction, file: EntryRow, version: NextVersion): Promise<EntryRow> {
  const { id, meta, ...columns } = version;
  const tag = meta === null ? null : (JSON.parse(meta) as ObjectAttributes).tag;
  const row: EntryRow = { ...file, ...columns, current_version: id, tag };
  await updateContent(tx, row);
  return row;
}

/** Brings a file back to its key; where something newer stands or lay, its versions go below those of that. */
async function removeMarker({ tx, tree, drive, drop }: RemovalParts, key: string, file: EntryRow): Promise<void> {
  const { folder, missing, sortName, file: live } = await findKey(tree, drive, key);
  const trashed = await trashedAtKey(tx.sql, drive, key, filesLooked);
  const at = trashed.findIndex(({ id }) => compareBytes(id, file.id) === 0);
  const newer = at > 0 ? trashed[at - 1] : live;
  if (newer) {
    await moveVersions(tx, file, newer);
    return await drop(file);
  }
  const home = await makeFolders(tx, tree, folder, missing);
  await hang(tx, tree, file, { folder: home, sortName });
  tx.addUsage(drive.scope, { trashed: -1 });
  const { id, parent, name } = childEntry({ ...file, sort_name: sortName }, home);
  tx.addChange({ operation: "restore", entry: id, parent, name });
}

/** Below all that the other file has: sequences count down there. */
async function moveVersions(tx: Transaction, from: EntryRow, to: EntryRow): Promise<void> {
  const first = await tx.get<{ first: number }>("SELECT MIN(sequence) AS first FROM version WHERE entry = ?", to.id);
  const last = await tx.get<{ last: number }>("SELECT MAX(sequence) AS last FROM version WHERE entry = ?", from.id);
  if (!first || !last) return;
  await tx.run(
    "UPDATE version SET entry = ?, sequence = sequence - ? WHERE entry = ?",
    to.id,
    last.last - first.first + 1,
    from.id,
  );
}
