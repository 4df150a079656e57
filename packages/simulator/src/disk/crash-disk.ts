import type { Disk, DiskFile } from "@cairn/env";
import { concatBytes, StorageError } from "@cairn/protocol";
import { CrashReplay, type CrashState } from "./crash-replay.ts";
import { type DiskImage, emptyImage, isWithin, plainPath } from "./disk-image.ts";
import type { DiskOperation } from "./disk-operation.ts";
import { MemoryDisk } from "./memory-disk.ts";

export interface CrashDiskOptions {
  /** What stands durably on the disk at the start. */
  readonly image?: DiskImage;
  readonly totalBytes?: number;
  /** Syncs that return at once and do nothing: a lying disk, or a forgotten call. */
  readonly ignores?: "sync-data" | "sync-folder";
  /**
   * True makes this sync of a file fail with internal and lose what it was to save, as Linux file systems do: later
   * syncs succeed and later reads show the bytes until the power is cut. `count` starts at 1.
   */
  readonly failSync?: (path: string, count: number) => boolean;
}

/**
 * A disk in memory that writes down every change and sync, and can build what a power cut after each of them may leave.
 * Reads see everything at once, as they do from a page cache.
 */
export class CrashDisk implements Disk {
  readonly #live: MemoryDisk;
  readonly #options: CrashDiskOptions;
  readonly #image: DiskImage;
  readonly #files = new Map<string, number>();
  readonly #operations: DiskOperation[] = [];
  #fileCount = 0;
  #syncCount = 0;

  constructor(options: CrashDiskOptions = {}) {
    this.#options = options;
    this.#image = options.image ?? emptyImage;
    this.#live = new MemoryDisk({
      image: this.#image,
      ...(options.totalBytes === undefined ? {} : { totalBytes: options.totalBytes }),
    });
    for (const path of this.#image.files.keys()) this.#files.set(path, this.#fileCount++);
  }

  /** What was done so far; its length names a moment for crashStates. */
  get operations(): readonly DiskOperation[] {
    return this.#operations;
  }

  /** All that stands on the disk, as if everything were synced. */
  image(): DiskImage {
    return this.#live.image();
  }

  /** The process that held locks has ended: they are free. The power was not cut. */
  endProcess(): void {
    this.#live.endProcess();
  }

  /** What a power cut may leave, for each moment from `first` operations on up to now. */
  *crashStates({ first = 0 }: { first?: number } = {}): Generator<CrashState> {
    const replay = new CrashReplay(this.#image);
    for (let after = 0; after <= this.#operations.length; after++) {
      if (after >= first) yield* replay.states(after);
      const next = this.#operations[after];
      if (next) replay.apply(next);
    }
  }

  async open(path: string, mode: "read" | "write" | "create"): Promise<DiskFile> {
    const place = plainPath(path);
    const opened = await this.#live.open(path, mode);
    let file = this.#files.get(place);
    if (mode === "create" || file === undefined) {
      file = this.#fileCount++;
      this.#files.set(place, file);
      this.#operations.push({ kind: "create", path: place, file });
    }
    return new CrashFile(opened, file, {
      record: (operation) => this.#operations.push(operation),
      sync: (number) => this.#sync(place, number),
    });
  }

  list(folder: string): Promise<readonly string[]> {
    return this.#live.list(folder);
  }

  async makeFolder(path: string): Promise<void> {
    await this.#live.makeFolder(path);
    this.#operations.push({ kind: "make-folder", path: plainPath(path) });
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#live.rename(from, to);
    for (const [path, file] of [...this.#files].filter(([it]) => isWithin(it, plainPath(from)))) {
      this.#files.delete(path);
      this.#files.set(plainPath(to) + path.slice(plainPath(from).length), file);
    }
    this.#operations.push({ kind: "rename", from: plainPath(from), to: plainPath(to) });
  }

  async remove(path: string): Promise<void> {
    await this.#live.remove(path);
    this.#files.delete(plainPath(path));
    this.#operations.push({ kind: "remove", path: plainPath(path) });
  }

  async removeFolder(path: string): Promise<void> {
    await this.#live.removeFolder(path);
    for (const file of [...this.#files.keys()]) if (file.startsWith(`${plainPath(path)}/`)) this.#files.delete(file);
    this.#operations.push({ kind: "remove-folder", path: plainPath(path) });
  }

  async syncFolder(path: string): Promise<void> {
    await this.#live.syncFolder(path);
    if (this.#options.ignores === "sync-folder") return;
    this.#operations.push({ kind: "sync-folder", path: plainPath(path) });
  }

  exists(path: string): Promise<boolean> {
    return this.#live.exists(path);
  }

  space(): Promise<{ totalBytes: number; freeBytes: number }> {
    return this.#live.space();
  }

  lock(path: string): Promise<AsyncDisposable> {
    return this.#live.lock(path);
  }

  #sync(path: string, file: number): void {
    this.#syncCount++;
    if (this.#options.failSync?.(path, this.#syncCount)) {
      this.#operations.push({ kind: "sync-failed", file });
      throw new StorageError("internal", "sync file", path);
    }
    if (this.#options.ignores !== "sync-data") this.#operations.push({ kind: "sync", file });
  }
}

interface Recorder {
  record(operation: DiskOperation): void;
  sync(file: number): void;
}

class CrashFile implements DiskFile {
  readonly #live: DiskFile;
  readonly #file: number;
  readonly #recorder: Recorder;

  constructor(live: DiskFile, file: number, recorder: Recorder) {
    this.#live = live;
    this.#file = file;
    this.#recorder = recorder;
  }

  read(buffer: Uint8Array, position: number): Promise<number> {
    return this.#live.read(buffer, position);
  }

  async write(buffers: readonly Uint8Array[], position: number): Promise<void> {
    const bytes = concatBytes(buffers);
    const before = await this.#live.size();
    try {
      await this.#live.write([bytes], position);
      this.#recorder.record({ kind: "write", file: this.#file, position, bytes });
    } catch (error) {
      // A full disk keeps the part that fitted.
      const kept = Math.max((await this.#live.size()) - Math.max(position, before), 0);
      if (kept > 0) {
        const part = bytes.subarray(0, Math.max(before - position, 0) + kept);
        this.#recorder.record({ kind: "write", file: this.#file, position, bytes: part });
      }
      throw error;
    }
  }

  async syncData(): Promise<void> {
    await this.#live.syncData();
    this.#recorder.sync(this.#file);
  }

  async truncate(length: number): Promise<void> {
    await this.#live.truncate(length);
    this.#recorder.record({ kind: "truncate", file: this.#file, length });
  }

  size(): Promise<number> {
    return this.#live.size();
  }

  close(): Promise<void> {
    return this.#live.close();
  }
}
