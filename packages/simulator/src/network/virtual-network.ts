import type { HttpHandler, Listener, Network, OutgoingRequest, ServeOptions } from "@cairn/env";
import { StorageError } from "@cairn/protocol";
import type { SeededRandom } from "../random/seeded-random.ts";
import type { Life } from "../world/life.ts";
import type { Timeline } from "../world/timeline.ts";
import { Exchange } from "./exchange.ts";
import { Cuts, calmNetwork, type NetworkFaults } from "./link-faults.ts";
import type { Interference, Listening, Tap, Wires } from "./wires.ts";

/** The network between all machines of a world. Machines are named by the host of a URL. */
export class VirtualNetwork implements Wires {
  readonly timeline: Timeline;
  readonly random: SeededRandom;
  readonly faulted: (what: string) => void;
  readonly escaped: (place: string, error: unknown) => void;
  readonly faults: NetworkFaults = { ...calmNetwork };
  readonly cuts: Cuts = new Cuts();
  readonly dark: Set<string> = new Set();
  tap: Tap | undefined;
  interference: Interference = {};
  requests = 0;
  readonly #listening = new Map<string, Listening>();
  #ports = 30_000;

  constructor(timeline: Timeline, random: SeededRandom, told: Pick<Wires, "faulted" | "escaped">) {
    this.timeline = timeline;
    this.random = random;
    this.faulted = told.faulted;
    this.escaped = told.escaped;
  }

  /** The network as one process on one machine sees it. */
  of(machine: string, life: Life): Network {
    return {
      request: (request: OutgoingRequest) => {
        const exchange = new Exchange(this, { machine, life }, request);
        return exchange.run();
      },
      serve: (handler: HttpHandler, options: ServeOptions) => this.#serve(life, { handler, options }),
    };
  }

  at(host: string): Listening | undefined {
    return this.#listening.get(host);
  }

  async #serve(
    life: Life,
    { handler, options }: { readonly handler: HttpHandler; readonly options: ServeOptions },
  ): Promise<Listener> {
    await life.pause(0);
    const port = options.port === 0 ? this.#ports++ : options.port;
    const place = `${options.host}:${port}`;
    if (this.#listening.has(place)) throw new StorageError("conflict", "listen", place);
    const listening = { life, handler, requestsMax: options.requestsMax, underWay: 0 };
    this.#listening.set(place, listening);
    const close = (): void => {
      if (this.#listening.get(place) === listening) this.#listening.delete(place);
    };
    life.atEnd(close);
    return { host: options.host, port, [Symbol.asyncDispose]: async (): Promise<void> => close() };
  }
}
