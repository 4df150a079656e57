import { cancelled } from "../nodes/deadline.ts";
import { onAbort } from "../nodes/on-abort.ts";

/** Bytes that may be on their way at once. First come, first served; something larger than the window goes alone. */
export class ByteWindow {
  readonly #bytesMax: number;
  #waiting: { readonly bytes: number; readonly enter: () => void }[] = [];
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Bytes that have entered and not left. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Throws cancelled. */
  async enter(bytes: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) throw cancelled("wait for the window");
    if (this.#waiting.length === 0 && this.#fits(bytes)) {
      this.#bytes += bytes;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const cancel = (): void => {
        this.#waiting = this.#waiting.filter((other) => other !== waiting);
        reject(cancelled("wait for the window"));
        this.#admit();
      };
      const enter = (): void => {
        unlisten?.();
        resolve();
      };
      const waiting = { bytes, enter };
      const unlisten = signal && onAbort(signal, cancel);
      this.#waiting.push(waiting);
    });
  }

  leave(bytes: number): void {
    this.#bytes -= bytes;
    this.#admit();
  }

  #admit(): void {
    let admitted = 0;
    for (const { bytes, enter } of this.#waiting) {
      if (!this.#fits(bytes)) break;
      this.#bytes += bytes;
      admitted++;
      enter();
    }
    if (admitted > 0) this.#waiting = this.#waiting.slice(admitted);
  }

  #fits(bytes: number): boolean {
    return this.#bytes === 0 || this.#bytes + bytes <= this.#bytesMax;
  }
}
