import type { Disk, DiskFile } from "@cairn/env";

/** Open files for reading, at most so many; the least recently used one is closed when no read needs it any more. */
export class FileCache implements AsyncDisposable {
  readonly #disk: Disk;
  readonly #filesMax: number;
  readonly #files = new Map<string, { file: Promise<DiskFile>; users: number }>();

  constructor(disk: Disk, filesMax: number) {
    this.#disk = disk;
    this.#filesMax = filesMax;
  }

  /** Runs `work` with the file open; it stays open until `work` has ended. */
  async use<Result>(path: string, work: (file: DiskFile) => Promise<Result>): Promise<Result> {
    const known = this.#files.get(path);
    const entry = known ?? { file: this.#disk.open(path, "read"), users: 0 };
    // Moved to the end: the first key is always the least recently used.
    this.#files.delete(path);
    this.#files.set(path, entry);
    entry.users++;
    try {
      return await work(await entry.file);
    } catch (error) {
      if (!known && entry.users === 1) this.#files.delete(path);
      throw error;
    } finally {
      entry.users--;
      await this.#shrink();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const files = [...this.#files.values()];
    this.#files.clear();
    for (const { file } of files) await close(file);
  }

  async #shrink(): Promise<void> {
    if (this.#files.size <= this.#filesMax) return;
    for (const [path, entry] of this.#files) {
      if (entry.users > 0) continue;
      this.#files.delete(path);
      await close(entry.file);
      if (this.#files.size <= this.#filesMax) return;
    }
  }
}

async function close(file: Promise<DiskFile>): Promise<void> {
  const opened = await file.catch(() => undefined);
  await opened?.close();
}
