import { assert, concatBytes } from "@cairn/protocol";

/**
 * Cuts a stream into chunks of `chunkBytes`, the last one shorter; nothing for an empty stream. What lies within one
 * buffer of the source is a view of it; only what straddles two is copied. Holds at most one chunk and one buffer.
 */
export async function* cutChunks(source: AsyncIterable<Uint8Array>, chunkBytes: number): AsyncGenerator<Uint8Array> {
  assert(Number.isSafeInteger(chunkBytes) && chunkBytes > 0, "chunks have a size");
  let pieces: Uint8Array[] = [];
  let missing = chunkBytes;
  for await (const buffer of source) {
    let rest = buffer;
    while (rest.length >= missing) {
      pieces.push(rest.subarray(0, missing));
      yield joined(pieces);
      rest = rest.subarray(missing);
      pieces = [];
      missing = chunkBytes;
    }
    if (rest.length > 0) {
      pieces.push(rest);
      missing -= rest.length;
    }
  }
  if (pieces.length > 0) yield joined(pieces);
}

/** The chunks of bytes that are all there: views, no copies. */
export function* cutBytes(bytes: Uint8Array, chunkBytes: number): Generator<Uint8Array> {
  for (let offset = 0; offset < bytes.length; offset += chunkBytes) yield bytes.subarray(offset, offset + chunkBytes);
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  return pieces.length === 1 && pieces[0] ? pieces[0] : concatBytes(pieces);
}
