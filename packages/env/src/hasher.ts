/** Hashes and checksums. Inputs are not changed and not kept. */
export interface Hasher {
  /** SHA-256, 32 bytes. */
  sha256(bytes: Uint8Array): Promise<Uint8Array>;
  /** HMAC-SHA256, 32 bytes. */
  hmac(key: Uint8Array, message: Uint8Array): Uint8Array;
  /** CRC-32C (Castagnoli), unsigned 32 bits. */
  crc32c(bytes: Uint8Array): number;
}
