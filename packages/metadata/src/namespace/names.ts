import { limits, StorageError, utf8 } from "@cairn/protocol";

/** The byte between names in a path, and after a folder's name in its sort_name. */
const slash = 0x2f;

/** sort_name of a file: its name. Throws invalid for what cannot be a name. */
export function fileSortName(name: string): Uint8Array {
  return nameBytes(name);
}

/** sort_name of a folder: its name and '/', so that byte order is the key order of S3. Throws invalid. */
export function folderSortName(name: string): Uint8Array {
  return withSlash(nameBytes(name));
}

/** A folder's sort_name from the bytes of its name. */
export function withSlash(name: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(name.length + 1);
  bytes.set(name);
  bytes[name.length] = slash;
  return bytes;
}

/** The bytes of a name that has passed the rules. Throws invalid. */
export function nameBytes(name: string): Uint8Array {
  const problem = problemOf(name);
  if (problem) {
    throw new StorageError("invalid", "check name", clip(name), {
      hint: `A name ${problem}. Any other character is fine, 1–${limits.nameBytesMax} bytes of UTF-8.`,
    });
  }
  const bytes = utf8(name);
  if (bytes.length > limits.nameBytesMax) {
    throw new StorageError("invalid", "check name", clip(name), {
      hint: `A name has at most ${limits.nameBytesMax} bytes of UTF-8; this one has ${bytes.length}.`,
    });
  }
  return bytes;
}

/**
 * The names of a path from the root of a drive down; the root itself has none. A '/' at the end says: a folder.
 * Throws invalid for an empty name in the middle, or any other that cannot be one.
 */
export function parsePath(path: string): { readonly names: readonly string[]; readonly folderOnly: boolean } {
  if (!path.startsWith("/")) {
    throw new StorageError("invalid", "parse path", clip(path), { hint: "A path begins with '/'." });
  }
  checkPathLength(path);
  if (path === "/") return { names: [], folderOnly: true };
  const folderOnly = path.endsWith("/");
  const names = path.slice(1, folderOnly ? -1 : undefined).split("/");
  for (const name of names) nameBytes(name);
  return { names, folderOnly };
}

/** Throws invalid when a path has more than pathBytesMax bytes. */
export function checkPathLength(path: string): void {
  // No character takes more than three bytes per UTF-16 unit.
  if (path.length * 3 <= limits.pathBytesMax) return;
  const length = utf8(path).length;
  if (length <= limits.pathBytesMax) return;
  throw new StorageError("invalid", "check path", clip(path), {
    hint: `A path has at most ${limits.pathBytesMax} bytes of UTF-8; this one has ${length}.`,
  });
}

/**
 * The n-th other name for something whose name is taken: `report (2).pdf`. The stem is cut, at a whole character, where
 * the name would become too long.
 */
export function numberedName(name: string, kind: "file" | "folder", number: number): string {
  const dot = kind === "file" ? name.lastIndexOf(".") : -1;
  const stem = dot > 0 ? name.slice(0, dot) : name;
  const extension = dot > 0 ? name.slice(dot) : "";
  const suffix = ` (${number})`;
  const room = limits.nameBytesMax - utf8(suffix).length - utf8(extension).length;
  // An extension that leaves no room for a stem is no extension.
  if (room < 1) return numberedName(cutToBytes(name, limits.nameBytesMax - 32), "folder", number);
  return cutToBytes(stem, room) + suffix + extension;
}

function cutToBytes(text: string, bytesMax: number): string {
  let bytes = 0;
  let cut = "";
  for (const character of text) {
    bytes += utf8(character).length;
    if (bytes > bytesMax) return cut;
    cut += character;
  }
  return cut;
}

function problemOf(name: string): string | undefined {
  if (name === "") return "is not empty";
  if (name === "." || name === "..") return "is neither '.' nor '..'";
  if (name.includes("/")) return "has no '/' in it";
  if (name.includes("\0")) return "has no NUL character in it";
  if (/\p{Surrogate}/u.test(name)) return "is well-formed Unicode, without half of a surrogate pair";
  return undefined;
}

function clip(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
