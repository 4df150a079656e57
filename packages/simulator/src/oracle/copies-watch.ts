import type { World } from "../world/world.ts";
import { examine } from "./copies.ts";

const lookEveryMs = 20;

/**
 * Looks, whenever the members of a group have changed, whether its members hold every chunk that is needed, as often as it was
 * promised. Only for worlds in which no member's disk is damaged: there nothing may cost a copy.
 */
export class CopiesWatch {
  readonly #world: World;
  #members = "";
  #stopped = false;

  constructor(world: World) {
    this.#world = world;
  }

  stop(): void {
    this.#stopped = true;
  }

  start(): void {
    this.#world.timeline.after(lookEveryMs, () => {
      if (this.#stopped || this.#world.violation) return;
      this.#look().then(
        () => this.start(),
        (error: Error) => this.#world.violate("the simulator works", error.stack ?? ""),
      );
    });
  }

  async #look(): Promise<void> {
    const rows = await this.#world.metadata.database.read((sql) =>
      sql.all("SELECT grp, disk, state FROM grp_slot ORDER BY grp, disk"),
    );
    const members = JSON.stringify(rows);
    if (members === this.#members) return;
    this.#members = members;
    await this.now();
  }

  /** Looks at this moment, whether anything has changed or not. */
  async now(): Promise<void> {
    const { chunks } = await examine(this.#world);
    const { copies } = this.#world.options;
    const short = chunks.filter(({ refs, good }) => refs > 0 && good.length < copies);
    const [first] = short;
    if (!first) return;
    const where = `chunk ${first.id.slice(0, 8)} of group ${first.group} is on ${first.good.length} of its members`;
    this.#world.violate("no copy goes without damage", `${short.length} chunks lack copies: ${where}`);
  }
}
