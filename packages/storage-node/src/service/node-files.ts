import type { Disk } from "@cairn/env";
import { fromUtf8, StorageError, utf8 } from "@cairn/protocol";
import { readWholeFile, writeWholeFile } from "../engine/index.ts";

/** A small JSON file of the node, or undefined if it is not there. Throws corrupt when it cannot be understood. */
export async function readNodeFile<Value>(disk: Disk, path: string): Promise<Value | undefined> {
  const bytes = await readWholeFile(disk, path);
  if (!bytes) return undefined;
  try {
    return JSON.parse(fromUtf8(bytes)) as Value;
  } catch (cause) {
    throw new StorageError("corrupt", "read node file", path, {
      cause,
      hint: "Restore the file from a backup, or let the node join anew under another name.",
    });
  }
}

/** Replaces it as a whole, synced. */
export async function writeNodeFile(disk: Disk, path: string, value: unknown): Promise<void> {
  await disk.makeFolder(".");
  await writeWholeFile(disk, path, [utf8(`${JSON.stringify(value, null, 2)}\n`)]);
}
