import { StorageError } from "@cairn/protocol";

/** All folders and files of a disk at one moment. Paths are spelled as in Disk; the root is `.`. */
export interface DiskImage {
  readonly folders: ReadonlySet<string>;
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** A disk that was just formatted. */
export const emptyImage: DiskImage = { folders: new Set(["."]), files: new Map() };

/** One spelling per path. Throws invalid for a path that a real disk refuses. */
export function plainPath(path: string): string {
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  if (path.startsWith("/") || path.includes("\0") || path.includes("\\") || parts.includes("..")) {
    throw new StorageError("invalid", "use path", path);
  }
  return parts.length === 0 ? "." : parts.join("/");
}

/** The folder that holds the name of this file or folder. */
export function folderOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? "." : path.slice(0, slash);
}

/** The folders from the top down to this one, without the root. */
export function foldersDownTo(path: string): string[] {
  if (path === ".") return [];
  const parts = path.split("/");
  return parts.map((_, index) => parts.slice(0, index + 1).join("/"));
}

/** True for the folder itself and all that lies in it. */
export function isWithin(path: string, folder: string): boolean {
  return folder === "." || path === folder || path.startsWith(`${folder}/`);
}
