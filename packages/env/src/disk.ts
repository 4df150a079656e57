/**
 * A folder tree on one disk. Paths are relative, with `/`, and never leave the tree. Failures are StorageErrors:
 * not-found, conflict (exists), no-space, unavailable (locked by another process), internal (I/O error).
 * Nothing is durable before syncData (file contents) and syncFolder (names) have returned.
 */
export interface Disk {
  /** `create` fails with conflict when the file exists; `write` opens an existing one. */
  open(path: string, mode: "read" | "write" | "create"): Promise<DiskFile>;
  /** Names in a folder, in no order. Throws not-found. */
  list(folder: string): Promise<readonly string[]>;
  /** Makes the folder and all missing parents; existing is fine. Does not sync. */
  makeFolder(path: string): Promise<void>;
  /**
   * Replaces the file `to` at once if it exists; works on every platform while either is open. A folder moves with all that
   * is in it, to where nothing is, while nothing in it is open.
   */
  rename(from: string, to: string): Promise<void>;
  /** Removes a file. Throws not-found. */
  remove(path: string): Promise<void>;
  /** Removes a folder and all below; missing is fine. */
  removeFolder(path: string): Promise<void>;
  /** Makes the names in a folder durable. A no-op where the platform has no such thing. */
  syncFolder(path: string): Promise<void>;
  exists(path: string): Promise<boolean>;
  space(): Promise<{ readonly totalBytes: number; readonly freeBytes: number }>;
  /** Exclusive among processes; ends with the process at the latest. Throws unavailable at once when taken. */
  lock(path: string): Promise<AsyncDisposable>;
}

/** One open file. All reads and writes name their position; there is no shared cursor. */
export interface DiskFile {
  /** Fills the buffer from `position`, or up to the end of the file; tells how many bytes. */
  read(buffer: Uint8Array, position: number): Promise<number>;
  /** Writes all bytes of all buffers, one after the other, from `position` on, or throws. */
  write(buffers: readonly Uint8Array[], position: number): Promise<void>;
  /** Data and what is needed to read it back are on the medium. A failure is final for this file: never retry it. */
  syncData(): Promise<void>;
  truncate(length: number): Promise<void>;
  size(): Promise<number>;
  close(): Promise<void>;
}
