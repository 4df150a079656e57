import type { Hash } from "node:crypto";
import type { MessagePort } from "node:worker_threads";
import type { Crc64Program } from "./crc64-nvme.ts";

/** Digests that cost enough to leave the event loop for. */
export type ThreadAlgorithm = "MD5" | "SHA1" | "SHA256" | "CRC64NVME";

/** A step of one body, in its order. `algorithms` begins the body, `end` asks for the digests, `abort` forgets it. */
export interface ThreadTask {
  readonly body: number;
  readonly algorithms?: readonly ThreadAlgorithm[];
  /** A slot of the shared memory and how many bytes of it are the body's next ones. */
  readonly slot?: number;
  readonly length?: number;
  readonly end?: boolean;
  readonly abort?: boolean;
}

/** `slot` may be used again; `digests` are in the order of the body's algorithms. */
export interface ThreadReply {
  readonly body: number;
  readonly slot?: number;
  readonly digests?: readonly Uint8Array[];
}

/** What a thread starts with. */
export interface ThreadStart {
  readonly memory: SharedArrayBuffer;
  readonly slotBytes: number;
  readonly crc64: Crc64Program;
}

/**
 * The thread's program as JavaScript. It is the text of a function, so that it runs the same from sources, from built
 * files and from one bundled file; the function therefore uses nothing from outside itself.
 */
export function digestThreadProgram(): string {
  return `(${digestThread.toString()})(require("node:worker_threads"), require("node:crypto"));`;
}

interface Digest {
  update(bytes: Uint8Array): void;
  digest(): Uint8Array;
}

function digestThread(
  { parentPort, workerData }: { readonly parentPort: MessagePort; readonly workerData: ThreadStart },
  { createHash }: { createHash(name: string): Hash },
): void {
  const { memory, slotBytes, crc64 } = workerData;
  const bodies = new Map<number, Digest[]>();
  const host = globalThis as unknown as {
    WebAssembly: {
      Module: new (bytes: Uint8Array) => object;
      Instance: new (
        module: object,
      ) => { exports: { run: (from: number, to: number) => void; memory: { buffer: ArrayBuffer } } };
    };
  };
  let engine: { run: (from: number, to: number) => void; memory: { buffer: ArrayBuffer } } | undefined;

  const newCrc64 = (): Digest => {
    engine ??= new host.WebAssembly.Instance(new host.WebAssembly.Module(crc64.module)).exports;
    const { run } = engine;
    const window = new Uint8Array(engine.memory.buffer);
    const state = window.subarray(crc64.stateAt, crc64.stateAt + 8);
    const value = new Uint8Array(8).fill(0xff);
    return {
      update(bytes) {
        state.set(value);
        for (let from = 0; from < bytes.length; from += crc64.windowBytes) {
          const piece = bytes.subarray(from, from + crc64.windowBytes);
          window.set(piece, crc64.windowAt);
          run(crc64.windowAt, crc64.windowAt + piece.length);
        }
        value.set(state);
      },
      digest: () => value.map((byte) => byte ^ 0xff).reverse(),
    };
  };

  parentPort.on("message", (task: ThreadTask) => {
    const { body, algorithms, slot, length, end, abort } = task;
    if (algorithms !== undefined) {
      bodies.set(
        body,
        algorithms.map((name) => (name === "CRC64NVME" ? newCrc64() : createHash(name.toLowerCase()))),
      );
    }
    const digests = bodies.get(body) ?? [];
    if (slot !== undefined) {
      const bytes = new Uint8Array(memory, slot * slotBytes, length);
      for (const digest of digests) digest.update(bytes);
    }
    if (end === true || abort === true) bodies.delete(body);
    const results = end === true ? { digests: digests.map((digest) => new Uint8Array(digest.digest())) } : {};
    if (slot !== undefined || end === true) parentPort.postMessage({ body, slot, ...results });
  });
}
