import { constants } from "node:fs";
import { type FileHandle, mkdir, open, readdir, rename, rm, stat, statfs, unlink } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Disk, DiskFile } from "@cairn/env";
import { StorageError } from "@cairn/protocol";
import { lockFile } from "./lock-file.ts";
import { codeOf, fromSystemError } from "./system-error.ts";

/** IOV_MAX on Linux; a longer list of buffers is written in several calls. */
const buffersPerWrite = 512;
const flagsOf = {
  read: constants.O_RDONLY,
  write: constants.O_RDWR,
  create: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL,
} as const;

/** One folder of the machine's file system. Files are made 0600, folders 0700. */
export class NodeDisk implements Disk {
  readonly #root: string;

  constructor(root: string) {
    this.#root = resolve(root);
  }

  async open(path: string, mode: "read" | "write" | "create"): Promise<DiskFile> {
    const place = this.#place(path);
    try {
      return new NodeDiskFile(path, await open(place, flagsOf[mode], 0o600));
    } catch (error) {
      throw fromSystemError(error, "open file", path);
    }
  }

  async list(folder: string): Promise<readonly string[]> {
    return this.#attempt("list folder", folder, (place) => readdir(place));
  }

  async makeFolder(path: string): Promise<void> {
    await this.#attempt("make folder", path, (place) => mkdir(place, { recursive: true, mode: 0o700 }));
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#attempt("rename file", from, (place) => renameWithPatience(place, this.#place(to)));
  }

  async remove(path: string): Promise<void> {
    await this.#attempt("remove file", path, (place) => unlink(place));
  }

  async removeFolder(path: string): Promise<void> {
    await this.#attempt("remove folder", path, (place) => rm(place, { recursive: true, force: true }));
  }

  async syncFolder(path: string): Promise<void> {
    // Windows has no such call and makes names durable with the file system's own journal.
    if (process.platform === "win32") return;
    await this.#attempt("sync folder", path, async (place) => {
      const folder = await open(place, constants.O_RDONLY);
      try {
        await folder.sync();
      } finally {
        await folder.close();
      }
    });
  }

  async exists(path: string): Promise<boolean> {
    try {
      await stat(this.#place(path));
      return true;
    } catch (error) {
      if (codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR") return false;
      throw fromSystemError(error, "look for file", path);
    }
  }

  async space(): Promise<{ totalBytes: number; freeBytes: number }> {
    return this.#attempt("measure disk", ".", async (place) => {
      const { bsize, blocks, bavail } = await statfs(place);
      return { totalBytes: bsize * blocks, freeBytes: bsize * bavail };
    });
  }

  async lock(path: string): Promise<AsyncDisposable> {
    return lockFile(this.#place(path));
  }

  #place(path: string): string {
    const parts = path.split("/");
    if (path.startsWith("/") || path.includes("\0") || path.includes("\\") || parts.includes("..")) {
      throw new StorageError("invalid", "use path", path);
    }
    return join(this.#root, ...parts);
  }

  async #attempt<Result>(operation: string, path: string, work: (place: string) => Promise<Result>): Promise<Result> {
    try {
      return await work(this.#place(path));
    } catch (error) {
      throw fromSystemError(error, operation, path);
    }
  }
}

class NodeDiskFile implements DiskFile {
  readonly #path: string;
  readonly #handle: FileHandle;

  constructor(path: string, handle: FileHandle) {
    this.#path = path;
    this.#handle = handle;
  }

  async read(buffer: Uint8Array, position: number): Promise<number> {
    let done = 0;
    try {
      while (done < buffer.length) {
        const { bytesRead } = await this.#handle.read(buffer, done, buffer.length - done, position + done);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
    } catch (error) {
      throw fromSystemError(error, "read file", this.#path);
    }
    return done;
  }

  async write(buffers: readonly Uint8Array[], position: number): Promise<void> {
    try {
      let at = position;
      for (let first = 0; first < buffers.length; first += buffersPerWrite) {
        at = await this.#writeAll(buffers.slice(first, first + buffersPerWrite), at);
      }
    } catch (error) {
      throw fromSystemError(error, "write file", this.#path);
    }
  }

  async syncData(): Promise<void> {
    try {
      await this.#handle.datasync();
    } catch (error) {
      throw fromSystemError(error, "sync file", this.#path);
    }
  }

  async truncate(length: number): Promise<void> {
    try {
      await this.#handle.truncate(length);
    } catch (error) {
      throw fromSystemError(error, "truncate file", this.#path);
    }
  }

  async size(): Promise<number> {
    try {
      return (await this.#handle.stat()).size;
    } catch (error) {
      throw fromSystemError(error, "measure file", this.#path);
    }
  }

  async close(): Promise<void> {
    try {
      await this.#handle.close();
    } catch (error) {
      throw fromSystemError(error, "close file", this.#path);
    }
  }

  /** A short write is not an error of the system: the rest is written again, until nothing moves any more. */
  async #writeAll(buffers: Uint8Array[], position: number): Promise<number> {
    let left = buffers.filter((buffer) => buffer.length > 0);
    let at = position;
    while (left.length > 0) {
      const { bytesWritten } = await this.#handle.writev(left, at);
      if (bytesWritten === 0) throw new StorageError("no-space", "write file", this.#path);
      at += bytesWritten;
      left = withoutFirst(left, bytesWritten);
    }
    return at;
  }
}

function withoutFirst(buffers: readonly Uint8Array[], count: number): Uint8Array[] {
  let skip = count;
  let index = 0;
  while (index < buffers.length && skip >= (buffers[index]?.length ?? 0)) skip -= buffers[index++]?.length ?? 0;
  const rest = buffers.slice(index);
  if (skip > 0 && rest[0]) rest[0] = rest[0].subarray(skip);
  return rest;
}

/** Windows refuses to replace a file for a moment after somebody (an indexer, a virus scanner) has looked at it. */
async function renameWithPatience(from: string, to: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await rename(from, to);
    } catch (error) {
      const passing = process.platform === "win32" && ["EPERM", "EBUSY", "EACCES"].includes(codeOf(error));
      if (!passing || attempt === 20) throw error;
      await new Promise((resolve) => setTimeout(resolve, 10 * attempt));
    }
  }
}
