import type { Disk, DiskFile } from "@cairn/env";

interface CachedFile {
  readonly file: Promise<DiskFile>;
  users: number;
  /** Not to be found any more: closed by its last user. */
  dropped: boolean;
}

/** Open files for reading, at most so many; the least recently used one is closed when no read needs it any more. */
export class FileCache implements AsyncDisposable {
  readonly #disk: Disk;
  readonly #filesMax: number;
  readonly #files = new Map<string, CachedFile>();

  constructor(disk: Disk, filesMax: number) {
    this.#disk = disk;
    this.#filesMax = filesMax;
  }

  /** Runs `work` with the file open; it stays open until `work` has ended. */
  async use<Result>(path: string, work: (file: DiskFile) => Promise<Result>): Promise<Result> {
    const cached = this.#take(path);
    try {
      let file: DiskFile;
      try {
        file = await cached.file;
      } catch (error) {
        await this.forget(path);
        throw error;
      }
      return await work(file);
    } finally {
      cached.users--;
      if (cached.dropped && cached.users === 0) await close(cached);
      await this.#shrink();
    }
  }

  /** The next use opens the path anew: another file stands there now. */
  async forget(path: string): Promise<void> {
    const cached = this.#files.get(path);
    if (cached) await this.#drop(path, cached);
  }

  /** As forget, for all paths that begin so. */
  async forgetBelow(beginning: string): Promise<void> {
    for (const [path, cached] of [...this.#files]) if (path.startsWith(beginning)) await this.#drop(path, cached);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const [path, cached] of [...this.#files]) await this.#drop(path, cached);
  }

  #take(path: string): CachedFile {
    const cached = this.#files.get(path) ?? { file: this.#disk.open(path, "read"), users: 0, dropped: false };
    // Moved to the end: the first key is always the least recently used.
    this.#files.delete(path);
    this.#files.set(path, cached);
    cached.users++;
    return cached;
  }

  async #drop(path: string, cached: CachedFile): Promise<void> {
    this.#files.delete(path);
    cached.dropped = true;
    if (cached.users === 0) await close(cached);
  }

  async #shrink(): Promise<void> {
    for (const [path, cached] of this.#files) {
      if (this.#files.size <= this.#filesMax) return;
      if (cached.users === 0) await this.#drop(path, cached);
    }
  }
}

async function close(cached: CachedFile): Promise<void> {
  const opened = await cached.file.catch(() => undefined);
  await opened?.close();
}
