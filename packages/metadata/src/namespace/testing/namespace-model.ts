import type { ErrorKind, OnConflict } from "@cairn/protocol";
import { numberedName } from "../names.ts";

/** A file or folder of the model. */
export interface ModelEntry {
  readonly number: number;
  readonly kind: "file" | "folder";
  name: string;
  parent: ModelEntry | undefined;
  /** Contents of the versions, the current one last. */
  readonly contents: string[];
  trashed: boolean;
  removed: boolean;
}

/** What a call answers: the entry it speaks of, or the kind of its failure. */
export type ModelAnswer = { readonly entry: ModelEntry; readonly changed: boolean } | { readonly kind: ErrorKind };

/** The namespace as a reader of its documentation would write it down: no database, no paths kept, everything searched. */
export class NamespaceModel {
  readonly root: ModelEntry;
  readonly entries: ModelEntry[] = [];

  constructor() {
    this.root = this.#add("folder", "", undefined);
  }

  path(entry: ModelEntry): string {
    if (!entry.parent) return entry === this.root ? "/" : "";
    const above = this.path(entry.parent);
    return above === "/" ? `/${entry.name}` : `${above}/${entry.name}`;
  }

  isGone(entry: ModelEntry): boolean {
    return entry.removed || (entry.parent !== undefined && this.isGone(entry.parent));
  }

  inTrash(entry: ModelEntry): boolean {
    return entry.trashed || (entry.parent !== undefined && this.inTrash(entry.parent));
  }

  children(folder: ModelEntry): ModelEntry[] {
    return this.entries.filter((entry) => entry.parent === folder && !entry.trashed && !entry.removed);
  }

  createFolder(parent: ModelEntry, name: string): ModelAnswer {
    if (this.isGone(parent) || this.inTrash(parent)) return { kind: "not-found" };
    if (this.#named(parent, name).length > 0) return { kind: "conflict" };
    return { entry: this.#add("folder", name, parent), changed: true };
  }

  put(parent: ModelEntry, name: string, put: { content: string; onConflict: OnConflict }): ModelAnswer {
    const refusal = this.#refuseParent(parent);
    if (refusal) return refusal;
    const [there] = this.#named(parent, name);
    const overwrites = put.onConflict === "version" || put.onConflict === "replace";
    if (there?.kind === "file" && overwrites) {
      if (there.contents.at(-1) === put.content) return { entry: there, changed: false };
      if (put.onConflict === "version") {
        there.contents.push(put.content);
        return { entry: there, changed: true };
      }
    }
    const claimed = this.#claim(parent, { name, kind: "file", onConflict: put.onConflict });
    if (claimed === undefined) return { kind: "conflict" };
    const entry = this.#add("file", claimed, parent);
    entry.contents.push(put.content);
    return { entry, changed: true };
  }

  move(entry: ModelEntry, to: { parent: ModelEntry; name: string; onConflict: OnConflict }): ModelAnswer {
    const refusal = this.#refuseChange(entry) ?? this.#refuseParent(to.parent);
    if (refusal) return refusal;
    for (let above: ModelEntry | undefined = to.parent; above; above = above.parent) {
      if (above === entry) return { kind: "invalid" };
    }
    const claimed = this.#claim(to.parent, { ...to, kind: entry.kind, self: entry });
    if (claimed === undefined) return { kind: "conflict" };
    entry.parent = to.parent;
    entry.name = claimed;
    return { entry, changed: true };
  }

  trash(entry: ModelEntry): ModelAnswer {
    const refusal = this.#refuseChange(entry);
    if (refusal) return refusal;
    entry.trashed = true;
    return { entry, changed: true };
  }

  restore(entry: ModelEntry, onConflict: "fail" | "rename"): ModelAnswer {
    if (this.isGoneFromTrash(entry)) return { kind: "not-found" };
    if (!entry.trashed) return { kind: "conflict" };
    const home = entry.parent && !this.isGone(entry.parent) && !this.inTrash(entry.parent) ? entry.parent : this.root;
    const claimed = this.#claim(home, { name: entry.name, kind: entry.kind, onConflict });
    if (claimed === undefined) return { kind: "conflict" };
    entry.trashed = false;
    entry.parent = home;
    entry.name = claimed;
    return { entry, changed: true };
  }

  remove(entry: ModelEntry): ModelAnswer {
    if (this.isGoneFromTrash(entry)) return { kind: "not-found" };
    if (entry === this.root) return { kind: "invalid" };
    entry.removed = true;
    return { entry, changed: true };
  }

  emptyTrash(): number {
    const trashed = this.entries.filter((entry) => entry.trashed && !this.isGoneFromTrash(entry));
    for (const entry of trashed) entry.removed = true;
    return trashed.length;
  }

  /** What was put into the trash itself outlives the folder that it was in. */
  isGoneFromTrash(entry: ModelEntry): boolean {
    if (entry.removed) return true;
    return !entry.trashed && entry.parent !== undefined && this.isGoneFromTrash(entry.parent);
  }

  #refuseChange(entry: ModelEntry): { kind: ErrorKind } | undefined {
    if (this.isGoneFromTrash(entry)) return { kind: "not-found" };
    if (this.inTrash(entry)) return { kind: "conflict" };
    return entry === this.root ? { kind: "invalid" } : undefined;
  }

  #refuseParent(parent: ModelEntry): { kind: ErrorKind } | undefined {
    if (this.isGoneFromTrash(parent)) return { kind: "not-found" };
    if (parent.kind === "file") return { kind: "invalid" };
    return this.inTrash(parent) ? { kind: "not-found" } : undefined;
  }

  #claim(
    parent: ModelEntry,
    wish: { name: string; kind: "file" | "folder"; onConflict: OnConflict; self?: ModelEntry },
  ): string | undefined {
    const [there] = this.#named(parent, wish.name, wish.self);
    if (!there) return wish.name;
    if (wish.onConflict === "rename") {
      for (let number = 2; ; number++) {
        const name = numberedName(wish.name, wish.kind, number);
        if (this.#named(parent, name, wish.self).length === 0) return name;
      }
    }
    if (wish.onConflict !== "replace" || there.kind !== wish.kind) return undefined;
    there.trashed = true;
    return wish.name;
  }

  #named(parent: ModelEntry, name: string, self?: ModelEntry): ModelEntry[] {
    return this.children(parent).filter((entry) => entry.name === name && entry !== self);
  }

  #add(kind: "file" | "folder", name: string, parent: ModelEntry | undefined): ModelEntry {
    const number = this.entries.length;
    const entry = { number, kind, name, parent, contents: [], trashed: false, removed: false };
    this.entries.push(entry);
    return entry;
  }
}
