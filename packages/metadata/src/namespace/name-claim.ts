import { StorageError } from "@cairn/protocol";
import { keyOf } from "../sql/byte-key.ts";
import { type EntryRow, fileKind, folderKind } from "./entry-row.ts";
import { checkPathLength, nameBytes, numberedName, withSlash } from "./names.ts";
import { childEntry, type Folder, type Tree } from "./tree.ts";

/** A name in a folder that an entry is about to take. */
export interface NameClaim {
  readonly name: string;
  readonly sortName: Uint8Array;
  /** Has the name now and must leave it: goes to the trash. */
  readonly replaced: EntryRow | undefined;
}

export interface NameWish {
  readonly folder: Folder;
  readonly name: string;
  readonly kind: "file" | "folder";
  readonly onConflict: "fail" | "rename" | "replace";
  /** The entry that wants the name; having it already is no conflict. */
  readonly self?: Uint8Array;
  /** What has the name now, if the caller has looked already. */
  readonly occupants?: readonly EntryRow[];
  /** Named in errors. */
  readonly operation: string;
}

/** Numbered names are tried one by one up to this, then by halving. */
const triedOneByOne = 20;
const numberMax = 2 ** 30;

/**
 * Decides under which name an entry may stand in a folder. A file and a folder of the same name are in each other's way,
 * and only the same kind replaces. Throws conflict (details.existing), invalid.
 */
export async function claimName(tree: Tree, wish: NameWish): Promise<NameClaim> {
  const { folder, kind } = wish;
  const taken = wish.occupants ?? (await occupants(tree, wish, wish.name));
  if (taken.length === 0) return claimed(folder, wish.name, kind);
  if (wish.onConflict === "rename") return claimed(folder, await freeName(tree, wish), kind);
  const [only] = taken;
  const replaceable = wish.onConflict === "replace" && taken.length === 1 && only?.kind === kindNumber(kind);
  if (!only || !replaceable) throw nameTaken(wish, only);
  return { ...claimed(folder, wish.name, kind), replaced: only };
}

/** The error for a name that is taken, with what has it. */
export function nameTaken(
  wish: Pick<NameWish, "folder" | "name" | "operation">,
  existing: EntryRow | undefined,
): StorageError {
  const entry = existing && childEntry(existing, wish.folder);
  return new StorageError("conflict", wish.operation, `${wish.folder.prefix}/${wish.name} exists`, {
    hint: "Pick another name, or say what to do with the one that is there: onConflict=rename, replace or version.",
    details: entry ? { existing: { id: entry.id, kind: entry.kind, path: entry.path, etag: entry.etag } } : {},
  });
}

function claimed(folder: Folder, name: string, kind: "file" | "folder"): NameClaim {
  checkPathLength(`${folder.prefix}/${name}`);
  const bytes = nameBytes(name);
  return { name, sortName: kind === "folder" ? withSlash(bytes) : bytes, replaced: undefined };
}

async function occupants(tree: Tree, wish: NameWish, name: string): Promise<EntryRow[]> {
  const bytes = nameBytes(name);
  const rows = await tree.rowsNamed(wish.folder, bytes, withSlash(bytes));
  const self = wish.self && keyOf(wish.self);
  return self === undefined ? rows : rows.filter((row) => keyOf(row.id) !== self);
}

/** The lowest free number where the taken ones have no gaps; found in few look-ups even among very many. */
async function freeName(tree: Tree, wish: NameWish): Promise<string> {
  const isFree = async (number: number): Promise<boolean> =>
    (await occupants(tree, wish, numberedName(wish.name, wish.kind, number))).length === 0;
  let taken = 1;
  let free = 2;
  while (!(await isFree(free))) {
    taken = free;
    free = free < triedOneByOne ? free + 1 : free * 2;
    if (free > numberMax) throw nameTaken(wish, undefined);
  }
  while (free - taken > 1) {
    const middle = Math.floor((free + taken) / 2);
    if (await isFree(middle)) free = middle;
    else taken = middle;
  }
  return numberedName(wish.name, wish.kind, free);
}

function kindNumber(kind: "file" | "folder"): number {
  return kind === "folder" ? folderKind : fileKind;
}
