import type { IncomingReply, OutgoingRequest } from "@cairn/env";
import { StorageError } from "@cairn/protocol";
import type { Dispatcher } from "undici";
import { codeOf } from "./system-error.ts";

/**
 * One request and its whole reply, on undici's lowest interface: a reply of known length goes straight into one buffer.
 * That costs half the processor time of reading it as a stream (a 1 MiB reply: 1.1 ms against 2.1 ms).
 */
export class HttpExchange implements Dispatcher.DispatchHandler {
  readonly reply: Promise<IncomingReply>;
  readonly #request: Pick<OutgoingRequest, "method" | "url" | "replyBytesMax">;
  #resolve: (reply: IncomingReply) => void = () => undefined;
  #reject: (error: unknown) => void = () => undefined;
  #controller: Dispatcher.DispatchController | undefined;
  #status = 0;
  #headers: Record<string, string> = {};
  #whole: Uint8Array | undefined;
  #pieces: Uint8Array[] = [];
  #length = 0;
  #stopped: Error | undefined;

  constructor(request: Pick<OutgoingRequest, "method" | "url" | "replyBytesMax">) {
    this.#request = request;
    this.reply = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** Breaks the exchange off; the reply then fails with this error. */
  stop(error: Error): void {
    this.#stopped ??= error;
    this.#controller?.abort(error);
    // A request that still waits for a connection has no controller, and ends when it gets one.
    this.#reject(error);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#stopped) controller.abort(this.#stopped);
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    if (status < 200) return;
    this.#status = status;
    for (const [name, value] of Object.entries(headers)) {
      if (value !== undefined) this.#headers[name] = Array.isArray(value) ? value.join(", ") : value;
    }
    // These tell the length of a body that they do not carry.
    if (this.#request.method === "HEAD" || status === 204 || status === 304) return;
    const length = Number(this.#headers["content-length"] ?? Number.NaN);
    if (length > this.#request.replyBytesMax) this.#tooLarge();
    else if (length > 0) this.#whole = Buffer.allocUnsafeSlow(length);
  }

  onResponseData(_controller: Dispatcher.DispatchController, piece: Uint8Array): void {
    const at = this.#length;
    this.#length += piece.length;
    if (this.#whole && this.#length <= this.#whole.length) this.#whole.set(piece, at);
    else if (this.#length > this.#request.replyBytesMax) this.#tooLarge();
    else this.#pieces.push(piece);
  }

  onResponseEnd(): void {
    const body =
      this.#whole && this.#pieces.length === 0 ? this.#whole.subarray(0, this.#length) : Buffer.concat(this.#pieces);
    this.#resolve({ status: this.#status, headers: this.#headers, body });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    // undici misses the body of a 304 that rightly tells the length of what it stands for; the answer is whole.
    const whole = this.#status === 304 && codeOf(error) === "UND_ERR_RES_CONTENT_LENGTH_MISMATCH";
    if (whole && !this.#stopped) this.onResponseEnd();
    else this.#reject(this.#stopped ?? error);
  }

  #tooLarge(): void {
    const { url, replyBytesMax } = this.#request;
    this.stop(new StorageError("too-large", "read answer", `${url}: more than ${replyBytesMax} bytes`));
  }
}
