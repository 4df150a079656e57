import type {
  CommitId,
  Drive,
  DriveId,
  Entry,
  EntryAddress,
  EntryId,
  FileVersion,
  NamespaceService,
  Page,
  PageRequest,
} from "@cairn/protocol";
import { readTree, type Store } from "../sql/store.ts";
import { createFolder, type FolderRequest } from "./folders.ts";
import { countChildren, list, listTrash, listVersions } from "./listing.ts";
import { type MoveTarget, move } from "./move.ts";
import { emptyTrash, remove } from "./removal.ts";
import { resolve } from "./resolve.ts";
import { restore, trash } from "./trash.ts";

/** Drives, folders, files, versions and the trash over one database. */
export class Namespace implements NamespaceService {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  drives(): Promise<readonly Drive[]> {
    return readTree(this.#store, async (_, sql) => {
      const drives = await this.#store.drives.all(sql);
      return drives.map(({ id, name, root, chunkBytes, copies }) => ({ id, name, root, chunkBytes, copies }));
    });
  }

  stat(address: EntryAddress): Promise<Entry> {
    return readTree(this.#store, async (tree) => (await resolve(tree, this.#store.drives, address)).entry);
  }

  async list(folder: EntryId, page: PageRequest & { readonly orderBy?: "name" | "modified" }): Promise<Page<Entry>> {
    return await list(this.#store, folder, page);
  }

  countChildren(folder: EntryId): Promise<number> {
    return countChildren(this.#store, folder);
  }

  createFolder(commit: CommitId, request: FolderRequest): Promise<Entry> {
    return createFolder(this.#store, commit, request);
  }

  move(commit: CommitId, entry: EntryId, to: MoveTarget): Promise<Entry> {
    return move(this.#store, commit, entry, to);
  }

  trash(commit: CommitId, entry: EntryId): Promise<Entry> {
    return trash(this.#store, commit, entry);
  }

  restore(commit: CommitId, entry: EntryId, onConflict: "fail" | "rename"): Promise<Entry> {
    return restore(this.#store, commit, entry, onConflict);
  }

  remove(commit: CommitId, entry: EntryId): Promise<void> {
    return remove(this.#store, commit, entry);
  }

  async listTrash(drive: DriveId, page: PageRequest): Promise<Page<Entry>> {
    return await listTrash(this.#store, drive, page);
  }

  emptyTrash(commit: CommitId, drive: DriveId, before: number): Promise<number> {
    return emptyTrash(this.#store, commit, drive, before);
  }

  async listVersions(entry: EntryId, page: PageRequest): Promise<Page<FileVersion>> {
    return await listVersions(this.#store, entry, page);
  }
}
