import { StorageError } from "@cairn/protocol";

export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/**
 * One range of a Range header (RFC 9110 §14). Undefined, meaning the whole, for no header, another unit, several ranges
 * or nonsense. Throws range when it lies outside of the file.
 */
export function parseByteRange(header: string | undefined, size: number): ByteRange | undefined {
  const match = /^bytes=(\d{0,16})-(\d{0,16})$/i.exec(header?.trim() ?? "");
  if (!match) return undefined;
  const [, first = "", last = ""] = match;
  if (first === "" && last === "") return undefined;
  if (first === "") {
    const length = Math.min(Number(last), size);
    if (length === 0) throw outside(header, size);
    return { offset: size - length, length };
  }
  const offset = Number(first);
  const end = last === "" ? size - 1 : Math.min(Number(last), size - 1);
  if (last !== "" && Number(last) < offset) return undefined;
  if (offset >= size) throw outside(header, size);
  return { offset, length: end - offset + 1 };
}

function outside(header: string | undefined, size: number): StorageError {
  return new StorageError("range", "read file", `${header ?? ""} of ${size} bytes`, { details: { size } });
}
