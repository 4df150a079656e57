/** Opcodes of WebAssembly that the CRC needs (WebAssembly core specification 2.0, "Index of Instructions"). */
export const op = {
  block: 0x02,
  loop: 0x03,
  end: 0x0b,
  branch: 0x0c,
  branchIf: 0x0d,
  localGet: 0x20,
  localSet: 0x21,
  i64Load: 0x29,
  i64LoadByte: 0x31,
  i64Store: 0x37,
  i32Const: 0x41,
  i64Const: 0x42,
  i32GreaterUnsigned: 0x4b,
  i32GreaterOrEqualUnsigned: 0x4f,
  i32Add: 0x6a,
  i32And: 0x71,
  i32ShiftLeft: 0x74,
  i64Xor: 0x85,
  i64ShiftRightUnsigned: 0x88,
  i32WrapI64: 0xa7,
} as const;

/** Value type of a local. */
export const i64Type = 0x7e;
const i32Type = 0x7f;
const emptyBlock = 0x40;
const functionType = 0x60;
const pageBytes = 65_536;

/** What `moduleBytes` made, ready to run. */
export interface WasmInstance {
  readonly run: (first: number, second: number) => void;
  readonly memory: ArrayBuffer;
}

/** The part of the WebAssembly interface used here; the compiler knows it only together with a browser's. */
interface WasmHost {
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object;
  readonly Instance: new (
    module: object,
  ) => { readonly exports: { readonly run: WasmInstance["run"]; readonly memory: { readonly buffer: ArrayBuffer } } };
}

/** Compiles and starts a module of `moduleBytes`. */
export function instantiate(bytes: Uint8Array<ArrayBuffer>): WasmInstance {
  const host = (globalThis as unknown as { readonly WebAssembly: WasmHost }).WebAssembly;
  const { run, memory } = new host.Instance(new host.Module(bytes)).exports;
  return { run, memory: memory.buffer };
}

/** A loop that is left as soon as the condition in front of its body is not zero. */
export function until(condition: readonly number[], body: readonly number[]): number[] {
  const turn = [...condition, op.branchIf, 1, ...body, op.branch, 0];
  return [op.block, emptyBlock, op.loop, emptyBlock, ...turn, op.end, op.end];
}

/** An integer of a constant instruction, signed LEB128. */
export function signed(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>= 7) {
    const low = rest & 0x7f;
    if ((rest >> 6 === 0 || rest >> 6 === -1) && bytes.push(low)) return bytes;
    bytes.push(low | 0x80);
  }
}

/** An index, offset or count, unsigned LEB128. */
export function unsigned(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return [...bytes, rest];
    bytes.push((rest & 0x7f) | 0x80);
  }
}

/**
 * A module with one memory, exported as `memory`, that begins with `data`, and one function `run(i32, i32)` of this code
 * and so many i64 locals.
 */
export function moduleBytes({
  code,
  localsI64,
  data,
  memoryBytes,
}: {
  readonly code: readonly number[];
  readonly localsI64: number;
  readonly data: Uint8Array;
  readonly memoryBytes: number;
}): Uint8Array<ArrayBuffer> {
  const body = [1, ...unsigned(localsI64), i64Type, ...code, op.end];
  const before = [
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, [1, functionType, 2, i32Type, i32Type, 0]),
    ...section(3, [1, 0]),
    ...section(5, [1, 0, ...unsigned(Math.ceil(memoryBytes / pageBytes))]),
    ...section(7, [2, ...exported("run", 0x00), ...exported("memory", 0x02)]),
    ...section(10, [1, ...unsigned(body.length), ...body]),
  ];
  const segment = [1, 0, op.i32Const, 0, op.end, ...unsigned(data.length)];
  const dataSection = [11, ...unsigned(segment.length + data.length), ...segment];
  return Uint8Array.from([...before, ...dataSection, ...data]);
}

function section(id: number, content: readonly number[]): number[] {
  return [id, ...unsigned(content.length), ...content];
}

function exported(name: string, kind: number): number[] {
  return [name.length, ...Buffer.from(name), kind, 0];
}
