import { type CommitTarget, objectTag, StorageError } from "@cairn/protocol";
import type { DriveRecord, DriveTable } from "../namespace/drive-table.ts";
import { type EntryRow, fileKind, spellEtag } from "../namespace/entry-row.ts";
import { claimName, type NameClaim, nameTaken } from "../namespace/name-claim.ts";
import { nameBytes, withSlash } from "../namespace/names.ts";
import { checkKey } from "../namespace/object-key.ts";
import { findKey } from "../namespace/object-lookup.ts";
import { childEntry, type Folder, type Tree } from "../namespace/tree.ts";

/** What a commit will do to the namespace. */
export type TargetPlan =
  | {
      readonly does: "create";
      readonly folder: Folder;
      /** Names of folders that are made below `folder` first, each in the one before. */
      readonly missing: readonly string[];
      readonly claim: NameClaim;
    }
  | { readonly does: "add-version"; readonly folder: Folder; readonly file: EntryRow }
  | { readonly does: "nothing"; readonly folder: Folder; readonly file: EntryRow };

const operation = "commit";
const contentTypeCharactersMax = 255;

/** Checks what a target says without looking at the namespace. Throws invalid. */
export function checkTarget(target: CommitTarget): void {
  if (target.key === undefined) nameBytes(target.name);
  else checkKey(target.key);
  const { modifiedAt, contentType } = target;
  if (modifiedAt !== undefined && !Number.isSafeInteger(modifiedAt)) {
    throw new StorageError("invalid", operation, `modification time ${modifiedAt}`, {
      hint: "Whole milliseconds since 1970.",
    });
  }
  // What is stored here becomes the value of an HTTP header one day.
  if (contentType !== undefined && !/^[\x20-\x7e]*$/.test(contentType)) throw badContentType(contentType);
  if ((contentType?.length ?? 0) > contentTypeCharactersMax) throw badContentType(contentType ?? "");
}

function badContentType(contentType: string): StorageError {
  return new StorageError("invalid", operation, `content type ${contentType.slice(0, 80)}`, {
    hint: `Up to ${contentTypeCharactersMax} printable ASCII characters, such as text/plain.`,
  });
}

/**
 * Decides what becomes of a content at its target. Equal content under `version` or `replace` changes nothing. Reads only.
 * Throws not-found (folder), precondition-failed (ifMatch), conflict (name), invalid (name, drive).
 */
export async function planTarget(
  tree: Tree,
  target: CommitTarget,
  { etag, drives }: { readonly etag: Uint8Array | undefined; readonly drives: DriveTable },
): Promise<TargetPlan> {
  if (target.key !== undefined) return planObject(tree, await drives.byId(tree.sql, target.drive), target.key, target);
  const folder = await tree.liveFolder(target.parent, operation);
  if (folder.drive.id !== target.drive) {
    throw new StorageError("invalid", operation, `folder ${target.parent} is not in drive ${target.drive}`);
  }
  const bytes = nameBytes(target.name);
  const rows = await tree.rowsNamed(folder, bytes, withSlash(bytes));
  const file = rows.find((row) => row.kind === fileKind);
  checkPrecondition(target, folder, file);
  const overwrites = target.onConflict === "version" || target.onConflict === "replace";
  if (rows.length === 1 && file && overwrites) {
    if (etag && file.etag && sameBytes(etag, file.etag)) return { does: "nothing", folder, file };
    if (target.onConflict === "version") return { does: "add-version", folder, file };
  }
  if (target.onConflict === "version" && rows.length > 0) {
    throw nameTaken({ folder, name: target.name, operation }, rows[0]);
  }
  const onConflict = target.onConflict === "version" ? "fail" : target.onConflict;
  const wish = { folder, name: target.name, kind: "file" as const, onConflict, operation, occupants: rows };
  return { does: "create", folder, missing: [], claim: await claimName(tree, wish) };
}

/** An object stands where its key says, whatever else has the name: equal content is a new version too. */
async function planObject(tree: Tree, drive: DriveRecord, key: string, { ifTag }: CommitTarget): Promise<TargetPlan> {
  const { folder, missing, name, sortName, file } = await findKey(tree, drive, key);
  if (ifTag !== undefined && (file ? objectTag(childEntry(file, folder)) : null) !== ifTag) {
    throw new StorageError("precondition-failed", operation, key.slice(0, 200), {
      hint: file ? "The object was changed meanwhile, or is there already." : "There is no such object.",
      details: { missing: file === undefined },
    });
  }
  if (file) return { does: "add-version", folder, file };
  return { does: "create", folder, missing, claim: { name, sortName, replaced: undefined } };
}

/** ifMatch names the etag that the file of the target's name must have; null: there must be no such file. */
function checkPrecondition(target: CommitTarget, folder: Folder, file: EntryRow | undefined): void {
  if (target.ifMatch === undefined) return;
  const current = file?.etag ? spellEtag(file.etag) : null;
  if (current === target.ifMatch) return;
  throw new StorageError("precondition-failed", operation, `${folder.prefix}/${target.name}`, {
    hint: current === null ? "There is no such file any more." : "The file was changed meanwhile: read it again.",
    details: { etag: current },
  });
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
