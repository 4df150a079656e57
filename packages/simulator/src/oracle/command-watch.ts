import type { Tap } from "../network/wires.ts";

interface Leader {
  readonly incarnation: number;
  readonly epoch: number;
  /** Virtual ms since when the node has known it. */
  readonly since: number;
}

/** Time as the watch needs it. */
export interface WatchClock {
  /** Virtual ms. */
  readonly now: () => number;
  /** What the wall clock of a machine showed at a moment; undefined when nobody can say any more. */
  readonly wallAt: (machine: string, virtualMs: number) => number | undefined;
}

/**
 * Looks at every command that a node has carried out: none may be of a leader that the node knew to be overtaken, and none may
 * have come after its end.
 */
export class CommandWatch {
  readonly #highest = new Map<string, Leader>();
  readonly #clock: WatchClock;
  readonly #violate: (oracle: string, message: string) => void;

  constructor(clock: WatchClock, violate: (oracle: string, message: string) => void) {
    this.#clock = clock;
    this.#violate = violate;
  }

  readonly tap: Tap = ({ to, target, headers, status, arrivedAt }) => {
    // A command's token says in clear words whose it is: c1.node.incarnation.epoch.end.signature.
    const [kind, , incarnation, epoch, end] = (headers["authorization"] ?? "").replace(/^Bearer /, "").split(".");
    if (kind !== "c1" || status >= 300) return;
    const wall = this.#clock.wallAt(to, arrivedAt);
    if (wall !== undefined && Number(end) <= wall)
      this.#violate("no command outlives its end", `${to} did ${target} ${wall - Number(end)} ms after it`);
    const leader = { incarnation: Number(incarnation), epoch: Number(epoch), since: this.#clock.now() };
    const highest = this.#highest.get(to);
    if (highest && isBelow(leader, highest)) {
      if (arrivedAt > highest.since) {
        const which = `for leader ${leader.epoch}, which ${highest.epoch} had overtaken`;
        this.#violate("overtaken leaders command nobody", `${to} did ${target} ${which}`);
      }
    } else if (!highest || isBelow(highest, leader)) this.#highest.set(to, leader);
  };
}

function isBelow(one: Leader, other: Leader): boolean {
  return one.incarnation < other.incarnation || (one.incarnation === other.incarnation && one.epoch < other.epoch);
}
