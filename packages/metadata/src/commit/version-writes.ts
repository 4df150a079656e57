import {
  bytesOfId,
  type CommitResult,
  type CommitTarget,
  type Entry,
  type ObjectAttributes,
  objectTag,
  retentionOfNew,
} from "@cairn/protocol";
import type { DriveRecord, DriveTable } from "../namespace/drive-table.ts";
import { type EntryRow, fileKind, spellEtag } from "../namespace/entry-row.ts";
import { insertEntry, moveToTrash, newFolderRow, updateContent } from "../namespace/entry-writes.ts";
import { folderBytes } from "../namespace/object-key.ts";
import { Reclaimer, reclaimBudget } from "../namespace/reclaim.ts";
import { childEntry, type Folder, type Tree } from "../namespace/tree.ts";
import { noteObject } from "../notification/object-events.ts";
import type { Transaction } from "../sql/transaction.ts";
import type { TargetPlan } from "./target.ts";

/** A content whose chunks have their references. */
export interface NewContent {
  readonly target: CommitTarget;
  readonly etag: Uint8Array;
  readonly size: number;
  readonly chunks: number;
  /** The whole manifest, or null when it stands in pages under `version`. */
  readonly manifest: Uint8Array | null;
  readonly version: Uint8Array;
  /** It was put together from the parts of an object. */
  readonly fromParts?: boolean;
}

/** Makes the version visible: entry, version, counters, change. */
export async function writeVersion(
  tx: Transaction,
  { tree, drives }: { readonly tree: Tree; readonly drives: DriveTable },
  plan: Exclude<TargetPlan, { does: "nothing" }>,
  content: NewContent,
): Promise<CommitResult> {
  const entry =
    plan.does === "create" ? await createFile(tx, tree, plan, content) : await addVersion(tx, plan, content);
  if (plan.does === "add-version") await dropReplaced(tx, drives, plan, content);
  tx.addUsage(plan.folder.drive.scope, {
    bytes: content.size,
    versions: 1,
    files: plan.does === "create" ? 1 : 0,
  });
  tx.addChange({
    operation: plan.does === "create" ? "create" : "version",
    entry: entry.id,
    parent: entry.parent,
    name: entry.name,
    version: entry.version,
  });
  await noteCreated(tx, plan.folder.drive, entry, content);
  return { entry, changed: true };
}

/** What an object API overwrites goes, unless the bucket keeps versions; suspended, only what was written meanwhile. */
async function dropReplaced(
  tx: Transaction,
  drives: DriveTable,
  { folder, file }: Extract<TargetPlan, { does: "add-version" }>,
  { target, version }: NewContent,
): Promise<void> {
  const { versioning } = folder.drive;
  if (target.key === undefined || versioning === "enabled") return;
  const reclaimer = new Reclaimer(tx, drives, reclaimBudget);
  await reclaimer.olderVersions(file, version, { unversionedOnly: versioning === "suspended" });
}

const causes = { copy: "ObjectCreated:Copy", post: "ObjectCreated:Post" } as const;

async function noteCreated(tx: Transaction, drive: DriveRecord, entry: Entry, content: NewContent): Promise<void> {
  const { cause, key } = content.target;
  const put = content.fromParts ? "ObjectCreated:CompleteMultipartUpload" : "ObjectCreated:Put";
  await noteObject(tx, drive, {
    event: cause === undefined ? put : causes[cause],
    key: key ?? entry.path.slice(1),
    ...{ size: entry.size, etag: objectTag(entry) },
    version: drive.versioning === "enabled" ? entry.version : undefined,
  });
}

async function createFile(
  tx: Transaction,
  tree: Tree,
  plan: Extract<TargetPlan, { does: "create" }>,
  content: NewContent,
): Promise<Entry> {
  const { claim } = plan;
  const folder = await makeFolders(tx, tree, plan.folder, plan.missing);
  if (claim.replaced) await moveToTrash(tx, tree, claim.replaced, folder);
  const row: EntryRow = {
    ...contentColumns(content, tx.now),
    id: bytesOfId(tx.newEntryId()),
    drive: folder.drive.idBytes,
    parent: folder.bytes,
    sort_name: claim.sortName,
    kind: fileKind,
    created_at: tx.now,
    trashed_at: null,
    original_parent: null,
    original_name: null,
    original_path: null,
  };
  await insertEntry(tx, row);
  await insertVersion(tx, { entry: row.id, sequence: 1, drive: folder.drive }, content);
  return childEntry(row, folder);
}

/** Makes the folders on the way of an object's key; they go with the last that is in them. */
export async function makeFolders(
  tx: Transaction,
  tree: Tree,
  deepest: Folder,
  missing: readonly string[],
): Promise<Folder> {
  let folder = deepest;
  for (const name of missing) {
    const id = tx.newEntryId();
    const row = newFolderRow(bytesOfId(id), folder, folderBytes(name), tx.now);
    await insertEntry(tx, row, { implicit: true });
    tx.addUsage(folder.drive.scope, { folders: 1 });
    tx.addChange({ operation: "create", entry: id, parent: folder.id, name });
    folder = tree.addFolder(row.id, folder, name);
  }
  return folder;
}

async function addVersion(
  tx: Transaction,
  plan: Extract<TargetPlan, { does: "add-version" }>,
  content: NewContent,
): Promise<Entry> {
  const { folder, file } = plan;
  const last = await tx.get<{ last: number | null }>(
    "SELECT MAX(sequence) AS last FROM version WHERE entry = ?",
    file.id,
  );
  await insertVersion(tx, { entry: file.id, sequence: (last?.last ?? 0) + 1, drive: folder.drive }, content);
  const row: EntryRow = { ...file, ...contentColumns(content, tx.now) };
  await updateContent(tx, row);
  return childEntry(row, folder);
}

function contentColumns(
  content: NewContent,
  now: number,
): Pick<EntryRow, "current_version" | "size" | "chunks" | "etag" | "tag" | "content_type" | "modified_at"> {
  return {
    current_version: content.version,
    size: content.size,
    chunks: content.chunks,
    etag: content.etag,
    tag: content.target.attributes?.tag ?? null,
    content_type: content.target.contentType ?? null,
    modified_at: content.target.modifiedAt ?? now,
  };
}

async function insertVersion(
  tx: Transaction,
  { entry, sequence, drive }: { readonly entry: Uint8Array; readonly sequence: number; readonly drive: DriveRecord },
  content: NewContent,
): Promise<void> {
  const attributes = attributesOf(content, drive, tx.now);
  const unversioned = content.target.key !== undefined && drive.versioning !== "enabled";
  await tx.run(
    `INSERT INTO version (id, entry, sequence, state, size, chunks, etag, created_at, content_type, modified_at, meta, manifest,
     unversioned) VALUES (?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    content.version,
    entry,
    sequence,
    content.size,
    content.chunks,
    content.etag,
    tx.now,
    content.target.contentType ?? null,
    content.target.modifiedAt ?? tx.now,
    attributes ? JSON.stringify(attributes) : null,
    content.manifest,
    unversioned ? 1 : 0,
  );
}

/** What comes to a drive with object lock is kept as long as the drive says, by whatever door it comes. */
function attributesOf(
  { target: { attributes }, etag, chunks }: NewContent,
  { objectLock }: DriveRecord,
  now: number,
): ObjectAttributes | undefined {
  const retention = attributes?.lock?.retention ? undefined : retentionOfNew(objectLock, now);
  if (!retention) return attributes;
  const tag = objectTag({ tag: undefined, etag: spellEtag(etag), chunks });
  return { tag, ...attributes, lock: { ...attributes?.lock, retention } };
}
