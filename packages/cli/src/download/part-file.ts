import { type FileHandle, open, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { Entry } from "@cairn/protocol";
import { localFailure } from "../failure.ts";

/**
 * A download under way: `<output>.cairn-part` with the bytes and a small note beside it that says of which content they are.
 * The output appears whole and synced, or not at all; what is there of the same content is kept for the next attempt.
 */
export class PartFile implements AsyncDisposable {
  readonly path: string;
  readonly #output: string;
  readonly #handle: FileHandle;
  #position: number;

  private constructor(output: string, handle: FileHandle, position: number) {
    this.#output = output;
    this.path = partPath(output);
    this.#handle = handle;
    this.#position = position;
  }

  /**
   * Opens the part for this content. `verify` tells how many of the bytes that are there are right; what follows them is cut
   * off. Throws a Failure when the folder is missing, and what the system says.
   */
  static async open(output: string, entry: Entry, verify: (path: string) => Promise<number>): Promise<PartFile> {
    const path = partPath(output);
    await checkFolder(dirname(output));
    const known = (await readNote(output)) === noteOf(entry);
    const kept = known ? await verify(path).catch(ignoreMissing) : 0;
    const handle = await open(path, kept > 0 ? "r+" : "w");
    try {
      await handle.truncate(kept);
      await writeFile(notePath(output), noteOf(entry));
      return new PartFile(output, handle, kept);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Bytes that are there. */
  get position(): number {
    return this.#position;
  }

  async append(bytes: Uint8Array): Promise<void> {
    let done = 0;
    while (done < bytes.length) {
      const left = bytes.length - done;
      const { bytesWritten } = await this.#handle.write(bytes, done, left, this.#position + done);
      done += bytesWritten;
    }
    this.#position += bytes.length;
  }

  /** Syncs the bytes and gives them their name. */
  async complete(modifiedAt: number): Promise<void> {
    await this.#handle.utimes(modifiedAt / 1000, modifiedAt / 1000);
    await this.#handle.sync();
    await rename(this.path, this.#output);
    await syncFolder(dirname(this.#output));
    await rm(notePath(this.#output), { force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }
}

export function partPath(output: string): string {
  return `${output}.cairn-part`;
}

function notePath(output: string): string {
  return `${output}.cairn-part.json`;
}

/** The etag names the content, so bytes of the same etag are interchangeable. */
function noteOf({ id, version, etag, size }: Entry): string {
  return `${JSON.stringify({ id, version, etag, size })}\n`;
}

async function readNote(output: string): Promise<string | undefined> {
  return readFile(notePath(output), "utf8").catch(() => undefined);
}

async function checkFolder(folder: string): Promise<void> {
  const found = await stat(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
    throw localFailure(`the folder ${folder} does not exist`, `make it first, or choose another --output`, error);
  });
  if (!found.isDirectory()) throw localFailure(`${folder} is not a folder`, "choose another --output");
}

function ignoreMissing(error: NodeJS.ErrnoException): number {
  if (error.code === "ENOENT") return 0;
  throw error;
}

/** A name counts as stored when its folder is synced; where folders cannot be opened (Windows) the system does it. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r").catch(() => undefined);
  try {
    await handle?.sync().catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EPERM" && error.code !== "EINVAL") throw error;
    });
  } finally {
    await handle?.close();
  }
}
