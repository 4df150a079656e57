/** The checksums whose value for a whole follows from those of its parts. */
export type CombinableAlgorithm = "CRC32" | "CRC32C" | "CRC64NVME";

/** A part: its CRC, highest byte first, and its length in bytes. */
export interface PartCrc {
  readonly crc: Uint8Array;
  readonly length: number;
}

/**
 * The CRC of parts one after the other, from theirs alone. CRC(A·B) = CRC(A) × x^(8·|B|) + CRC(B) in the polynomials over
 * GF(2) modulo that of the CRC; what is put before and after each CRC cancels out. No part: the CRC of nothing.
 */
export function combineCrcs(algorithm: CombinableAlgorithm, parts: readonly PartCrc[]): Uint8Array {
  const field = fields[algorithm];
  let whole: Polynomial = [0, 0];
  let shift: { readonly length: number; readonly by: Polynomial } | undefined;
  for (const { crc, length } of parts) {
    // All parts but the last are as long as each other, as a rule.
    if (shift?.length !== length) shift = { length, by: field.powerOfX(length) };
    const [high, low] = field.multiply(whole, shift.by);
    const [partHigh, partLow] = fromBytes(crc);
    whole = [high ^ partHigh, low ^ partLow];
  }
  return toBytes(whole, field.bytes);
}

/** Reflected: the top bit of the first word is the coefficient of x⁰. A CRC of 32 bits fills the first word alone. */
type Polynomial = readonly [high: number, low: number];

const one: Polynomial = [0x80000000 | 0, 0];

/** Polynomials over GF(2) modulo one of degree 32 or 64. */
class Field {
  readonly bytes: 4 | 8;
  readonly #modulus: Polynomial;
  /** x^(8·2^k), made as lengths need them. */
  readonly #powers: Polynomial[] = [];

  constructor(bytes: 4 | 8, modulus: Polynomial) {
    this.bytes = bytes;
    this.#modulus = modulus;
  }

  /** x^(8·length). */
  powerOfX(length: number): Polynomial {
    let power = one;
    for (let rest = length, bit = 0; rest > 0; rest = Math.floor(rest / 2), bit += 1) {
      if (rest % 2 === 1) power = this.multiply(power, this.#power(bit));
    }
    return power;
  }

  multiply([leftHigh, leftLow]: Polynomial, right: Polynomial): Polynomial {
    let [high, low] = right;
    let productHigh = 0;
    let productLow = 0;
    const [modulusHigh, modulusLow] = this.#modulus;
    for (let bit = 0; bit < this.bytes * 8; bit += 1) {
      const word = bit < 32 ? leftHigh : leftLow;
      if ((word >>> (31 - (bit % 32))) & 1) {
        productHigh ^= high;
        productLow ^= low;
      }
      const carry = this.bytes === 4 ? high & 1 : low & 1;
      low = this.bytes === 4 ? 0 : (low >>> 1) | (high << 31);
      high >>>= 1;
      if (carry === 1) {
        high ^= modulusHigh;
        low ^= modulusLow;
      }
    }
    return [productHigh, productLow];
  }

  #power(bit: number): Polynomial {
    let power = this.#powers[bit];
    if (power === undefined) {
      power = bit === 0 ? xToTheEighth : this.multiply(this.#power(bit - 1), this.#power(bit - 1));
      this.#powers[bit] = power;
    }
    return power;
  }
}

const xToTheEighth: Polynomial = [0x00800000, 0];

const fields: Readonly<Record<CombinableAlgorithm, Field>> = {
  CRC32: new Field(4, [0xedb88320 | 0, 0]),
  CRC32C: new Field(4, [0x82f63b78 | 0, 0]),
  CRC64NVME: new Field(8, [0x9a6c9329 | 0, 0xac4bc9b5 | 0]),
};

function fromBytes(crc: Uint8Array): Polynomial {
  const view = new DataView(crc.buffer, crc.byteOffset, crc.length);
  return [view.getInt32(0), crc.length === 8 ? view.getInt32(4) : 0];
}

function toBytes([high, low]: Polynomial, bytes: 4 | 8): Uint8Array {
  const crc = new Uint8Array(bytes);
  const view = new DataView(crc.buffer);
  view.setInt32(0, high);
  if (bytes === 8) view.setInt32(4, low);
  return crc;
}
