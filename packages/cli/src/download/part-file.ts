import { createHash } from "node:crypto";
import { type FileHandle, lstat, open, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { type Entry, limits } from "@cairn/protocol";
import { exitCodes } from "../exit-codes.ts";
import { Failure, localFailure } from "../failure.ts";

/**
 * A download under way: `<output>.cairn-part` with the bytes and a small note beside it that says of which content they are.
 * The output appears whole and synced, or not at all; what is there of the same content is kept for the next attempt. The note
 * is written first, so that bytes without a note are known to be somebody else's and are left alone.
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
   * off. Throws a Failure when the folder is missing or a stranger's file is in the way, and what the system says.
   */
  static async open(output: string, entry: Entry, verify: (path: string) => Promise<number>): Promise<PartFile> {
    const path = partPath(output);
    await checkFolder(dirname(output));
    const note = await readNote(output);
    if (note === undefined) await checkAbsent(path);
    const kept = note === noteOf(entry) ? await verify(path).catch(ignoreMissing) : 0;
    await writeFile(notePath(output), noteOf(entry));
    const handle = await open(path, kept > 0 ? "r+" : "w");
    try {
      await handle.truncate(kept);
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
    await this.#checkStillThere();
    await rename(this.path, this.#output);
    await syncFolder(dirname(this.#output));
    await rm(notePath(this.#output), { force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }

  /** Another download to the same place may have put its own part there. */
  async #checkStillThere(): Promise<void> {
    const [own, there] = await Promise.all([this.#handle.stat(), stat(this.path).catch(() => undefined)]);
    if (own.ino === there?.ino) return;
    throw localFailure(`${this.path} was taken away meanwhile`, "run the same command again, once at a time");
  }
}

/** Where the bytes of a download under way lie. A name that leaves no room for the ending is replaced by its hash. */
export function partPath(output: string): string {
  const name = basename(output);
  const fits = Buffer.byteLength(name) + Buffer.byteLength(noteEnding) <= limits.nameBytesMax;
  const stem = fits ? name : createHash("sha256").update(name).digest("hex").slice(0, 32);
  return join(dirname(output), `${stem}${partEnding}`);
}

const partEnding = ".cairn-part";
const noteEnding = `${partEnding}.json`;

function notePath(output: string): string {
  return `${partPath(output)}.json`;
}

async function checkAbsent(path: string): Promise<void> {
  const found = await lstat(path).catch(ignoreMissing);
  if (found === 0) return;
  throw new Failure("E_CONFLICT", `${path} is in the way, and is no download under way`, {
    exitCode: exitCodes.conflict,
    hint: "move it away, or choose another --output",
  });
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
