import type { DriveWriter, Progress } from "@cairn/drive";
import {
  type CommitTarget,
  type Drive,
  type Entry,
  type EntryId,
  isKind,
  parseId,
  StorageError,
  type UploadId,
} from "@cairn/protocol";
import type { ClientEnv, ResumeStore, UploadOptions, UploadResult, UploadSource, UploadTarget } from "./options.ts";

const foldersMax = 1024;
const folderTtlMs = 30_000;
/** Files of more chunks than this go up in parts and can be resumed. */
const chunksWithoutSession = 64;

export interface UploadsOptions {
  readonly writer: DriveWriter;
  readonly drive: () => Promise<Drive>;
  readonly stat: (address: string, signal: AbortSignal | undefined) => Promise<Entry>;
  /** Tells clusters apart in the keys of a ResumeStore. */
  readonly url: string;
}

/** Uploads, with the folders they go to looked up once in a while and their sessions kept for another attempt. */
export class Uploads {
  readonly #env: ClientEnv;
  readonly #options: UploadsOptions;
  readonly #folders = new Map<string, { readonly folder: Promise<Folder>; readonly until: number }>();

  constructor(env: ClientEnv, options: UploadsOptions) {
    this.#env = env;
    this.#options = options;
  }

  async upload(source: UploadSource, target: UploadTarget, options: UploadOptions): Promise<UploadResult> {
    const address = target.folder ?? "/";
    const { folder, cached } = this.#folder(address, options.signal);
    try {
      return await this.#uploadTo(await folder, source, { target, options });
    } catch (error) {
      // The folder may have been another one since it was looked up; a stream, though, is used up.
      if (!isKind(error, "not-found")) throw error;
      this.#folders.delete(address);
      if (!cached || "stream" in source) throw error;
      return this.#uploadTo(await this.#folder(address, options.signal).folder, source, { target, options });
    }
  }

  async #uploadTo(
    folder: Folder,
    source: UploadSource,
    { target, options }: { target: UploadTarget; options: UploadOptions },
  ): Promise<UploadResult> {
    const { name, onConflict = "fail", ifMatch, contentType, modifiedAt } = target;
    const commit = { drive: folder.drive, parent: folder.id, name, onConflict, ifMatch, contentType, modifiedAt };
    const memory = await this.#memoryOf(source, commit, options.resume);
    const resume = await memory?.recall();
    let last: Progress | undefined;
    const { entry, changed } = await this.#options.writer.write(commit, source, {
      signal: options.signal,
      onProgress: (progress) => {
        last = progress;
        options.onProgress?.(progress);
      },
      ...(memory ? { resume, onUpload: (upload) => memory.keep(upload) } : {}),
    });
    await memory?.forget();
    return { entry, changed, bytesKnown: last?.bytesKnown ?? 0 };
  }

  /** Only a file of known size and time can be told from another one, and only a large one is worth it. */
  async #memoryOf(
    source: UploadSource,
    target: CommitTarget,
    store: ResumeStore | undefined,
  ): Promise<UploadMemory | undefined> {
    const size = "bytes" in source ? source.bytes.length : source.size;
    if (!store || size === undefined) return undefined;
    const { chunkBytes } = await this.#options.drive();
    if (size <= chunkBytes * chunksWithoutSession) return undefined;
    const { drive, parent, name, onConflict, modifiedAt } = target;
    const key = JSON.stringify([this.#options.url, drive, parent, name, onConflict, size, modifiedAt ?? null]);
    return new UploadMemory(store, key);
  }

  #folder(address: string, signal: AbortSignal | undefined): { folder: Promise<Folder>; cached: boolean } {
    const known = this.#folders.get(address);
    if (known && this.#env.clock.monotonic() < known.until) return { folder: known.folder, cached: true };
    const folder = this.#findFolder(address, signal);
    folder.catch(() => this.#folders.delete(address));
    if (this.#folders.size >= foldersMax) this.#folders.clear();
    this.#folders.set(address, { folder, until: this.#env.clock.monotonic() + folderTtlMs });
    return { folder, cached: false };
  }

  async #findFolder(address: string, signal: AbortSignal | undefined): Promise<Folder> {
    if (address === "/") {
      const drive = await this.#options.drive();
      return { id: drive.root, drive: drive.id };
    }
    const entry = await this.#options.stat(address, signal);
    if (entry.kind === "folder") return { id: entry.id, drive: entry.drive };
    throw new StorageError("invalid", "upload file", `${entry.path} is a file, not a folder`, {
      hint: "Name the folder in which the file is to stand.",
    });
  }
}

interface Folder {
  readonly id: EntryId;
  readonly drive: CommitTarget["drive"];
}

/** The id of one upload in a ResumeStore. */
class UploadMemory {
  readonly #store: ResumeStore;
  readonly #key: string;

  constructor(store: ResumeStore, key: string) {
    this.#store = store;
    this.#key = key;
  }

  /** A store that holds nonsense is a store that holds nothing. */
  async recall(): Promise<UploadId | undefined> {
    const text = await this.#store.get(this.#key);
    try {
      return text === undefined ? undefined : parseId("up_", text);
    } catch {
      return undefined;
    }
  }

  keep(upload: UploadId): Promise<void> {
    return this.#store.set(this.#key, upload);
  }

  forget(): Promise<void> {
    return this.#store.delete(this.#key);
  }
}
