import { createHash } from "node:crypto";
import type { CairnClient } from "@cairn/client";

export const MiB = 1024 * 1024;

/** Bytes that differ in every chunk and can be told apart by their seed. */
export function seededBytes(seed: string, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let offset = 0, block = 0; offset < length; block++) {
    const hash = createHash("sha512").update(`${seed} ${block}`).digest();
    // One hash fills 4 KiB: random enough for chunks to differ, cheap enough for large files.
    for (let repeat = 0; repeat < 64 && offset < length; repeat++) {
      const part = hash.subarray(0, Math.min(hash.length, length - offset));
      bytes.set(part, offset);
      offset += part.length;
    }
  }
  return bytes;
}

/** All bytes of a file. `onBytes` is told how many have come so far. */
export async function readAll(
  client: CairnClient,
  address: string,
  onBytes: (bytes: number) => void | Promise<void> = () => undefined,
): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of (await client.download(address)).bytes) {
    parts.push(part);
    length += part.length;
    await onBytes(length);
  }
  return Buffer.concat(parts);
}

export function digestOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** The bytes in pieces; `between` runs before each, told how many bytes went before it. */
export async function* inPieces(
  bytes: Uint8Array,
  between: (offset: number) => Promise<void> | void,
): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < bytes.length; offset += MiB) {
    await between(offset);
    yield bytes.subarray(offset, offset + MiB);
  }
}
