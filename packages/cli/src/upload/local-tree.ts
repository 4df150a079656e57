import { lstat, readdir, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { exitCodes } from "../exit-codes.ts";
import { asFailure, Failure, localFailure, usageFailure } from "../failure.ts";
import { joinRemote } from "../remote-path.ts";

/** Something on this machine and where it is to stand in the drive. */
export type LocalItem =
  | { readonly kind: "folder"; readonly path: string; readonly remotePath: string }
  | LocalFile
  | { readonly kind: "link"; readonly path: string }
  | { readonly kind: "failed"; readonly path: string; readonly failure: Failure };

export interface LocalFile {
  readonly kind: "file";
  readonly path: string;
  /** Path of the folder in the drive. */
  readonly remoteFolder: string;
  readonly name: string;
  readonly size: number;
  /** Wall clock, whole ms. */
  readonly modifiedAt: number;
}

/** What the person named, before anything below it is looked at. */
export interface LocalRoot {
  readonly path: string;
  readonly name: string;
  readonly kind: "file" | "folder";
}

/**
 * Looks at every path that was named, so that a wrong one stops the run before anything is uploaded. A link that the
 * person names is followed. Throws a Failure for what does not exist, has no name or is no file and no folder.
 */
export async function localRoots(paths: readonly string[], cwd: string, name?: string): Promise<readonly LocalRoot[]> {
  return Promise.all(
    paths.map(async (given) => {
      const path = resolve(cwd, given);
      const found = await stat(path);
      if (!found.isFile() && !found.isDirectory()) throw specialFile(path);
      const rootName = name ?? basename(path);
      if (rootName === "") throw usageFailure(`${path} has no name to upload it under`, "give one with --name");
      return { path, name: rootName, kind: found.isFile() ? "file" : "folder" } as const;
    }),
  );
}

/**
 * Everything at and below the roots, folders before what is in them, in byte order of names. Links below a root are told
 * and not followed; what cannot be read is told as failed.
 */
export async function* walkLocal(roots: readonly LocalRoot[], remoteFolder: string): AsyncGenerator<LocalItem> {
  for (const { path, name, kind } of roots) {
    const place = { path, remoteFolder, name };
    if (kind === "folder") yield* walkFolder(place);
    else yield await fileItem(place);
  }
}

interface Place {
  readonly path: string;
  readonly remoteFolder: string;
  readonly name: string;
}

async function* walkFolder({ path, remoteFolder, name }: Place): AsyncGenerator<LocalItem> {
  const remotePath = joinRemote(remoteFolder, name);
  yield { kind: "folder", path, remotePath };
  let entries: Awaited<ReturnType<typeof readFolder>>;
  try {
    entries = await readFolder(path);
  } catch (error) {
    yield { kind: "failed", path, failure: readingFailure(error) };
    return;
  }
  for (const entry of entries) {
    const place = { path: join(path, entry.name), remoteFolder: remotePath, name: entry.name };
    if (entry.isSymbolicLink()) yield { kind: "link", path: place.path };
    else if (entry.isDirectory()) yield* walkFolder(place);
    else if (entry.isFile()) yield await fileItem(place);
    else yield { kind: "failed", path: place.path, failure: specialFile(place.path) };
  }
}

async function readFolder(path: string) {
  const entries = await readdir(path, { withFileTypes: true });
  return entries.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

async function fileItem({ path, remoteFolder, name }: Place): Promise<LocalItem> {
  try {
    // lstat, because a file may have become a link since its folder was read; the root was resolved on purpose.
    const found = await lstat(path).then((it) => (it.isSymbolicLink() ? stat(path) : it));
    return { kind: "file", path, remoteFolder, name, size: found.size, modifiedAt: Math.trunc(found.mtimeMs) };
  } catch (error) {
    return { kind: "failed", path, failure: unreadableName(name, path) ?? readingFailure(error) };
  }
}

/** Node turns bytes that are no UTF-8 into U+FFFD, under which the file cannot be found again. */
function unreadableName(name: string, path: string): Failure | undefined {
  if (!name.includes("\ufffd")) return undefined;
  return localFailure(`${path}: its name is not valid UTF-8`, "rename it and run the same command again");
}

function specialFile(path: string): Failure {
  return localFailure(
    `${path} is no file and no folder`,
    "pipe its content instead: cairn upload - --name NAME < PATH",
  );
}

/** Gone between listing and reading is no wrong path of the person; it is a failure like any other. */
function readingFailure(error: unknown): Failure {
  const { code, message, hint, cause } = asFailure(error);
  return new Failure(code, message, { exitCode: exitCodes.failure, hint, cause });
}
