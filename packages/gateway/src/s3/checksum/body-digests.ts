import { assert } from "@cairn/protocol";
import type { DigestThread, ThreadBody } from "./digest-thread.ts";
import type { ThreadAlgorithm } from "./digest-thread-program.ts";
import { type DigestAlgorithm, type InlineChecksum, inlineChecksum } from "./streaming-checksum.ts";

/** Digests by algorithm, as many as were asked for. */
export type Digests = ReadonlyMap<DigestAlgorithm, Uint8Array>;

/**
 * Several digests over one body. Pieces stay the caller's and are never detached; they may be changed once `update` has
 * returned, or the promise it returned is resolved. One `update` at a time. An Error, not an S3Error, when the thread fails.
 */
export interface BodyDigests {
  /** A promise when the queue is full: the body goes on when it is resolved. */
  update(bytes: Uint8Array): void | Promise<void>;
  /** Once, after the last update. */
  digest(): Promise<Digests>;
  /** Frees what the body holds. Nothing else may be called afterwards. */
  abort(): void;
}

/** All on this thread: for small bodies and for algorithms that cost less than handing the bytes over. */
export class InlineDigests implements BodyDigests {
  readonly #checksums: ReadonlyMap<DigestAlgorithm, InlineChecksum>;

  constructor(algorithms: readonly DigestAlgorithm[]) {
    this.#checksums = new Map(algorithms.map((algorithm) => [algorithm, inlineChecksum(algorithm)]));
  }

  update(bytes: Uint8Array): void {
    for (const checksum of this.#checksums.values()) checksum.update(bytes);
  }

  digestNow(): Digests {
    return new Map([...this.#checksums].map(([algorithm, checksum]) => [algorithm, checksum.digestNow()]));
  }

  async digest(): Promise<Digests> {
    return this.digestNow();
  }

  abort(): void {}
}

/** The dear ones on a thread, the cheap ones here. */
export class ThreadDigests implements BodyDigests, ThreadBody {
  readonly #thread: DigestThread;
  readonly #body: number;
  readonly #algorithms: readonly ThreadAlgorithm[];
  readonly #here: InlineDigests;
  readonly #inlineBytesMax: number;
  readonly #result: PromiseWithResolvers<readonly Uint8Array[]> = withResolvers();
  #state: "open" | "ended" | "aborted" = "open";
  #begun = false;
  #waiting = false;
  #slot: number | undefined;
  #view: Uint8Array = new Uint8Array(0);
  #filled = 0;

  constructor(
    thread: DigestThread,
    algorithms: { readonly here: readonly DigestAlgorithm[]; readonly there: readonly ThreadAlgorithm[] },
    inlineBytesMax: number,
  ) {
    this.#thread = thread;
    this.#algorithms = algorithms.there;
    this.#here = new InlineDigests(algorithms.here);
    this.#inlineBytesMax = inlineBytesMax;
    this.#body = thread.add(this);
    // Who stops updating because of the failure never asks for the digests.
    this.#result.promise.catch(() => {});
  }

  update(bytes: Uint8Array): void | Promise<void> {
    assert(this.#state === "open" && !this.#waiting, "a body is updated once at a time, before its end");
    if (this.#thread.failure !== undefined) return Promise.reject(this.#thread.failure);
    this.#here.update(bytes);
    const taken = this.#fill(bytes, 0);
    return taken === bytes.length ? undefined : this.#fillWaiting(bytes, taken);
  }

  async digest(): Promise<Digests> {
    assert(this.#state === "open" && !this.#waiting, "the digests are asked for once, after the last update");
    const here = this.#here.digestNow();
    if (!this.#begun && this.#filled <= this.#inlineBytesMax) return new Map([...here, ...this.#digestHeld()]);
    this.#state = "ended";
    this.#send(true);
    const there = await this.#result.promise;
    const pairs = this.#algorithms.map((algorithm, index) => [algorithm, there[index] ?? new Uint8Array(0)] as const);
    return new Map<DigestAlgorithm, Uint8Array>([...here, ...pairs]);
  }

  abort(): void {
    if (this.#state === "aborted") return;
    this.#state = "aborted";
    this.#release();
    if (this.#begun) this.#thread.send({ body: this.#body, abort: true });
    this.#thread.remove(this.#body);
    this.failed(new Error("the digests were aborted"));
  }

  get held(): number {
    return this.#state === "open" && this.#slot !== undefined ? this.#filled : 0;
  }

  flush(): void {
    this.#send(false);
  }

  done(digests: readonly Uint8Array[]): void {
    this.#result.resolve(digests);
  }

  failed(error: Error): void {
    this.#result.reject(error);
  }

  /** Copies what fits into slots that are free and answers up to where. */
  #fill(bytes: Uint8Array, from: number): number {
    let at = from;
    while (at < bytes.length) {
      if (this.#slot === undefined) {
        const slot = this.#thread.takeSlot();
        if (slot === undefined) return at;
        this.#hold(slot);
      }
      const space = this.#view.length - this.#filled;
      const piece = at === 0 && bytes.length <= space ? bytes : bytes.subarray(at, at + space);
      this.#view.set(piece, this.#filled);
      this.#filled += piece.length;
      at += piece.length;
      if (this.#filled === this.#view.length) this.#send(false);
    }
    this.#thread.relieve();
    return at;
  }

  async #fillWaiting(bytes: Uint8Array, from: number): Promise<void> {
    this.#waiting = true;
    try {
      for (let at = from; at < bytes.length; at = this.#fill(bytes, at)) {
        const slot = await this.#thread.waitForSlot();
        if (this.#state !== "open") return this.#thread.giveBack(slot);
        this.#hold(slot);
      }
    } finally {
      this.#waiting = false;
    }
  }

  #hold(slot: number): void {
    this.#slot = slot;
    this.#view = this.#thread.view(slot);
    this.#filled = 0;
  }

  /** Gives the slot over to the thread, which gives it back. */
  #send(end: boolean): void {
    const held = this.#slot === undefined ? {} : { slot: this.#slot, length: this.#filled };
    const first = this.#begun ? {} : { algorithms: this.#algorithms };
    this.#thread.send({ body: this.#body, ...first, ...held, end });
    this.#begun = true;
    this.#slot = undefined;
    this.#filled = 0;
  }

  /** The whole of a body that was small after all lies in the slot. */
  #digestHeld(): Digests {
    const digests = new InlineDigests(this.#algorithms);
    digests.update(this.#view.subarray(0, this.#filled));
    this.abort();
    return digests.digestNow();
  }

  #release(): void {
    if (this.#slot !== undefined) this.#thread.giveBack(this.#slot);
    this.#slot = undefined;
  }
}

interface PromiseWithResolvers<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

function withResolvers<T>(): PromiseWithResolvers<T> {
  let resolve: (value: T) => void = () => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<T>((onValue, onError) => {
    resolve = onValue;
    reject = onError;
  });
  return { promise, resolve, reject };
}
