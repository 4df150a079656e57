import { randomBytes } from "node:crypto";
import type { Random } from "@cairn/env";

const poolBytes = 4096;

/** The machine's unguessable chance, drawn in blocks because each draw costs a call into the kernel. */
export class NodeRandom implements Random {
  #pool: Uint8Array = new Uint8Array(0);

  bytes(count: number): Uint8Array {
    if (count > poolBytes / 4) return randomBytes(count);
    if (this.#pool.length < count) this.#pool = randomBytes(poolBytes);
    const drawn = this.#pool.slice(0, count);
    this.#pool = this.#pool.subarray(count);
    return drawn;
  }

  fraction(): number {
    return Math.random();
  }
}
