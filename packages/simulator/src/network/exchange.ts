import type { HttpReply, IncomingReply, IncomingRequest, OutgoingRequest } from "@cairn/env";
import { concatBytes, StorageError } from "@cairn/protocol";
import type { Life } from "../world/life.ts";
import type { Listening, Way, Wires } from "./wires.ts";

const connectTimeoutMs = 5000;
/** Buffers are used again after a reply: whoever still reads from one sees this. */
const poison = 0xa5;

interface Arrival {
  /** False for a second delivery: its answer goes nowhere. */
  readonly answered: boolean;
  readonly gone: AbortController;
  at: number;
}

/** One request on its way through the network, and whatever becomes of it. */
export class Exchange {
  readonly #network: Wires;
  readonly #from: { readonly machine: string; readonly life: Life };
  readonly #request: OutgoingRequest;
  readonly #place: string;
  readonly #machine: string;
  readonly #body: Uint8Array;
  readonly #arrivals: Arrival[] = [];
  #settle: { readonly resolve: (reply: IncomingReply) => void; readonly reject: (error: unknown) => void } | undefined;

  constructor(network: Wires, from: { readonly machine: string; readonly life: Life }, request: OutgoingRequest) {
    this.#network = network;
    this.#from = from;
    this.#request = request;
    const { host, hostname } = new URL(request.url);
    this.#place = host;
    this.#machine = hostname;
    this.#body = concatBytes(request.body ?? []).slice();
    network.requests++;
  }

  run(): Promise<IncomingReply> {
    const { signal, timeoutMs } = this.#request;
    const { life } = this.#from;
    return new Promise((resolve, reject) => {
      const stop = (): void => this.#fail(new StorageError("cancelled", "request", this.#request.url));
      const timer = life.after(timeoutMs, () => this.#unavailable("TIMEOUT", { unreachable: false }));
      const forget = life.atEnd(() => this.#clientGone());
      const end = (): void => {
        timer.cancel();
        forget();
        signal?.removeEventListener("abort", stop);
      };
      this.#settle = {
        resolve: (reply) => {
          end();
          this.#hear(() => resolve(reply));
        },
        reject: (error) => {
          end();
          this.#hear(() => reject(error));
        },
      };
      if (signal?.aborted) return stop();
      signal?.addEventListener("abort", stop, { once: true });
      this.#send();
    });
  }

  /** A process that stands still hears it when it goes on, one that has ended never. */
  #hear(then: () => void): void {
    const { life } = this.#from;
    if (life.frozen) life.after(0, then);
    else if (life.alive) then();
  }

  #send(): void {
    const { random, faults, cuts, dark, faulted } = this.#network;
    if (cuts.isCut(this.#from.machine, this.#machine) || dark.has(this.#machine)) {
      this.#unheard();
      return;
    }
    if (this.#chance(faults.loss)) {
      faulted("lost request");
      if (this.#chance(0.5)) this.#unheard();
      return;
    }
    let delay = this.#delay() + (this.#network.interference.delayMs?.(this.#way()) ?? 0);
    if (this.#chance(faults.late)) {
      faulted("late request");
      delay += random.fraction() * faults.lateMs;
    }
    this.#in(delay, () => this.#arrive({ answered: true, gone: new AbortController(), at: 0 }));
    if (!this.#chance(faults.duplicate)) return;
    faulted("duplicate request");
    const second = { answered: false, gone: new AbortController(), at: 0 };
    this.#in(delay + random.fraction() * faults.lateMs, () => this.#arrive(second));
  }

  /** No connection comes about. */
  #unheard(): void {
    const ms = Math.min(connectTimeoutMs, this.#request.timeoutMs);
    this.#from.life.after(ms, () => this.#unavailable("UND_ERR_CONNECT_TIMEOUT", { unreachable: true }));
  }

  #arrive(arrival: Arrival): void {
    const { cuts, dark } = this.#network;
    // It was cut meanwhile: the connection stands and nothing comes.
    if (cuts.isCut(this.#from.machine, this.#machine) || dark.has(this.#machine)) return;
    // A first delivery to a client that gave up is one to a closed connection, unless it was under way already.
    const listening = this.#network.at(this.#place);
    if (!listening) {
      if (arrival.answered) this.#back(() => this.#unavailable("ECONNREFUSED", { unreachable: true }));
      return;
    }
    if (listening.life.frozen) {
      listening.life.after(0, () => this.#serve(listening, arrival));
      return;
    }
    this.#serve(listening, arrival);
  }

  #serve(listening: Listening, arrival: Arrival): void {
    if (!listening.life.alive) return;
    if (listening.underWay >= listening.requestsMax) {
      this.#reply({ status: 503, headers: { "retry-after": "1" } }, arrival);
      return;
    }
    if (arrival.answered) this.#arrivals.push(arrival);
    listening.underWay++;
    arrival.at = this.#network.timeline.now;
    const buffer = this.#delivered();
    // A machine that lost its power resets no connection: the client waits in vain.
    const forget = listening.life.atEnd(() => {
      if (!this.#network.dark.has(this.#machine) && arrival.answered)
        this.#back(() => this.#unavailable("ECONNRESET", { unreachable: false }));
    });
    listening.handler(this.#incoming(buffer, arrival)).then(
      (reply) => {
        forget();
        listening.underWay--;
        if (!listening.life.alive) return;
        this.#reply(reply, arrival);
        buffer.fill(poison);
      },
      (error: unknown) => {
        forget();
        if (!listening.life.alive) return;
        this.#network.escaped(this.#place, error);
        this.#reply({ status: 500 }, arrival);
      },
    );
  }

  #incoming(buffer: Uint8Array, arrival: Arrival): IncomingRequest {
    const { method, url, headers = {} } = this.#request;
    const lower = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
    return {
      method,
      target: url.slice(url.indexOf("/", url.indexOf("//") + 2)),
      headers: { ...lower, host: this.#place, "content-length": String(buffer.length) },
      id: `r${this.#network.requests}`,
      body: async (bytesMax) => {
        if (buffer.length > bytesMax) throw new StorageError("too-large", "read body", `${buffer.length} bytes`);
        return buffer;
      },
      signal: arrival.gone.signal,
    };
  }

  /** The bytes as they arrive: chunks may have a bit turned over that no checksum of the network notices. */
  #delivered(): Uint8Array {
    const bytes = this.#body.slice();
    const { faults, faulted } = this.#network;
    const carries = /^(PUT \/chunks\/|POST \/chunks$)/.test(this.#call());
    if (carries && bytes.length > 512 && this.#chance(faults.flip)) {
      faulted("flipped bit of a request");
      flip(bytes, this.#network.random.integer(bytes.length * 8));
    }
    return bytes;
  }

  #reply(reply: HttpReply, arrival: Arrival): void {
    this.#network.tap?.({
      ...this.#way(),
      headers: this.#request.headers ?? {},
      body: this.#body,
      status: reply.status,
      arrivedAt: arrival.at,
    });
    if (!arrival.answered) return;
    // Copied now: the server may use its buffers again.
    const sent = this.#request.method === "HEAD" ? new Uint8Array(0) : concatBytes(reply.body ?? []).slice();
    const body = this.#network.interference.answer?.(this.#way(), sent) ?? sent;
    const { faults, faulted } = this.#network;
    if (this.#chance(faults.loss)) {
      faulted("lost reply");
      return;
    }
    const carries = /^(GET \/groups\/\d+\/chunks\/|POST \/chunks\/read$)/.test(this.#call());
    if (carries && body.length > 512 && this.#chance(faults.flip)) {
      faulted("flipped bit of a reply");
      flip(body, this.#network.random.integer(body.length * 8));
    }
    const headers: Record<string, string> = { "content-length": String(body.length) };
    for (const [name, value] of Object.entries(reply.headers ?? {})) headers[name.toLowerCase()] = value;
    this.#back(() => {
      if (body.length > this.#request.replyBytesMax) {
        this.#fail(new StorageError("too-large", "read answer", this.#request.url));
      } else this.#succeed({ status: reply.status, headers, body });
    });
  }

  #way(): Way {
    const { method, url } = this.#request;
    return { from: this.#from.machine, to: this.#machine, method, target: new URL(url).pathname };
  }

  #call(): string {
    const { method, target } = this.#way();
    return `${method} ${target}`;
  }

  #back(then: () => void): void {
    this.#in(this.#delay(), () => {
      const { cuts } = this.#network;
      if (!cuts.isCut(this.#machine, this.#from.machine)) then();
    });
  }

  #succeed(reply: IncomingReply): void {
    const settle = this.#settle;
    this.#settle = undefined;
    settle?.resolve(reply);
  }

  #unavailable(code: string, details: { readonly unreachable: boolean }): void {
    this.#fail(
      new StorageError("unavailable", "request", `${this.#place} (${code})`, { details: { code, ...details } }),
    );
  }

  #fail(error: StorageError): void {
    const settle = this.#settle;
    this.#settle = undefined;
    if (!settle) return;
    this.#clientGone();
    settle.reject(error);
  }

  /** The server learns a moment later that nobody waits. */
  #clientGone(): void {
    this.#in(this.#delay(), () => {
      for (const { gone } of this.#arrivals) gone.abort();
    });
  }

  #in(ms: number, run: () => void): void {
    this.#network.timeline.after(ms, run);
  }

  #delay(): number {
    const { random, faults } = this.#network;
    return 0.05 - Math.log(1 - random.fraction()) * faults.delayMs;
  }

  #chance(of: number): boolean {
    return of > 0 && this.#network.random.fraction() < of;
  }
}

function flip(bytes: Uint8Array, bit: number): void {
  bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
}
