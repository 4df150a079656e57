import { assert } from "@cairn/protocol";
import { type BodyDigests, InlineDigests, ThreadDigests } from "./body-digests.ts";
import { DigestThread } from "./digest-thread.ts";
import type { ThreadAlgorithm } from "./digest-thread-program.ts";
import type { DigestAlgorithm } from "./streaming-checksum.ts";

/** Sizes of a pool; memory is `threads` × `slotsPerThread` × `slotBytes`, taken when a thread is first needed. */
export interface DigestPoolOptions {
  readonly threads?: number;
  readonly slotsPerThread?: number;
  readonly slotBytes?: number;
  /** Bodies of up to so many bytes are digested on the caller's thread: handing them over costs more than it saves. */
  readonly inlineBytesMax?: number;
}

const threadAlgorithms: ReadonlySet<DigestAlgorithm> = new Set<ThreadAlgorithm>(["MD5", "SHA1", "SHA256", "CRC64NVME"]);

/** Digests of bodies beside the event loop, in bounded memory. Threads start with the first body that needs one. */
export class DigestPool implements AsyncDisposable {
  readonly #options: Required<DigestPoolOptions>;
  #threads: DigestThread[] = [];
  #disposed = false;

  constructor({
    threads = 1,
    slotsPerThread = 16,
    slotBytes = 512 * 1024,
    inlineBytesMax = 256 * 1024,
  }: DigestPoolOptions = {}) {
    assert(threads >= 1 && slotsPerThread >= 1 && slotBytes >= 1, "a pool has a thread and a slot");
    this.#options = { threads, slotsPerThread, slotBytes, inlineBytesMax };
  }

  /** Begins the digests of one body. `bytesExpected` absent: the length is not known before the end. */
  open(algorithms: readonly DigestAlgorithm[], bytesExpected?: number): BodyDigests {
    assert(!this.#disposed, "no body is begun after the end");
    const there = algorithms.filter(isForThread);
    const small = bytesExpected !== undefined && bytesExpected <= this.#options.inlineBytesMax;
    if (small || there.length === 0) return new InlineDigests(algorithms);
    const here = algorithms.filter((algorithm) => !isForThread(algorithm));
    return new ThreadDigests(this.#thread(), { here, there }, this.#options.inlineBytesMax);
  }

  /** Ends the threads; digests that are under way fail. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    await Promise.all(this.#threads.map((thread) => thread.stop()));
    this.#threads = [];
  }

  /** The thread with the fewest bodies, or a new one while each is busy and there may be more. */
  #thread(): DigestThread {
    this.#threads = this.#threads.filter(({ failure }) => failure === undefined);
    const [least] = this.#threads.toSorted((a, b) => a.load - b.load);
    if (least !== undefined && (least.load === 0 || this.#threads.length >= this.#options.threads)) return least;
    const { slotsPerThread, slotBytes } = this.#options;
    const thread = DigestThread.start({ slots: slotsPerThread, slotBytes });
    this.#threads.push(thread);
    return thread;
  }
}

function isForThread(algorithm: DigestAlgorithm): algorithm is ThreadAlgorithm {
  return threadAlgorithms.has(algorithm);
}
