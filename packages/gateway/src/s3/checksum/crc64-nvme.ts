import { instantiate, moduleBytes, op, signed, unsigned, until } from "./wasm-module.ts";

/**
 * CRC-64/NVME, bit-reflected with all ones before and after (NVM Express command set specification, "64b CRC"). The
 * polynomial is 0xad93d23594c93659; this is its reflection.
 */
export const crc64NvmePolynomial = 0x9a6c9329ac4bc9b5n;

/**
 * Sixteen bytes a turn by sixteen tables, in WebAssembly: JavaScript has no 64-bit integers that are fast. In memory lie
 * the tables, the running value and a window that the bytes are copied through.
 */
const bytesPerTurn = 16;
const tableBytes = 256 * 8;
const stateAt = bytesPerTurn * tableBytes;
const windowAt = 65_536;
const windowBytes = 256 * 1024;

/** What is needed to run the module of `crc64Program` on any thread. */
export interface Crc64Program {
  /** A module with `run(from, to)`, which takes memory's bytes [from, to) into the running value, and `memory`. */
  readonly module: Uint8Array<ArrayBuffer>;
  /** Where the running value lies, 64 bits with the lowest byte first; it starts as ones and is inverted at the end. */
  readonly stateAt: number;
  /** Where the bytes go, and how many at most. */
  readonly windowAt: number;
  readonly windowBytes: number;
}

/** The program, made anew; it costs a millisecond. */
export function crc64Program(): Crc64Program {
  const module = moduleBytes({
    code: [...loadState(), ...wholeTurns(), ...singleBytes(), ...storeState()],
    localsI64: 3,
    data: new Uint8Array(tables().buffer),
    memoryBytes: windowAt + windowBytes,
  });
  return { module, stateAt, windowAt, windowBytes };
}

/** A running CRC-64/NVME. Instances share one window, so an update runs to its end before another begins. */
export class Crc64Nvme {
  #high = 0xffffffff;
  #low = 0xffffffff;

  update(bytes: Uint8Array): void {
    engine ??= startEngine();
    const { run, window, state } = engine;
    state.setUint32(stateAt, this.#low, true);
    state.setUint32(stateAt + 4, this.#high, true);
    for (let from = 0; from < bytes.length; from += windowBytes) {
      const piece = bytes.length <= windowBytes ? bytes : bytes.subarray(from, from + windowBytes);
      window.set(piece, windowAt);
      run(windowAt, windowAt + piece.length);
    }
    this.#low = state.getUint32(stateAt, true);
    this.#high = state.getUint32(stateAt + 4, true);
  }

  /** Eight bytes, the highest first. */
  digest(): Uint8Array {
    const value = new Uint8Array(8);
    const view = new DataView(value.buffer);
    view.setUint32(0, ~this.#high);
    view.setUint32(4, ~this.#low);
    return value;
  }
}

interface Engine {
  readonly run: (from: number, to: number) => void;
  readonly window: Uint8Array;
  readonly state: DataView;
}

let engine: Engine | undefined;

function startEngine(): Engine {
  const { run, memory } = instantiate(crc64Program().module);
  return { run, window: new Uint8Array(memory), state: new DataView(memory) };
}

/** Table 0 takes one byte; table k takes a byte that k more bytes follow. */
function tables(): BigUint64Array {
  const all = new BigUint64Array(256 * bytesPerTurn);
  for (let byte = 0; byte < 256; byte += 1) {
    let value = BigInt(byte);
    for (let bit = 0; bit < 8; bit += 1) value = value & 1n ? (value >> 1n) ^ crc64NvmePolynomial : value >> 1n;
    all[byte] = value;
  }
  for (let index = 256; index < all.length; index += 1) {
    const shorter = all[index - 256] ?? 0n;
    all[index] = (all[Number(shorter & 0xffn)] ?? 0n) ^ (shorter >> 8n);
  }
  return all;
}

/** The locals: parameters `from` and `to`, the running value and the two words of a turn. */
const [from, to, crc, first, second] = [0, 1, 2, 3, 4];

function loadState(): number[] {
  return [op.i32Const, 0, op.i64Load, 3, ...unsigned(stateAt), op.localSet, crc];
}

function storeState(): number[] {
  return [op.i32Const, 0, op.localGet, crc, op.i64Store, 3, ...unsigned(stateAt)];
}

function wholeTurns(): number[] {
  const wordAt = (offset: number) => [op.localGet, from, op.i64Load, 0, ...unsigned(offset)];
  const body = [...wordAt(0), op.localGet, crc, op.i64Xor, op.localSet, first, ...wordAt(8), op.localSet, second];
  for (let byte = 0; byte < bytesPerTurn; byte += 1) {
    body.push(...tableEntry(byte < 8 ? first : second, byte % 8, bytesPerTurn - 1 - byte));
    if (byte > 0) body.push(op.i64Xor);
  }
  const next = [op.localGet, from, op.i32Const, ...signed(bytesPerTurn), op.i32Add];
  const less = [...next, op.localGet, to, op.i32GreaterUnsigned];
  return until(less, [...body, op.localSet, crc, ...next, op.localSet, from]);
}

function singleBytes(): number[] {
  const word = [op.localGet, from, op.i64LoadByte, 0, 0, op.localGet, crc, op.i64Xor, op.localSet, first];
  const rest = [op.localGet, crc, op.i64Const, 8, op.i64ShiftRightUnsigned];
  const step = [...word, ...tableEntry(first, 0, 0), ...rest, op.i64Xor, op.localSet, crc];
  const next = [op.localGet, from, op.i32Const, 1, op.i32Add, op.localSet, from];
  return until([op.localGet, from, op.localGet, to, op.i32GreaterOrEqualUnsigned], [...step, ...next]);
}

/** Loads entry (word >> 8 × byte) & 255 of a table. */
function tableEntry(word: number, byte: number, table: number): number[] {
  const shift = byte === 0 ? [] : [op.i64Const, ...signed(8 * byte), op.i64ShiftRightUnsigned];
  const index = [op.i32WrapI64, op.i32Const, ...signed(255), op.i32And, op.i32Const, 3, op.i32ShiftLeft];
  return [op.localGet, word, ...shift, ...index, op.i64Load, 3, ...unsigned(table * tableBytes)];
}
