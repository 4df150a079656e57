declare const brand: unique symbol;
/** A byte string as a map's key: one character a byte. */
export type ByteKey = string & { readonly [brand]: "ByteKey" };

/** Equal for equal bytes. Meant for ids and hashes, not for long strings. */
export function keyOf(bytes: Uint8Array): ByteKey {
  let key = "";
  for (let index = 0; index < bytes.length; index++) key += String.fromCharCode(bytes[index] as number);
  return key as ByteKey;
}
