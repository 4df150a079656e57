import { type DriveId, type EntryAddress, type EntryId, parseId, StorageError } from "@cairn/protocol";

/** What a user's text names: a path, a whole id, or the beginning of one. */
export type NamedEntry = { readonly path: string } | { readonly id: EntryId } | { readonly idPrefix: string };

/** Throws invalid for anything that is neither a path nor looks like an id. */
export function parseAddress(text: string): NamedEntry {
  if (text.startsWith("/")) return { path: text };
  const id = wholeId(text);
  if (id !== undefined) return { id };
  if (/^f_[0-9a-z]+$/i.test(text)) return { idPrefix: text };
  throw new StorageError("invalid", "read address", text.slice(0, 80), {
    hint: "Name a file by its path, such as /Projects/a.txt, or by its id, such as f_01j9zk.",
  });
}

export function withinDrive(named: NamedEntry, drive: DriveId): EntryAddress {
  return "id" in named ? named : { drive, ...named };
}

/** The query that names an entry in the REST API. */
export function queryOf(named: NamedEntry): { readonly path?: string; readonly id?: string } {
  if ("path" in named) return { path: named.path };
  return { id: "id" in named ? named.id : named.idPrefix };
}

function wholeId(text: string): EntryId | undefined {
  try {
    return parseId("f_", text);
  } catch {
    return undefined;
  }
}
