import { once } from "node:events";
import { connect, type Socket } from "node:net";

/** A bare TCP connection that sends what no HTTP client would. Text is Latin-1, one character a byte. */
export class RawConnection implements AsyncDisposable {
  readonly #socket: Socket;
  #received = "";
  #closed = false;
  #wake: () => void = () => undefined;

  constructor(port: number) {
    this.#socket = connect(port, "127.0.0.1");
    this.#socket.setNoDelay(true);
    this.#socket.setEncoding("latin1");
    this.#socket.on("data", (text: string) => {
      this.#received += text;
      this.#wake();
    });
    // A reset is one of the ways in which a server ends a connection.
    this.#socket.on("error", () => undefined);
    this.#socket.on("close", () => {
      this.#closed = true;
      this.#wake();
    });
  }

  get received(): string {
    return this.#received;
  }

  get closed(): boolean {
    return this.#closed;
  }

  send(text: string): this {
    this.#socket.write(text, "latin1");
    return this;
  }

  /** Waits until what was received holds this text so many times. Throws when the connection ends before. */
  async sees(text: string, times = 1): Promise<string> {
    while (this.#received.split(text).length - 1 < times) {
      if (this.#closed) throw new Error(`closed after: ${this.#received}`);
      await this.#change();
    }
    return this.#received;
  }

  /** Waits for the end of the connection; gives all that was received. */
  async end(): Promise<string> {
    while (!this.#closed) await this.#change();
    return this.#received;
  }

  /** Ends the connection without any farewell. */
  async reset(): Promise<void> {
    if (this.#socket.connecting) await once(this.#socket, "connect");
    this.#socket.resetAndDestroy();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy();
    await this.end();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}
