import type { Location } from "./chunk-table.ts";

/** Running count, bytes and XOR of a group's live records; equal on all members that hold the same. */
export class RunningDigest {
  #records = 0;
  #bytes = 0;
  #xor = 0n;

  static of(records: number, bytes: number, xor: bigint): RunningDigest {
    const digest = new RunningDigest();
    digest.#records = records;
    digest.#bytes = bytes;
    digest.#xor = xor;
    return digest;
  }

  get records(): number {
    return this.#records;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get xor(): bigint {
    return this.#xor;
  }

  add(hash: Uint8Array, location: Location): void {
    this.#records++;
    this.#bytes += location.length;
    this.#xor ^= mixed(hash, location.generation);
  }

  remove(hash: Uint8Array, location: Location): void {
    this.#records--;
    this.#bytes -= location.length;
    this.#xor ^= mixed(hash, location.generation);
  }
}

/** The hash's first 8 bytes, with the generation spread over them by an odd multiplier (2^64 ÷ golden ratio). */
function mixed(hash: Uint8Array, generation: number): bigint {
  const head = new DataView(hash.buffer, hash.byteOffset, 8).getBigUint64(0, true);
  return head ^ BigInt.asUintN(64, BigInt(generation) * 0x9e3779b97f4a7c15n);
}
