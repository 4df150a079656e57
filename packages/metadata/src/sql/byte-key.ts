declare const brand: unique symbol;
/** A byte string as a map's key: one character a byte. */
export type ByteKey = string & { readonly [brand]: "ByteKey" };

/** Equal for equal bytes. Meant for ids and hashes, not for long strings. */
export function keyOf(bytes: Uint8Array): ByteKey {
  return String.fromCharCode(...bytes) as ByteKey;
}
