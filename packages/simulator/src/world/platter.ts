import { StorageError } from "@cairn/protocol";
import { type DiskImage, folderOf, foldersDownTo, isWithin, plainPath } from "../disk/disk-image.ts";
import type { SeededRandom } from "../random/seeded-random.ts";
import { FileBody } from "./file-body.ts";

interface Names {
  readonly files: Map<string, FileBody>;
  readonly folders: Set<string>;
}

/** A change of names that is durable once its folder was synced, or by luck before. */
interface NameChange {
  readonly folders: readonly string[];
  apply(names: Names): void;
}

/**
 * The medium of one disk: it outlives processes, and a power cut leaves of it what was synced and some of the rest. Calls
 * act at once; PlatterDisk gives them their time and their faults.
 */
export class Platter {
  #live: Names = { files: new Map(), folders: new Set(["."]) };
  #durable: Names = { files: new Map(), folders: new Set(["."]) };
  #pending: NameChange[] = [];
  readonly #locks = new Set<string>();
  totalBytes: number;

  constructor(totalBytes: number) {
    this.totalBytes = totalBytes;
  }

  get freeBytes(): number {
    let used = 0;
    for (const body of this.#live.files.values()) used += body.length;
    return Math.max(this.totalBytes - used, 0);
  }

  /** Paths of all files, as readers see them. */
  paths(): readonly string[] {
    return [...this.#live.files.keys()];
  }

  file(path: string): FileBody | undefined {
    return this.#live.files.get(plainPath(path));
  }

  isFolder(path: string): boolean {
    return this.#live.folders.has(plainPath(path));
  }

  create(path: string): FileBody {
    const place = plainPath(path);
    if (this.#live.files.has(place) || this.#live.folders.has(place)) throw failure("conflict", "open file", path);
    if (!this.#live.folders.has(folderOf(place))) throw failure("not-found", "open file", path);
    const body = new FileBody();
    this.#change([folderOf(place)], (names) => void names.files.set(place, body));
    return body;
  }

  list(folder: string): readonly string[] {
    const place = plainPath(folder);
    if (!this.#live.folders.has(place)) throw failure("not-found", "list folder", folder);
    return [...this.#live.folders, ...this.#live.files.keys()]
      .filter((path) => path !== "." && folderOf(path) === place)
      .map((path) => path.slice(path.lastIndexOf("/") + 1));
  }

  makeFolder(path: string): void {
    for (const folder of foldersDownTo(plainPath(path))) {
      if (this.#live.files.has(folder)) throw failure("conflict", "make folder", path);
      if (this.#live.folders.has(folder)) continue;
      this.#change([folderOf(folder)], (names) => void names.folders.add(folder));
    }
  }

  rename(fromPath: string, toPath: string): void {
    const [from, to] = [plainPath(fromPath), plainPath(toPath)];
    const known = this.#live.files.has(from) || this.#live.folders.has(from);
    if (!known || !this.#live.folders.has(folderOf(to))) throw failure("not-found", "rename file", fromPath);
    this.#change([folderOf(from), folderOf(to)], (names) => renameIn(names, from, to));
  }

  remove(path: string): void {
    const place = plainPath(path);
    if (!this.#live.files.has(place)) throw failure("not-found", "remove file", path);
    this.#change([folderOf(place)], (names) => void names.files.delete(place));
  }

  removeFolder(path: string): void {
    const place = plainPath(path);
    this.#change([folderOf(place)], (names) => removeTree(names, place));
  }

  syncFolder(path: string): void {
    const place = plainPath(path);
    if (!this.#live.folders.has(place)) throw failure("not-found", "sync folder", path);
    const waiting: NameChange[] = [];
    for (const change of this.#pending) {
      if (change.folders.includes(place)) change.apply(this.#durable);
      else waiting.push(change);
    }
    this.#pending = waiting;
  }

  /** Throws unavailable at once when taken. */
  lock(path: string): () => void {
    const place = plainPath(path);
    if (this.#locks.has(place)) throw failure("unavailable", "lock", path);
    this.#locks.add(place);
    return () => void this.#locks.delete(place);
  }

  /** The process that held locks has ended. What it wrote is in the page cache and stays. */
  endProcess(): void {
    this.#locks.clear();
  }

  /** The machine lost its power, and with it some of what was not synced. */
  cutPower(random: SeededRandom): void {
    this.endProcess();
    const changes = this.#pending;
    this.#pending = [];
    const inOrder = random.fraction() < 0.8;
    const kept = random.integer(changes.length + 1);
    changes.forEach((change, index) => {
      if (inOrder ? index < kept : random.fraction() < 0.5) change.apply(this.#durable);
    });
    dropUnreachable(this.#durable);
    for (const body of this.#durable.files.values()) body.cutPower(random);
    this.#live = copyOf(this.#durable);
  }

  /** A copy of all that readers see now. */
  image(): DiskImage {
    return {
      folders: new Set(this.#live.folders),
      files: new Map([...this.#live.files].map(([path, body]) => [path, body.toBytes()])),
    };
  }

  /** Another disk's content, or an older one, stands here from now on. */
  restore(image: DiskImage): void {
    this.endProcess();
    this.#pending = [];
    this.#live = {
      folders: new Set(image.folders),
      files: new Map([...image.files].map(([path, bytes]) => [path, new FileBody(bytes)])),
    };
    this.#durable = copyOf(this.#live);
  }

  #change(folders: readonly string[], apply: (names: Names) => void): void {
    apply(this.#live);
    this.#pending.push({ folders, apply });
  }
}

function failure(kind: "conflict" | "not-found" | "unavailable", operation: string, path: string): StorageError {
  return new StorageError(kind, operation, path);
}

function copyOf(names: Names): Names {
  return { files: new Map(names.files), folders: new Set(names.folders) };
}

function renameIn(names: Names, from: string, to: string): void {
  const moved = (path: string): string => to + path.slice(from.length);
  for (const [path, body] of [...names.files]) {
    if (!isWithin(path, from)) continue;
    names.files.delete(path);
    names.files.set(moved(path), body);
  }
  for (const folder of [...names.folders]) {
    if (!isWithin(folder, from)) continue;
    names.folders.delete(folder);
    names.folders.add(moved(folder));
  }
}

function removeTree(names: Names, folder: string): void {
  for (const path of [...names.files.keys()]) if (isWithin(path, folder)) names.files.delete(path);
  for (const path of [...names.folders]) if (path !== "." && isWithin(path, folder)) names.folders.delete(path);
}

function dropUnreachable(names: Names): void {
  const whole = (path: string): boolean => foldersDownTo(path).every((folder) => names.folders.has(folder));
  for (const folder of [...names.folders]) if (folder !== "." && !whole(folder)) names.folders.delete(folder);
  for (const path of [...names.files.keys()]) if (!whole(folderOf(path))) names.files.delete(path);
}
