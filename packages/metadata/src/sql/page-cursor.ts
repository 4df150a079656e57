import { fromBase64Url, fromUtf8, limits, type PageRequest, StorageError, toBase64Url, utf8 } from "@cairn/protocol";

/** Which order a cursor continues: a cursor of one listing does not fit another. */
export type CursorKind = "name" | "modified" | "trash" | "versions" | "parts";

/** The key after which the next page begins: a number, bytes, or both. */
export interface CursorKey {
  readonly number?: number;
  readonly bytes?: Uint8Array;
}

/** An opaque text that a listing can be continued with, however long it takes and whatever is added meanwhile. */
export function encodeCursor(kind: CursorKind, key: CursorKey): string {
  return toBase64Url(utf8(`${kind}.${key.number ?? ""}.${key.bytes ? toBase64Url(key.bytes) : ""}`));
}

/** Undefined for the first page. Throws invalid for anything that encodeCursor of this kind did not write. */
export function decodeCursor(kind: CursorKind, cursor: string | undefined): CursorKey | undefined {
  if (cursor === undefined) return undefined;
  const [given, number, bytes] = readCursor(cursor);
  const parsed = number === "" ? undefined : Number(number);
  if (given !== kind || (parsed !== undefined && !Number.isSafeInteger(parsed)) || bytes === undefined) {
    throw malformed(cursor);
  }
  return {
    ...(parsed === undefined ? {} : { number: parsed }),
    ...(bytes === "" ? {} : { bytes: fromBase64Url(bytes) }),
  };
}

/** How many items a page holds. Throws invalid outside of 1 … pageSizeMax. */
export function pageSizeOf(page: PageRequest): number {
  const size = page.size ?? limits.pageSizeDefault;
  if (!Number.isSafeInteger(size) || size < 1 || size > limits.pageSizeMax) {
    throw new StorageError("invalid", "list", `page size ${size}`, { hint: `It is 1 to ${limits.pageSizeMax}.` });
  }
  return size;
}

function readCursor(cursor: string): string[] {
  try {
    return fromUtf8(fromBase64Url(cursor)).split(".");
  } catch {
    throw malformed(cursor);
  }
}

function malformed(cursor: string): StorageError {
  return new StorageError("invalid", "continue listing", cursor.slice(0, 80), {
    hint: "Pass the cursor of the page before, unchanged, with the same order.",
  });
}
