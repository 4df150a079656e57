import type { DriveId, EntryId, VersionId } from "./ids.ts";

export interface Drive {
  readonly id: DriveId;
  readonly name: string;
  readonly root: EntryId;
  readonly chunkBytes: number;
  readonly copies: number;
}

/** A file or a folder as users see it. Times are wall clock ms. */
export interface Entry {
  readonly id: EntryId;
  readonly drive: DriveId;
  /** Undefined for the root of a drive. */
  readonly parent: EntryId | undefined;
  readonly kind: "file" | "folder";
  /** Empty for the root of a drive. */
  readonly name: string;
  /** `/` and the names down to here, joined by `/`; for something in the trash, the path it had. */
  readonly path: string;
  /** Bytes of the current version; 0 for a folder. */
  readonly size: number;
  readonly createdAt: number;
  readonly modifiedAt: number;
  readonly contentType: string | undefined;
  /** Current version; undefined for a folder. */
  readonly version: VersionId | undefined;
  /** Strong validator of the content, `sha256-…` of the manifest; undefined for a folder. */
  readonly etag: string | undefined;
  /** The ETag under which an object API wrote the content; see objectTag for the others. */
  readonly tag?: string | undefined;
  /** Copies that the drive keeps of each chunk. */
  readonly copies: number;
  readonly chunks: number;
  readonly trashedAt: number | undefined;
}

/** Where an entry is named: by id, by a unique beginning of an id, by a path within a drive, or as an object by its key. */
export type EntryAddress =
  | { readonly id: EntryId }
  | { readonly drive: DriveId; readonly key: string }
  | { readonly drive: DriveId; readonly idPrefix: string }
  | { readonly drive: DriveId; readonly path: string };

/** What to do when the name is taken. `version` adds a version to the file that has the name. */
export type OnConflict = "fail" | "rename" | "replace" | "version";

export interface Page<Item> {
  readonly items: readonly Item[];
  /** Opaque; undefined after the last page. A page with a cursor is never empty. */
  readonly cursor: string | undefined;
}

export interface PageRequest {
  readonly cursor?: string | undefined;
  /** 1 … pageSizeMax. */
  readonly size?: number | undefined;
}
