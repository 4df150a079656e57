import type { HttpHandler } from "@cairn/env";
import type { SeededRandom } from "../random/seeded-random.ts";
import type { Life } from "../world/life.ts";
import type { Timeline } from "../world/timeline.ts";
import type { Cuts, NetworkFaults } from "./link-faults.ts";

/** A process that waits for requests. */
export interface Listening {
  readonly life: Life;
  readonly handler: HttpHandler;
  readonly requestsMax: number;
  underWay: number;
}

/** Sees each request that reaches a process, and its answer. */
export type Tap = (seen: {
  readonly from: string;
  readonly to: string;
  readonly method: string;
  readonly target: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Uint8Array;
  readonly status: number;
  /** Virtual ms at which it arrived. */
  readonly arrivedAt: number;
}) => void;

/** Where a request goes, by the names of machines. */
export interface Way {
  readonly from: string;
  readonly to: string;
  readonly method: string;
  /** Path without its query. */
  readonly target: string;
}

/** Interferes with single requests, as no chance would. */
export interface Interference {
  /** Ms by which a request is held up beyond its delay. */
  readonly delayMs?: (way: Way) => number;
  /** What arrives of an answer in place of these bytes. */
  readonly answer?: (way: Way, body: Uint8Array) => Uint8Array;
}

/** What requests go through on their way. */
export interface Wires {
  readonly timeline: Timeline;
  readonly random: SeededRandom;
  /** Counts a fault that was injected. */
  readonly faulted: (what: string) => void;
  /** Told of what escapes from a handler, which must not throw. */
  readonly escaped: (place: string, error: unknown) => void;
  readonly faults: NetworkFaults;
  readonly cuts: Cuts;
  /** Machines without power: whoever asks them hears nothing. */
  readonly dark: Set<string>;
  readonly tap: Tap | undefined;
  readonly interference: Interference;
  /** Requests so far. */
  requests: number;
  /** Who listens at `host:port`. */
  at(place: string): Listening | undefined;
}
