import { StorageError } from "@cairn/protocol";
import type { SeededRandom } from "../random/seeded-random.ts";
import type { Mix } from "../workload/actor.ts";

/** What happens to a run and how often. Every seed draws its own, so that each kind of fault also comes without the others. */
export interface Swarm {
  readonly nodes: number;
  readonly copies: number;
  readonly disksPerNode: number;
  readonly clients: number;
  /** Virtual ms in which things go wrong. */
  readonly faultMs: number;
  /** Mean ms between two blows; infinite: none. */
  readonly blowEveryMs: number;
  /** Weights of the blows among each other. */
  readonly blows: Readonly<Record<Blow, number>>;
  readonly network: { readonly loss: number; readonly duplicate: number; readonly late: number; readonly flip: number };
  readonly delayMs: number;
  readonly slowStatement: number;
  readonly unknownOutcome: number;
  readonly crashPointChance: number;
  readonly mix: Mix;
  readonly pauseMs: number;
}

/** One thing that goes wrong at one moment. */
export type Blow =
  | "kill node"
  | "cut power of node"
  | "cut power of all"
  | "kill metadata"
  | "kill client"
  | "freeze node"
  | "freeze metadata"
  | "freeze client"
  | "isolate node"
  | "cut one way"
  | "jump clock"
  | "failing disk"
  | "full disk"
  | "flip bits"
  | "misdirect writes"
  | "stale disk"
  | "swap disks"
  | "wipe disk"
  | "lose machine"
  | "drain node"
  | "add node"
  | "rebalance"
  | "change copies"
  | "cut power at a point"
  | "hold back receipts"
  | "forge receipts"
  | "commit again";

export const blows: readonly Blow[] = [
  "kill node",
  "cut power of node",
  "cut power of all",
  "kill metadata",
  "kill client",
  "freeze node",
  "freeze metadata",
  "freeze client",
  "isolate node",
  "cut one way",
  "jump clock",
  "failing disk",
  "full disk",
  "flip bits",
  "misdirect writes",
  "stale disk",
  "swap disks",
  "wipe disk",
  "lose machine",
  "drain node",
  "add node",
  "rebalance",
  "change copies",
  "cut power at a point",
  "hold back receipts",
  "forge receipts",
  "commit again",
];

/** Only these blows, all equally often. Throws invalid for one that does not exist. */
export function onlyBlows(names: readonly string[]): Swarm["blows"] {
  const unknown = names.find((name) => !(blows as readonly string[]).includes(name));
  if (unknown !== undefined) {
    throw new StorageError("invalid", "choose blows", unknown, { hint: `There are: ${blows.join(", ")}.` });
  }
  return Object.fromEntries(blows.map((blow) => [blow, names.includes(blow) ? 1 : 0])) as Record<Blow, number>;
}

/** A network with only these faults, each as `loss=0.1`. Throws invalid for what is none. */
export function networkOf(parts: readonly string[]): Swarm["network"] {
  const network = { loss: 0, duplicate: 0, late: 0, flip: 0 };
  for (const part of parts) {
    const [name = "", chance = ""] = part.split("=");
    if (!(name in network) || !(Number(chance) >= 0 && Number(chance) <= 1)) {
      throw new StorageError("invalid", "choose network", part, { hint: "Such as: loss=0.1,late=0.05." });
    }
    network[name as keyof typeof network] = Number(chance);
  }
  return network;
}

/** Draws what a run is like. */
export function drawSwarm(random: SeededRandom): Swarm {
  const oneOf = <Value>(...values: readonly Value[]): Value => values[random.integer(values.length)] as Value;
  const sometimes = (most: number): number => (random.fraction() < 0.5 ? 0 : random.fraction() * most);
  const copies = oneOf(2, 2, 2, 3);
  const weights = blows.map((blow) => [blow, sometimes(1)] as const);
  return {
    nodes: copies + 1 + random.integer(3),
    copies,
    disksPerNode: oneOf(1, 1, 1, 2),
    clients: 2 + random.integer(3),
    faultMs: 60_000 + random.integer(120_000),
    blowEveryMs: oneOf(3000, 6000, 12_000, 30_000),
    blows: Object.fromEntries(weights) as Record<Blow, number>,
    network: { loss: sometimes(0.03), duplicate: sometimes(0.1), late: sometimes(0.03), flip: sometimes(0.01) },
    delayMs: oneOf(0.2, 1, 5, 20),
    slowStatement: sometimes(0.2),
    unknownOutcome: sometimes(0.02),
    crashPointChance: random.fraction() < 0.3 ? 0.0005 : 0,
    mix: drawMix(random),
    pauseMs: oneOf(500, 1500, 4000),
  };
}

function drawMix(random: SeededRandom): Mix {
  const some = (most: number): number => random.fraction() * most;
  return {
    put: 2 + some(6),
    largePut: some(0.2),
    read: 2 + some(5),
    range: some(2),
    trash: some(1),
    remove: some(2),
    move: some(1),
    list: some(1),
  };
}
