import { examine } from "../oracle/copies.ts";
import type { NodeHost } from "../world/node-host.ts";
import type { World } from "../world/world.ts";

/**
 * Keeps damage within what the cluster promises to survive: of any chunk, at most one copy fewer than it has may be bad
 * at a time. A machine counts until all chunks have all their copies again.
 */
export class DamageBudget {
  readonly #world: World;
  readonly #damaged = new Set<NodeHost>();

  constructor(world: World) {
    this.#world = world;
  }

  get damaged(): ReadonlySet<NodeHost> {
    return this.#damaged;
  }

  /** True when this machine's disks may be damaged now; it is counted from then on. */
  async admits(node: NodeHost): Promise<boolean> {
    if (this.#damaged.has(node)) return true;
    if (this.#damaged.size >= this.#world.options.copies - 1 && !(await this.#mended())) return false;
    this.#damaged.add(node);
    return true;
  }

  async #mended(): Promise<boolean> {
    const still = [...this.#damaged].some((node) => node.disks.some(({ faults }) => faults.misdirected > 0));
    if (still) return false;
    const { chunks, looseCopiesMin } = await examine(this.#world);
    const stored = chunks.every((chunk) => chunk.refs === 0 || chunk.good.length >= chunk.wanted);
    // What clients have written and not committed yet counts too: its receipts stay good.
    const whole = stored && looseCopiesMin >= this.#world.options.copies;
    if (whole) this.#damaged.clear();
    return whole;
  }
}
