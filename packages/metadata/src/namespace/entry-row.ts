import { type Entry, type EntryId, fromHex, fromUtf8, idFromBytes, toHex } from "@cairn/protocol";
import type { DriveRecord } from "./drive-table.ts";

/** A row of the table entry. kind: 0 file, 1 folder. */
export interface EntryRow {
  readonly id: Uint8Array;
  readonly drive: Uint8Array;
  readonly parent: Uint8Array | null;
  readonly sort_name: Uint8Array;
  readonly kind: number;
  readonly current_version: Uint8Array | null;
  readonly size: number;
  readonly chunks: number;
  readonly etag: Uint8Array | null;
  readonly tag: string | null;
  readonly content_type: string | null;
  readonly created_at: number;
  readonly modified_at: number;
  readonly trashed_at: number | null;
  readonly original_parent: Uint8Array | null;
  readonly original_name: Uint8Array | null;
  readonly original_path: Uint8Array | null;
}

export const entryColumns: string =
  "id, drive, parent, sort_name, kind, current_version, size, chunks, etag, tag, content_type, created_at, modified_at, " +
  "trashed_at, original_parent, original_name, original_path";

/** What it takes to show an entry whose folder is known: listings leave the other columns out. */
export type ChildRow = Pick<
  EntryRow,
  | "id"
  | "sort_name"
  | "kind"
  | "current_version"
  | "size"
  | "chunks"
  | "etag"
  | "tag"
  | "content_type"
  | "created_at"
  | "modified_at"
>;

/** A child as a listing reads it. */
export interface PackedChildRow extends Omit<ChildRow, "id" | "sort_name" | "current_version" | "etag"> {
  readonly packed: string;
}

/**
 * The columns of bytes as one text in hex: to hand four byte strings a row to JavaScript costs SQLite's binding more than all
 * the rest of a listing.
 */
export const packedChildColumns: string =
  "lower(hex(id) || '.' || hex(sort_name) || '.' || coalesce(hex(current_version), '') || '.' || coalesce(hex(etag), '')) " +
  "AS packed, kind, size, chunks, tag, content_type, created_at, modified_at";

export function unpackChild({ packed, ...row }: PackedChildRow): ChildRow {
  const [id = "", name = "", version = "", etag = ""] = packed.split(".");
  return {
    ...row,
    id: fromHex(id),
    sort_name: fromHex(name),
    current_version: version === "" ? null : fromHex(version),
    etag: etag === "" ? null : fromHex(etag),
  };
}

export const fileKind = 0;
export const folderKind = 1;

/** The name in the row of an entry that is not in the trash itself: its sort_name without the '/' of a folder. */
export function nameOfRow(row: Pick<EntryRow, "kind" | "sort_name">): string {
  return fromUtf8(row.kind === folderKind ? row.sort_name.subarray(0, -1) : row.sort_name);
}

/** The spelling of a content's etag: `sha256-` and 64 hex digits. */
export function spellEtag(etag: Uint8Array): string {
  return `sha256-${toHex(etag)}`;
}

/** What is known about an entry from the folders above it. */
export interface Place {
  readonly drive: DriveRecord;
  readonly parent: EntryId | undefined;
  readonly name: string;
  readonly path: string;
  readonly trashedAt: number | undefined;
}

/** The entry as users see it. */
export function toEntry(row: ChildRow, place: Place): Entry {
  const file = row.kind === fileKind;
  return {
    id: idFromBytes("f_", row.id),
    drive: place.drive.id,
    parent: place.parent,
    kind: file ? "file" : "folder",
    name: place.name,
    path: place.path,
    size: row.size,
    createdAt: row.created_at,
    modifiedAt: row.modified_at,
    contentType: row.content_type ?? undefined,
    version: row.current_version ? idFromBytes("v_", row.current_version) : undefined,
    etag: row.etag ? spellEtag(row.etag) : undefined,
    ...(row.tag === null ? {} : { tag: row.tag }),
    copies: place.drive.copies,
    chunks: row.chunks,
    trashedAt: place.trashedAt,
  };
}
