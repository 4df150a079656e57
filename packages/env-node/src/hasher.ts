import { createHash, createHmac } from "node:crypto";
import type { Hasher } from "@cairn/env";
import { crc32c } from "@node-rs/crc32";

/** SHA-256 of OpenSSL and CRC-32C in native code. */
export class NodeHasher implements Hasher {
  async sha256(bytes: Uint8Array): Promise<Uint8Array> {
    return createHash("sha256").update(bytes).digest();
  }

  hmac(key: Uint8Array, message: Uint8Array): Uint8Array {
    return createHmac("sha256", key).update(message).digest();
  }

  crc32c(bytes: Uint8Array): number {
    return crc32c(bytes);
  }
}
