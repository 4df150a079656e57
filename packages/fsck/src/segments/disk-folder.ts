import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";

/** Whose disk a folder is (docs/formats/disk.md). */
export interface DiskFolder {
  readonly folder: string;
  readonly cluster: string;
  readonly node: string;
  readonly disk: number;
  readonly uuid: string;
}

/** A folder that was named as a disk and is none that can be read. */
export interface NoDisk {
  readonly folder: string;
  readonly why: string;
}

export async function openDiskFolder(folder: string): Promise<DiskFolder | NoDisk> {
  try {
    const stored = JSON.parse(await readFile(join(folder, "disk.json"), "utf8")) as Record<string, unknown>;
    if (stored["format"] !== 1) return { folder, why: `disk.json has format ${String(stored["format"])}` };
    return {
      folder,
      cluster: String(stored["cluster"]),
      node: String(stored["node"]),
      disk: Number(stored["disk"]),
      uuid: String(stored["uuid"]),
    };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return {
      folder,
      why: code === "ENOENT" ? "it has no disk.json" : `disk.json cannot be read (${code ?? "not JSON"})`,
    };
  }
}

/** The groups that have a folder on the disk, ascending. */
export async function groupsOn({ folder }: DiskFolder): Promise<readonly number[]> {
  const names = await namesIn(join(folder, "g"));
  return names
    .filter((name) => /^[1-9]\d*$/.test(name))
    .map(Number)
    .sort((a, b) => a - b);
}

/** Names in a folder; none when it is not there. */
export async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return [];
    throw error;
  }
}

/** Bytes of all files below a folder. */
export async function bytesBelow(folder: string): Promise<number> {
  let bytes = 0;
  for (const name of await namesIn(folder)) {
    const path = join(folder, name);
    const found = await stat(path).catch(() => undefined);
    bytes += found?.isDirectory() ? await bytesBelow(path) : (found?.size ?? 0);
  }
  return bytes;
}
