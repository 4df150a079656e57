import { assert, type NodeId } from "@cairn/protocol";

/** Distinct partners a node may have in all its copysets; beyond it, more partners only make losses more likely. */
export const scatterWidthMax = 10;
const shufflesTried = 16;

/**
 * The sets of nodes that groups may live on, by the permutation method of "Copysets: Reducing the Frequency of Data
 * Loss in Cloud Storage" (Cidon et al., 2013): S = min(N − 1, 10) partners a node, P = ceil(S / (R − 1)) permutations,
 * cut into runs of R. What a permutation leaves over starts the next one, so every node stands in equally many sets.
 * The same nodes always give the same sets: they must not multiply with every restart.
 */
export function copysetsOf(nodes: readonly NodeId[], copies: number): readonly (readonly NodeId[])[] {
  assert(Number.isInteger(copies) && copies >= 1, "a group has at least one copy");
  const sorted = [...new Set(nodes)].sort();
  if (sorted.length < copies) return [];
  if (copies === 1) return sorted.map((node) => [node]);
  const scatter = Math.min(sorted.length - 1, scatterWidthMax);
  // With two copies and every other node as a partner the permutations converge to all pairs: take them directly.
  if (copies === 2 && scatter === sorted.length - 1) return pairsOf(sorted);
  const next = chanceOf(sorted.join(" "));
  const sets = new CopysetCollection(scatter);
  let left: NodeId[] = [];
  for (let round = 0; round < roundsOf(sorted.length, copies, scatter); round++) {
    const order = bestOrder(sorted, { left, copies, sets, next });
    const whole = order.length - (order.length % copies);
    for (let start = 0; start < whole; start += copies) sets.add(order.slice(start, start + copies));
    left = order.slice(whole);
  }
  sets.cover(sorted, copies);
  return sets.list;
}

/** So many permutations that each node has its partners and none stands in more sets than another. */
function roundsOf(nodes: number, copies: number, scatter: number): number {
  const wanted = Math.ceil(scatter / (copies - 1));
  const even = copies / greatestCommonDivisor(nodes, copies);
  return Math.ceil(wanted / even) * even;
}

interface Round {
  readonly left: readonly NodeId[];
  readonly copies: number;
  readonly sets: CopysetCollection;
  readonly next: () => number;
}

/** The left-over nodes and a permutation of all; of several such orders the one that brings the most new partners. */
function bestOrder(nodes: readonly NodeId[], round: Round): NodeId[] {
  const leftOver = new Set(round.left);
  let best: NodeId[] = [];
  let bestScore = -1;
  for (let attempt = 0; attempt < shufflesTried; attempt++) {
    const shuffled = shuffle(nodes, round.next);
    // The first run already holds the left-over nodes; they come again only after it.
    const fill = shuffled.filter((node) => !leftOver.has(node)).slice(0, round.copies - round.left.length);
    const filled = new Set(round.left.length === 0 ? [] : fill);
    const rest = shuffled.filter((node) => !filled.has(node));
    const order = round.left.length === 0 ? shuffled : [...round.left, ...fill, ...rest];
    const score = round.sets.newPartners(order, round.copies);
    if (score > bestScore) {
      best = order;
      bestScore = score;
    }
  }
  return best;
}

class CopysetCollection {
  readonly list: NodeId[][] = [];
  readonly #scatter: number;
  readonly #partners = new Map<NodeId, Set<NodeId>>();
  readonly #seen = new Set<string>();

  constructor(scatter: number) {
    this.#scatter = scatter;
  }

  /** Takes the set unless it is there already or would give a node too many partners. */
  add(nodes: readonly NodeId[]): void {
    if (nodes.some((node) => this.#partnersWith(node, nodes).size > this.#scatter)) return;
    this.#take(nodes);
  }

  /** Puts every node that is in no set into one: storing on all disks matters more than the last partner. */
  cover(nodes: readonly NodeId[], copies: number): void {
    for (const node of nodes) {
      if (this.#partners.has(node)) continue;
      const byPartners = nodes
        .filter((other) => other !== node)
        .sort((a, b) => (this.#partners.get(a)?.size ?? 0) - (this.#partners.get(b)?.size ?? 0));
      this.#take([node, ...byPartners.slice(0, copies - 1)]);
    }
  }

  newPartners(order: readonly NodeId[], copies: number): number {
    let count = 0;
    for (let start = 0; start + copies <= order.length; start += copies) {
      const run = order.slice(start, start + copies);
      for (const node of run) count += this.#partnersWith(node, run).size - (this.#partners.get(node)?.size ?? 0);
    }
    return count;
  }

  #partnersWith(node: NodeId, nodes: readonly NodeId[]): Set<NodeId> {
    const partners = new Set(this.#partners.get(node));
    for (const other of nodes) if (other !== node) partners.add(other);
    return partners;
  }

  #take(nodes: readonly NodeId[]): void {
    const set = [...nodes].sort();
    const key = set.join(" ");
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    this.list.push(set);
    for (const node of set) this.#partners.set(node, this.#partnersWith(node, set));
  }
}

function pairsOf(nodes: readonly NodeId[]): NodeId[][] {
  return nodes.flatMap((first, index) => nodes.slice(index + 1).map((second) => [first, second]));
}

function shuffle(nodes: readonly NodeId[], next: () => number): NodeId[] {
  const order = [...nodes];
  for (let index = order.length - 1; index > 0; index--) {
    const other = Math.floor(next() * (index + 1));
    const moved = order[index] as NodeId;
    order[index] = order[other] as NodeId;
    order[other] = moved;
  }
  return order;
}

/** Numbers in [0, 1) that depend on the text alone. Source: FNV-1a and mulberry32. */
function chanceOf(text: string): () => number {
  let state = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) state = Math.imul(state ^ text.charCodeAt(index), 0x01000193);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
