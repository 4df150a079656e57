import { connect, type Socket } from "node:net";
import { type Direction, type FaultMode, requestOf } from "./fault-mode.ts";

export interface Target {
  readonly host: string;
  readonly port: number;
}

/** Shared by all connections of a proxy. */
export interface ProxyState {
  mode: FaultMode;
  target: Target | undefined;
  injected: number;
  timesLeft: number;
}

interface Lane {
  readonly direction: Direction;
  readonly from: Socket;
  readonly to: Socket;
  /** Bytes that have come. */
  bytes: number;
  /** Pieces go one after the other. */
  tail: Promise<void>;
}

const requestBytesMax = 64 * 1024 * 1024;

/** One connection and its other half. */
export class ProxiedConnection {
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #state: ProxyState;
  readonly closed: Promise<void>;
  #request: string | undefined;
  #recorded: Uint8Array[] = [];
  #dropAnswer = false;

  constructor(client: Socket, state: ProxyState) {
    this.#client = client;
    this.#state = state;
    this.#server = connect({ ...(state.target ?? { host: "127.0.0.1", port: 1 }), allowHalfOpen: true, noDelay: true });
    this.#open("to-server", client, this.#server);
    this.#open("to-client", this.#server, client);
    this.closed = new Promise((resolve) => {
      let open = 2;
      for (const socket of [client, this.#server]) {
        // Its end is told by close; the other half shares it.
        socket.on("error", () => undefined);
        socket.once("close", () => {
          const broken = socket.errored !== null || !socket.readableEnded;
          if (broken) this.reset();
          if (--open === 0) resolve();
        });
      }
    });
    this.modeChanged();
  }

  reset(): void {
    for (const socket of [this.#client, this.#server]) if (!socket.destroyed) socket.resetAndDestroy();
  }

  modeChanged(): void {
    if (this.#state.mode.kind !== "refuse") return;
    this.#state.injected++;
    this.reset();
  }

  #open(direction: Direction, from: Socket, to: Socket): void {
    const lane: Lane = { direction, from, to, bytes: 0, tail: Promise.resolve() };
    from.on("data", (piece: Uint8Array) => {
      from.pause();
      lane.tail = lane.tail.then(async () => {
        await this.#pass(lane, piece);
        from.resume();
      });
    });
    from.on("end", () => {
      lane.tail = lane.tail.then(() => {
        if (!this.#swallows(direction)) to.end();
      });
    });
  }

  #swallows(direction: Direction): boolean {
    const { mode } = this.#state;
    return mode.kind === "blackhole" || (mode.kind === "one-way" && mode.drop === direction);
  }

  async #pass(lane: Lane, piece: Uint8Array): Promise<void> {
    const { mode } = this.#state;
    const start = lane.bytes;
    lane.bytes += piece.length;
    if (lane.direction === "to-server") this.#noteRequest(piece);
    else if (this.#onAnswer()) return;
    if (this.#swallows(lane.direction)) {
      this.#state.injected++;
      return;
    }
    if (mode.kind === "latency" || mode.kind === "throttle") this.#state.injected++;
    if (mode.kind === "latency") await pause(mode.ms + Math.random() * (mode.jitterMs ?? 0));
    if (mode.kind === "throttle") return this.#trickle(lane, piece, mode.bytesPerSecond);
    if ((mode.kind === "reset-after" || mode.kind === "truncate-after") && mode.direction === lane.direction) {
      if (lane.bytes > mode.bytes && this.#inject()) {
        await write(lane.to, piece.subarray(0, Math.max(0, mode.bytes - start)));
        if (mode.kind === "reset-after") this.reset();
        else this.#cutClean();
        return;
      }
    }
    if (mode.kind === "flip-byte" && mode.direction === lane.direction) {
      const at = mode.at - start;
      if (at >= 0 && at < piece.length && this.#inject()) {
        const flipped = Uint8Array.from(piece);
        flipped[at] = (flipped[at] ?? 0) ^ 1;
        return write(lane.to, flipped);
      }
    }
    await write(lane.to, piece);
  }

  async #trickle(lane: Lane, piece: Uint8Array, bytesPerSecond: number): Promise<void> {
    const stepBytes = Math.max(1, Math.floor(bytesPerSecond / 20));
    for (let at = 0; at < piece.length && !lane.to.destroyed; at += stepBytes) {
      if (this.#state.mode.kind !== "throttle") return write(lane.to, piece.subarray(at));
      await write(lane.to, piece.subarray(at, at + stepBytes));
      await pause((1000 * stepBytes) / bytesPerSecond);
    }
  }

  /** Keeps the bytes of the request under way while they may be needed once more. */
  #noteRequest(piece: Uint8Array): void {
    const { mode } = this.#state;
    const line = requestOf(piece);
    if (line !== undefined) {
      this.#request = line;
      this.#recorded = [];
    }
    if (mode.kind === "duplicate-request" && this.#request !== undefined && mode.matching.test(this.#request)) {
      const bytes = this.#recorded.reduce((sum, { length }) => sum + length, piece.length);
      if (bytes <= requestBytesMax) this.#recorded.push(Uint8Array.from(piece));
    }
    if (mode.kind === "drop-response" && line !== undefined) this.#dropAnswer = mode.matching.test(line);
  }

  /** True when the answer is not to get through. */
  #onAnswer(): boolean {
    const { mode } = this.#state;
    if (mode.kind === "drop-response" && this.#dropAnswer && this.#inject()) {
      this.reset();
      return true;
    }
    if (mode.kind === "duplicate-request" && this.#recorded.length > 0) {
      const again = this.#recorded;
      this.#recorded = [];
      this.#request = undefined;
      if (this.#inject()) this.#sendAgain(again);
    }
    return false;
  }

  #sendAgain(pieces: readonly Uint8Array[]): void {
    const { target } = this.#state;
    if (!target) return;
    const socket = connect({ ...target, noDelay: true });
    socket.on("error", () => undefined);
    socket.once("data", () => socket.destroy());
    socket.setTimeout(30_000, () => socket.destroy());
    for (const piece of pieces) socket.write(piece);
  }

  #cutClean(): void {
    for (const socket of [this.#client, this.#server]) socket.end(() => socket.destroy());
  }

  #inject(): boolean {
    if (this.#state.timesLeft <= 0) return false;
    this.#state.timesLeft--;
    this.#state.injected++;
    return true;
  }
}

/** Ends when there is room for more, or nobody listens any longer. */
function write(socket: Socket, bytes: Uint8Array): Promise<void> {
  if (socket.destroyed || bytes.length === 0 || socket.write(bytes)) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      socket.off("drain", done).off("close", done);
      resolve();
    };
    socket.on("drain", done).on("close", done);
  });
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
