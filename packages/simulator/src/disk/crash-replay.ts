import { assert } from "@cairn/protocol";
import { type DiskImage, folderOf, foldersDownTo, isWithin } from "./disk-image.ts";
import type { DiskOperation, FileChange } from "./disk-operation.ts";
import { contentVariants } from "./torn-content.ts";

/** One of the things that a power cut may leave. */
export interface CrashState {
  /** How many operations had been done. */
  readonly after: number;
  /** Says what was kept, for the message of a failing test. */
  readonly name: string;
  readonly image: DiskImage;
}

/** A change of the names in one folder; it becomes durable as a whole when that folder is synced, or by luck before. */
interface NameChange {
  readonly folder: string;
  apply(names: Names): void;
}

interface Names {
  readonly files: Map<string, number>;
  readonly folders: Set<string>;
}

/** What is durable after some operations, and what hangs in the balance. */
export class CrashReplay {
  readonly #contents = new Map<number, { durable: Uint8Array; pending: FileChange[] }>();
  readonly #durable: Names;
  readonly #live: Names;
  #pending: NameChange[] = [];

  constructor(image: DiskImage) {
    const files = [...image.files.keys()].map((path, file) => [path, file] as const);
    this.#durable = { files: new Map(files), folders: new Set([".", ...image.folders]) };
    this.#live = { files: new Map(files), folders: new Set(this.#durable.folders) };
    [...image.files.values()].forEach((bytes, file) => {
      this.#contents.set(file, { durable: bytes, pending: [] });
    });
  }

  apply(operation: DiskOperation): void {
    switch (operation.kind) {
      case "write":
      case "truncate":
        this.#content(operation.file).pending.push(operation);
        break;
      case "sync": {
        const content = this.#content(operation.file);
        content.durable = contentVariants(content.durable, content.pending).kept();
        content.pending = [];
        break;
      }
      case "sync-failed":
        this.#content(operation.file).pending = [];
        break;
      case "sync-folder":
        for (const change of this.#pending) if (change.folder === operation.path) change.apply(this.#durable);
        this.#pending = this.#pending.filter((change) => change.folder !== operation.path);
        break;
      default:
        for (const change of this.#nameChanges(operation)) {
          change.apply(this.#live);
          this.#pending.push(change);
        }
    }
  }

  /** Each way of keeping names, with each way of keeping bytes. */
  *states(after: number): Generator<CrashState> {
    const open = [...this.#contents].filter(([, content]) => content.pending.length > 0);
    const contentNames = open.length === 0 ? ["synced"] : variantNames(open.map(([, content]) => content));
    for (const [namesKept, names] of this.#nameVariants()) {
      for (const variant of contentNames) {
        const files = new Map<string, Uint8Array>();
        for (const [path, file] of names.files) {
          if (!foldersDownTo(folderOf(path)).every((folder) => names.folders.has(folder))) continue;
          const { durable, pending } = this.#content(file);
          files.set(path, pending.length === 0 ? durable : contentVariants(durable, pending).named(variant));
        }
        const folders = [...names.folders].filter((path) => foldersDownTo(path).every((it) => names.folders.has(it)));
        const name = `after ${after} operations, names ${namesKept}, bytes ${variant}`;
        yield { after, name, image: { folders: new Set(folders), files } };
      }
    }
  }

  *#nameVariants(): Generator<[string, Names]> {
    const count = this.#pending.length;
    const subsets = new Map<string, readonly NameChange[]>();
    for (let kept = 0; kept <= count; kept++) subsets.set(`${kept} of ${count}`, this.#pending.slice(0, kept));
    for (let lost = 0; lost < count - 1; lost++) {
      subsets.set(
        `all but number ${lost + 1}`,
        this.#pending.filter((_, index) => index !== lost),
      );
    }
    for (const [name, changes] of subsets) {
      const names = { files: new Map(this.#durable.files), folders: new Set(this.#durable.folders) };
      for (const change of changes) change.apply(names);
      yield [name, names];
    }
  }

  #nameChanges(operation: DiskOperation): NameChange[] {
    switch (operation.kind) {
      case "create":
        this.#contents.set(operation.file, { durable: new Uint8Array(0), pending: [] });
        return [addition(operation.path, operation.file)];
      case "make-folder":
        return foldersDownTo(operation.path)
          .filter((folder) => !this.#live.folders.has(folder))
          .map((path) => ({ folder: folderOf(path), apply: (names) => names.folders.add(path) }));
      case "rename":
        return this.#renaming(operation.from, operation.to);
      case "remove":
        return [removal(operation.path)];
      case "remove-folder":
        return [treeRemoval(operation.path)];
      default:
        return [];
    }
  }

  #renaming(from: string, to: string): NameChange[] {
    const file = this.#live.files.get(from);
    assert(file !== undefined || this.#live.folders.has(from), "what is renamed is there");
    const taken = file === undefined ? treeRemoval(from) : removal(from);
    const given = file === undefined ? treeAddition(from, to) : addition(to, file);
    if (taken.folder !== given.folder) return [given, taken];
    const both = (names: Names): void => {
      given.apply(names);
      taken.apply(names);
    };
    return [{ folder: given.folder, apply: both }];
  }

  #content(file: number): { durable: Uint8Array; pending: FileChange[] } {
    const content = this.#contents.get(file);
    assert(content, "a file that is changed was made");
    return content;
  }
}

function variantNames(contents: readonly { durable: Uint8Array; pending: readonly FileChange[] }[]): string[] {
  const names = contents.flatMap(({ durable, pending }) => contentVariants(durable, pending).names());
  return [...new Set(names)];
}

function addition(path: string, file: number): NameChange {
  return { folder: folderOf(path), apply: (names) => names.files.set(path, file) };
}

function removal(path: string): NameChange {
  return { folder: folderOf(path), apply: (names) => names.files.delete(path) };
}

function treeRemoval(path: string): NameChange {
  return { folder: folderOf(path), apply: (names) => removeTree(names, path) };
}

/** A folder takes along what it holds by then. */
function treeAddition(from: string, to: string): NameChange {
  const moved = (path: string): string => to + path.slice(from.length);
  const apply = (names: Names): void => {
    for (const path of [...names.folders]) if (isWithin(path, from)) names.folders.add(moved(path));
    for (const [path, file] of [...names.files]) if (isWithin(path, from)) names.files.set(moved(path), file);
  };
  return { folder: folderOf(to), apply };
}

function removeTree(names: Names, folder: string): void {
  for (const path of [...names.files.keys()]) if (isWithin(path, folder)) names.files.delete(path);
  for (const path of [...names.folders]) if (path !== "." && isWithin(path, folder)) names.folders.delete(path);
}
