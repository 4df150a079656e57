import type { Disk, DiskFile } from "@cairn/env";
import { StorageError } from "@cairn/protocol";
import { type DiskImage, emptyImage, folderOf, foldersDownTo, isWithin, plainPath } from "./disk-image.ts";
import { GrowingBytes } from "./growing-bytes.ts";

export interface MemoryDiskOptions {
  /** What stands on the disk at the start; it is not changed, and must not change. */
  readonly image?: DiskImage;
  /** Size of the disk. A write beyond it stores what fits and throws no-space, as a real one does. */
  readonly totalBytes?: number;
}

const defaultTotalBytes = 2 ** 40;

/** A disk in memory. Removed files stay readable through the files that were opened before. */
export class MemoryDisk implements Disk {
  readonly #files = new Map<string, GrowingBytes>();
  readonly #folders: Set<string>;
  readonly #locks = new Set<string>();
  #totalBytes: number;

  constructor({ image = emptyImage, totalBytes = defaultTotalBytes }: MemoryDiskOptions = {}) {
    this.#folders = new Set([".", ...image.folders]);
    for (const [path, bytes] of image.files) this.#files.set(path, new GrowingBytes(bytes));
    this.#totalBytes = totalBytes;
  }

  /** A copy of all that stands on the disk now, whether synced or not. */
  image(): DiskImage {
    return {
      folders: new Set(this.#folders),
      files: new Map([...this.#files].map(([path, bytes]) => [path, bytes.toBytes()])),
    };
  }

  /** Makes the disk larger or smaller; what stands on it stays. */
  resize(totalBytes: number): void {
    this.#totalBytes = totalBytes;
  }

  /** The process that held locks has ended: they are free. */
  endProcess(): void {
    this.#locks.clear();
  }

  async open(path: string, mode: "read" | "write" | "create"): Promise<DiskFile> {
    const place = plainPath(path);
    let bytes = this.#files.get(place);
    if (mode === "create") {
      if (bytes || this.#folders.has(place)) throw new StorageError("conflict", "open file", path);
      if (!this.#folders.has(folderOf(place))) throw new StorageError("not-found", "open file", path);
      bytes = new GrowingBytes();
      this.#files.set(place, bytes);
    }
    if (!bytes) throw new StorageError("not-found", "open file", path);
    return new MemoryFile(path, bytes, { writable: mode !== "read", freeBytes: () => this.#freeBytes() });
  }

  async list(folder: string): Promise<readonly string[]> {
    const place = plainPath(folder);
    if (!this.#folders.has(place)) throw new StorageError("not-found", "list folder", folder);
    return [...this.#folders, ...this.#files.keys()]
      .filter((path) => path !== "." && folderOf(path) === place)
      .map((path) => path.slice(path.lastIndexOf("/") + 1));
  }

  async makeFolder(path: string): Promise<void> {
    for (const folder of foldersDownTo(plainPath(path))) {
      if (this.#files.has(folder)) throw new StorageError("conflict", "make folder", path);
      this.#folders.add(folder);
    }
  }

  async rename(from: string, to: string): Promise<void> {
    const bytes = this.#files.get(plainPath(from));
    const isFolder = this.#folders.has(plainPath(from));
    if ((!bytes && !isFolder) || !this.#folders.has(folderOf(plainPath(to)))) {
      throw new StorageError("not-found", "rename file", from);
    }
    if (!bytes) return this.#renameFolder(plainPath(from), plainPath(to));
    this.#files.delete(plainPath(from));
    this.#files.set(plainPath(to), bytes);
  }

  #renameFolder(from: string, to: string): void {
    if (this.#folders.has(to) || this.#files.has(to)) throw new StorageError("conflict", "rename folder", to);
    for (const path of [...this.#folders].filter((it) => isWithin(it, from))) {
      this.#folders.delete(path);
      this.#folders.add(to + path.slice(from.length));
    }
    for (const [path, bytes] of [...this.#files].filter(([it]) => isWithin(it, from))) {
      this.#files.delete(path);
      this.#files.set(to + path.slice(from.length), bytes);
    }
  }

  async remove(path: string): Promise<void> {
    if (!this.#files.delete(plainPath(path))) throw new StorageError("not-found", "remove file", path);
  }

  async removeFolder(path: string): Promise<void> {
    const folder = plainPath(path);
    for (const file of [...this.#files.keys()]) if (isWithin(file, folder)) this.#files.delete(file);
    for (const below of [...this.#folders]) if (below !== "." && isWithin(below, folder)) this.#folders.delete(below);
  }

  async syncFolder(path: string): Promise<void> {
    if (!this.#folders.has(plainPath(path))) throw new StorageError("not-found", "sync folder", path);
  }

  async exists(path: string): Promise<boolean> {
    return this.#files.has(plainPath(path)) || this.#folders.has(plainPath(path));
  }

  async space(): Promise<{ totalBytes: number; freeBytes: number }> {
    return { totalBytes: this.#totalBytes, freeBytes: this.#freeBytes() };
  }

  async lock(path: string): Promise<AsyncDisposable> {
    const place = plainPath(path);
    if (this.#locks.has(place)) throw new StorageError("unavailable", "lock", path);
    this.#locks.add(place);
    return {
      [Symbol.asyncDispose]: async (): Promise<void> => {
        this.#locks.delete(place);
      },
    };
  }

  #freeBytes(): number {
    let used = 0;
    for (const bytes of this.#files.values()) used += bytes.length;
    return Math.max(this.#totalBytes - used, 0);
  }
}

class MemoryFile implements DiskFile {
  readonly #path: string;
  readonly #bytes: GrowingBytes;
  readonly #access: { readonly writable: boolean; freeBytes(): number };
  #closed = false;

  constructor(path: string, bytes: GrowingBytes, access: { readonly writable: boolean; freeBytes(): number }) {
    this.#path = path;
    this.#bytes = bytes;
    this.#access = access;
  }

  async read(buffer: Uint8Array, position: number): Promise<number> {
    this.#check("read file");
    return this.#bytes.read(buffer, position);
  }

  async write(buffers: readonly Uint8Array[], position: number): Promise<void> {
    this.#check("write file", { writes: true });
    let at = position;
    for (const buffer of buffers) {
      const growth = Math.max(at + buffer.length - this.#bytes.length, 0);
      const missing = Math.max(growth - this.#access.freeBytes(), 0);
      const fitting = buffer.subarray(0, Math.max(buffer.length - missing, 0));
      if (fitting.length > 0) this.#bytes.write(fitting, at);
      if (missing > 0) throw new StorageError("no-space", "write file", this.#path);
      at += buffer.length;
    }
  }

  async syncData(): Promise<void> {
    this.#check("sync file");
  }

  async truncate(length: number): Promise<void> {
    this.#check("truncate file", { writes: true });
    this.#bytes.truncate(length);
  }

  async size(): Promise<number> {
    this.#check("measure file");
    return this.#bytes.length;
  }

  async close(): Promise<void> {
    this.#check("close file");
    this.#closed = true;
  }

  #check(operation: string, { writes = false } = {}): void {
    if (this.#closed) throw new StorageError("internal", operation, `${this.#path} was closed`);
    if (writes && !this.#access.writable) throw new StorageError("internal", operation, `${this.#path} is read-only`);
  }
}
