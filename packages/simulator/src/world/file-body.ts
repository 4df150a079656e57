import { GrowingBytes } from "../disk/growing-bytes.ts";
import type { SeededRandom } from "../random/seeded-random.ts";

type Change =
  | { readonly kind: "write"; readonly position: number; readonly bytes: Uint8Array }
  | { readonly kind: "truncate"; readonly length: number };

const sector = 512;

/** The bytes of one file: what readers see, what is on the medium, and what hangs in the balance between the two. */
export class FileBody {
  #live: GrowingBytes;
  #durable: GrowingBytes;
  #pending: Change[] = [];

  constructor(bytes: Uint8Array = new Uint8Array(0)) {
    this.#live = new GrowingBytes(bytes);
    this.#durable = new GrowingBytes(bytes);
  }

  get length(): number {
    return this.#live.length;
  }

  toBytes(): Uint8Array {
    return this.#live.toBytes();
  }

  read(target: Uint8Array, position: number): number {
    return this.#live.read(target, position);
  }

  /** The bytes must not change afterwards. */
  write(bytes: Uint8Array, position: number): void {
    this.#live.write(bytes, position);
    this.#pending.push({ kind: "write", position, bytes });
  }

  truncate(length: number): void {
    this.#live.truncate(length);
    this.#pending.push({ kind: "truncate", length });
  }

  sync(): void {
    for (const change of this.#pending) apply(this.#durable, change);
    this.#pending = [];
  }

  /** What was to be saved is not, and nobody will try again; readers see it until the power is cut. */
  failSync(): void {
    this.#pending = [];
  }

  /** Turns one bit over, on the medium and for readers. */
  flip(bit: number): void {
    for (const bytes of [this.#live, this.#durable]) {
      const at = bit >> 3;
      const byte = new Uint8Array(1);
      if (bytes.read(byte, at) === 0) continue;
      byte[0] = (byte[0] ?? 0) ^ (1 << (bit & 7));
      bytes.write(byte, at);
    }
  }

  /** Readers see from now on what a power cut left: some of what was not synced, perhaps torn, perhaps as rubbish. */
  cutPower(random: SeededRandom): void {
    const changes = this.#pending;
    this.#pending = [];
    if (changes.length > 0) {
      const kept = random.integer(changes.length + 1);
      const lengthBefore = this.#durable.length;
      for (const change of changes.slice(0, kept)) apply(this.#durable, change);
      const next = changes[kept];
      if (next?.kind === "write") tear(this.#durable, next, random);
      if (random.fraction() < 0.2) spoil(this.#durable, lengthBefore, random);
    }
    const bytes = this.#durable.toBytes();
    this.#live = new GrowingBytes(bytes);
    this.#durable = new GrowingBytes(bytes);
  }
}

function apply(bytes: GrowingBytes, change: Change): void {
  if (change.kind === "write") bytes.write(change.bytes, change.position);
  else bytes.truncate(change.length);
}

/** A write stops somewhere; sectors go to the medium whole. */
function tear(bytes: GrowingBytes, write: { position: number; bytes: Uint8Array }, random: SeededRandom): void {
  const end = write.position + random.integer(write.bytes.length + 1);
  const whole = Math.floor(end / sector) * sector - write.position;
  if (whole > 0) bytes.write(write.bytes.subarray(0, whole), write.position);
}

/** The length was kept, the bytes were not: zeros or rubbish from some sector on behind the old end. */
function spoil(bytes: GrowingBytes, from: number, random: SeededRandom): void {
  const added = bytes.length - from;
  if (added <= 0) return;
  const start = from + random.integer(added);
  const rubbish = random.fraction() < 0.5 ? new Uint8Array(bytes.length - start) : random.bytes(bytes.length - start);
  bytes.write(rubbish, start);
}
