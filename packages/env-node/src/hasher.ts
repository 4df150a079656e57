import { createHash, createHmac, webcrypto } from "node:crypto";
import type { Hasher } from "@cairn/env";
import { crc32c } from "@node-rs/crc32";

/** From so many bytes on, handing the work to another thread costs less than it saves. */
const offThreadBytesMin = 256 * 1024;

/** SHA-256 of OpenSSL and CRC-32C in native code. */
export class NodeHasher implements Hasher {
  readonly #offThread: boolean;

  /**
   * `offThread`: large inputs are hashed beside the event loop. Right for a process that does one transfer and waits
   * for it; a server that shares the machine with others only pays the copy.
   */
  constructor({ offThread = false }: { readonly offThread?: boolean } = {}) {
    this.#offThread = offThread;
  }

  async sha256(bytes: Uint8Array): Promise<Uint8Array> {
    if (!this.#offThread || bytes.length < offThreadBytesMin) return createHash("sha256").update(bytes).digest();
    return new Uint8Array(await webcrypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>));
  }

  hmac(key: Uint8Array, message: Uint8Array): Uint8Array {
    return createHmac("sha256", key).update(message).digest();
  }

  crc32c(bytes: Uint8Array): number {
    return crc32c(bytes);
  }
}
