import { limits, StorageError, utf8 } from "@cairn/protocol";

/** Where the key of an object stands in the tree: the names of the folders above it, and its own. Any of them may be empty. */
export interface KeyPlace {
  readonly folders: readonly string[];
  readonly name: string;
}

/** Cuts a key at its slashes. Throws invalid for one that is empty, too long, or no well-formed Unicode. */
export function placeOfKey(key: string): KeyPlace {
  checkKey(key);
  const folders = key.split("/");
  const name = folders.pop() ?? "";
  return { folders, name };
}

/** Throws invalid. */
export function checkKey(key: string): void {
  const problem = problemOf(key);
  if (problem === undefined) return;
  throw new StorageError("invalid", "check key", key.slice(0, 200), {
    hint: `A key ${problem}; it has 1–${limits.keyBytesMax} bytes of UTF-8.`,
  });
}

/** The bytes of a folder's sort_name. */
export function folderBytes(name: string): Uint8Array {
  return utf8(`${name}/`);
}

function problemOf(key: string): string | undefined {
  if (typeof key !== "string" || key === "") return "is not empty";
  if (key.includes("\0")) return "has no NUL character in it";
  if (/\p{Surrogate}/u.test(key)) return "is well-formed Unicode";
  if (key.length > limits.keyBytesMax || utf8(key).length > limits.keyBytesMax) return "is not that long";
  return undefined;
}
