/** One change or sync of a disk, as CrashDisk writes it down. A file keeps its number when it is renamed. */
export type DiskOperation =
  | { readonly kind: "create"; readonly path: string; readonly file: number }
  | FileChange
  | { readonly kind: "sync"; readonly file: number }
  /** The sync failed, and what it was to save is lost for good although reads still show it. */
  | { readonly kind: "sync-failed"; readonly file: number }
  | { readonly kind: "make-folder"; readonly path: string }
  | { readonly kind: "rename"; readonly from: string; readonly to: string }
  | { readonly kind: "remove"; readonly path: string }
  | { readonly kind: "remove-folder"; readonly path: string }
  | { readonly kind: "sync-folder"; readonly path: string };

/** A change of the bytes of one file. */
export type FileChange =
  | { readonly kind: "write"; readonly file: number; readonly position: number; readonly bytes: Uint8Array }
  | { readonly kind: "truncate"; readonly file: number; readonly length: number };
