import { Worker } from "node:worker_threads";
import { crc64Program } from "./crc64-nvme.ts";
import { digestThreadProgram, type ThreadReply, type ThreadStart, type ThreadTask } from "./digest-thread-program.ts";

/** With so many slots on their way the thread does not run dry before the next one comes. */
const slotsUnderWayMin = 2;

/** A body that a thread works on. */
export interface ThreadBody {
  /** Bytes in the slot that it fills, 0 if it has none. */
  readonly held: number;
  /** Sends that slot as it is. */
  flush(): void;
  /** The digests, in the order that was asked for. */
  done(digests: readonly Uint8Array[]): void;
  failed(error: Error): void;
}

interface Waiter {
  readonly resolve: (slot: number) => void;
  readonly reject: (error: Error) => void;
}

/**
 * A thread that digests, and the shared memory through which the bytes go: slots that are filled here, read there and
 * given back. Measured against copying into messages, with and without transfer, this costs the event loop least.
 */
export class DigestThread {
  readonly #worker: Worker;
  readonly #memory: SharedArrayBuffer;
  readonly #slotBytes: number;
  readonly #free: number[];
  readonly #waiters: Waiter[] = [];
  readonly #bodies = new Map<number, ThreadBody>();
  #nextBody = 0;
  #slotsUnderWay = 0;
  #failure: Error | undefined;

  private constructor(worker: Worker, { memory, slotBytes }: ThreadStart) {
    this.#worker = worker;
    this.#memory = memory;
    this.#slotBytes = slotBytes;
    this.#free = Array.from({ length: memory.byteLength / slotBytes }, (_, slot) => slot);
  }

  /** Starts a thread with so many slots of so many bytes. It keeps the process alive only while it has bodies. */
  static start({ slots, slotBytes }: { readonly slots: number; readonly slotBytes: number }): DigestThread {
    const start: ThreadStart = { memory: new SharedArrayBuffer(slots * slotBytes), slotBytes, crc64: crc64Program() };
    const worker = new Worker(digestThreadProgram(), { eval: true, workerData: start, name: "cairn digests" });
    const thread = new DigestThread(worker, start);
    worker.on("message", (reply: ThreadReply) => thread.#take(reply));
    worker.on("error", (error) => thread.#fail(new Error("the thread for digests failed", { cause: error })));
    worker.on("exit", () => thread.#fail(new Error("the thread for digests has ended")));
    worker.unref();
    return thread;
  }

  get slotBytes(): number {
    return this.#slotBytes;
  }

  /** Bodies that are not done yet. */
  get load(): number {
    return this.#bodies.size;
  }

  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Adds a body and gives it its number. */
  add(body: ThreadBody): number {
    this.#nextBody += 1;
    if (this.#failure !== undefined) body.failed(this.#failure);
    else this.#bodies.set(this.#nextBody, body);
    if (this.#bodies.size === 1) this.#worker.ref();
    return this.#nextBody;
  }

  /** Forgets a body whose digests nobody wants any more. */
  remove(body: number): void {
    if (this.#bodies.delete(body) && this.#bodies.size === 0) this.#worker.unref();
  }

  send(task: ThreadTask): void {
    if (this.#failure !== undefined) return;
    if (task.slot !== undefined) this.#slotsUnderWay += 1;
    this.#worker.postMessage(task);
  }

  /** The bytes of a slot. */
  view(slot: number): Uint8Array {
    return new Uint8Array(this.#memory, slot * this.#slotBytes, this.#slotBytes);
  }

  takeSlot(): number | undefined {
    return this.#free.pop();
  }

  /** Waits for a slot, first come, first served. */
  waitForSlot(): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) return reject(this.#failure);
      this.#waiters.push({ resolve, reject });
      this.relieve();
    });
  }

  /**
   * While somebody waits, slots must be on their way: the fullest of those that are being filled are sent, so that nobody
   * waits for a slow client. To be called when a slot was begun.
   */
  relieve(): void {
    while (this.#waiters.length > 0 && this.#slotsUnderWay < slotsUnderWayMin) {
      let fullest: ThreadBody | undefined;
      for (const body of this.#bodies.values()) if (body.held > (fullest?.held ?? 0)) fullest = body;
      if (fullest === undefined) return;
      fullest.flush();
    }
  }

  giveBack(slot: number): void {
    const waiter = this.#waiters.shift();
    if (waiter === undefined) this.#free.push(slot);
    else waiter.resolve(slot);
  }

  async stop(): Promise<void> {
    this.#fail(new Error("the digests were stopped"));
    await this.#worker.terminate();
  }

  #take({ body, slot, digests }: ThreadReply): void {
    if (slot !== undefined) {
      this.#slotsUnderWay -= 1;
      this.giveBack(slot);
      this.relieve();
    }
    if (digests === undefined) return;
    const waiting = this.#bodies.get(body);
    this.remove(body);
    waiting?.done(digests);
  }

  #fail(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    for (const { reject } of this.#waiters.splice(0)) reject(error);
    for (const body of this.#bodies.values()) body.failed(error);
    this.#bodies.clear();
  }
}
