import { createHash, type Hash } from "node:crypto";
import { crc32, crc32c } from "@node-rs/crc32";
import type { ChecksumAlgorithm } from "./checksum-algorithm.ts";
import { Crc64Nvme } from "./crc64-nvme.ts";

/** What the gateway computes over bodies: the checksums of S3, and MD5 for ETags and Content-MD5. */
export type DigestAlgorithm = ChecksumAlgorithm | "MD5";

/** A digest over bytes that come piece by piece. Pieces stay the caller's; they are not kept once `update` has returned, or its promise. */
export interface StreamingChecksum {
  /** A promise asks the caller to wait before it goes on. */
  update(bytes: Uint8Array): void | Promise<void>;
  /** Once, at the end. CRCs have their highest byte first. */
  digest(): Promise<Uint8Array>;
}

/** The same at once, on this thread. */
export interface InlineChecksum extends StreamingChecksum {
  update(bytes: Uint8Array): void;
  digestNow(): Uint8Array;
}

/** A checksum computed on this thread: right for CRCs, which cost less than a copy, and for small bodies. */
export function inlineChecksum(algorithm: DigestAlgorithm): InlineChecksum {
  switch (algorithm) {
    case "CRC32":
      return new InlineCrc32(crc32);
    case "CRC32C":
      return new InlineCrc32(crc32c);
    case "CRC64NVME":
      return new InlineCrc64();
    case "MD5":
    case "SHA1":
    case "SHA256":
      return new InlineHash(algorithm);
  }
}

/** The digest of bytes that are all there. */
export function digestOf(algorithm: DigestAlgorithm, bytes: Uint8Array): Uint8Array {
  const checksum = inlineChecksum(algorithm);
  checksum.update(bytes);
  return checksum.digestNow();
}

class InlineCrc32 implements InlineChecksum {
  readonly #crc: (bytes: Uint8Array, previous?: number) => number;
  #value = 0;

  constructor(crc: (bytes: Uint8Array, previous?: number) => number) {
    this.#crc = crc;
  }

  update(bytes: Uint8Array): void {
    this.#value = this.#crc(bytes, this.#value);
  }

  digestNow(): Uint8Array {
    const value = new Uint8Array(4);
    new DataView(value.buffer).setUint32(0, this.#value);
    return value;
  }

  async digest(): Promise<Uint8Array> {
    return this.digestNow();
  }
}

class InlineCrc64 implements InlineChecksum {
  readonly #crc = new Crc64Nvme();

  update(bytes: Uint8Array): void {
    this.#crc.update(bytes);
  }

  digestNow(): Uint8Array {
    return this.#crc.digest();
  }

  async digest(): Promise<Uint8Array> {
    return this.digestNow();
  }
}

class InlineHash implements InlineChecksum {
  readonly #hash: Hash;

  constructor(algorithm: "MD5" | "SHA1" | "SHA256") {
    this.#hash = createHash(algorithm.toLowerCase());
  }

  update(bytes: Uint8Array): void {
    this.#hash.update(bytes);
  }

  digestNow(): Uint8Array {
    return this.#hash.digest();
  }

  async digest(): Promise<Uint8Array> {
    return this.digestNow();
  }
}
