import type { Disk } from "@cairn/env";
import { fromUtf8, isKind } from "@cairn/protocol";

const readMax = 64 * 1024 * 1024;

/** Replaces a small file as a whole: temporary file, write, sync, rename, sync of the folder. */
export async function writeWholeFile(disk: Disk, path: string, parts: readonly Uint8Array[]): Promise<void> {
  const temporary = `${path}.new`;
  if (await disk.exists(temporary)) await disk.remove(temporary);
  const file = await disk.open(temporary, "create");
  try {
    await file.write(parts, 0);
    await file.syncData();
  } finally {
    await file.close();
  }
  await disk.rename(temporary, path);
  await disk.syncFolder(folderOf(path));
}

/** The bytes of a file, or undefined if it is not there. */
export async function readWholeFile(disk: Disk, path: string): Promise<Uint8Array | undefined> {
  try {
    const file = await disk.open(path, "read");
    try {
      const bytes = new Uint8Array(Math.min(await file.size(), readMax));
      return bytes.subarray(0, await file.read(bytes, 0));
    } finally {
      await file.close();
    }
  } catch (error) {
    if (isKind(error, "not-found")) return undefined;
    throw error;
  }
}

/** What a file says as JSON; undefined if it is not there or says nothing that can be read. */
export async function readJsonFile(disk: Disk, path: string): Promise<unknown> {
  const bytes = await readWholeFile(disk, path);
  try {
    return bytes && JSON.parse(fromUtf8(bytes));
  } catch {
    // A note that only helps to go on: without it one begins anew.
    return undefined;
  }
}

function folderOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? "." : path.slice(0, slash);
}
