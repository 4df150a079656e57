import type { Tap } from "../network/wires.ts";

interface Leader {
  readonly incarnation: number;
  readonly epoch: number;
  /** Virtual ms since when the node has known it. */
  readonly since: number;
}

/** Looks at every command that a node has carried out: none may be of a leader that the node knew to be overtaken. */
export class CommandWatch {
  readonly #highest = new Map<string, Leader>();
  readonly #now: () => number;
  readonly #violate: (message: string) => void;

  constructor(now: () => number, violate: (message: string) => void) {
    this.#now = now;
    this.#violate = violate;
  }

  readonly tap: Tap = ({ to, target, headers, status, arrivedAt }) => {
    // A command's token says in clear words whose it is: c1.node.incarnation.epoch.end.signature.
    const [kind, , incarnation, epoch] = (headers["authorization"] ?? "").replace(/^Bearer /, "").split(".");
    if (kind !== "c1" || status >= 300) return;
    const leader = { incarnation: Number(incarnation), epoch: Number(epoch), since: this.#now() };
    const highest = this.#highest.get(to);
    if (highest && isBelow(leader, highest)) {
      if (arrivedAt > highest.since) {
        this.#violate(`${to} did ${target} for leader ${leader.epoch}, which ${highest.epoch} had overtaken`);
      }
    } else if (!highest || isBelow(highest, leader)) this.#highest.set(to, leader);
  };
}

function isBelow(one: Leader, other: Leader): boolean {
  return one.incarnation < other.incarnation || (one.incarnation === other.incarnation && one.epoch < other.epoch);
}
