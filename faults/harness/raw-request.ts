import { connect, type Socket } from "node:net";

/** A connection to a server without any library between: whatever a client can do wrong can be done here. */
export class RawConnection {
  readonly socket: Socket;
  #heard = "";

  constructor(url: string) {
    const { hostname, port } = new URL(url);
    this.socket = connect({ host: hostname, port: Number(port), noDelay: true });
    // Told by `closed`.
    this.socket.on("error", () => undefined);
    this.socket.on("data", (piece) => {
      this.#heard = (this.#heard + piece.toString("latin1")).slice(0, 1_000_000);
    });
  }

  get heard(): string {
    return this.#heard;
  }

  get closed(): boolean {
    return this.socket.destroyed || this.socket.readableEnded;
  }

  /** The status of the answer; undefined while there is none. */
  get status(): number | undefined {
    const found = /^HTTP\/1\.1 (\d{3})/.exec(this.#heard.replace(/^HTTP\/1\.1 100[\s\S]*?\r\n\r\n/, ""));
    return found ? Number(found[1]) : undefined;
  }

  send(bytes: string | Uint8Array): void {
    if (!this.socket.destroyed) this.socket.write(bytes);
  }

  reset(): void {
    this.socket.resetAndDestroy();
  }
}

/** The head of a request with its headers. */
export function head(line: string, headers: Readonly<Record<string, string | number>>): string {
  const lines = Object.entries({ host: "cairn", ...headers }).map(([name, value]) => `${name}: ${value}`);
  return `${[`${line} HTTP/1.1`, ...lines].join("\r\n")}\r\n\r\n`;
}
