import type { FileState, Ledger } from "../oracle/ledger.ts";
import type { SeededRandom } from "../random/seeded-random.ts";
import type { ClientHost } from "../world/client-host.ts";
import type { Content, Contents } from "./contents.ts";
import { FileOperations, type WorkloadParts } from "./file-operations.ts";

/** How often each operation comes up; any scale. */
export interface Mix {
  readonly put: number;
  readonly largePut: number;
  readonly read: number;
  readonly range: number;
  readonly trash: number;
  readonly remove: number;
  readonly move: number;
  readonly list: number;
}

export interface ActorOptions extends WorkloadParts {
  readonly client: ClientHost;
  readonly random: SeededRandom;
  readonly contents: Contents;
  readonly known: Map<FileState, Uint8Array>;
  readonly mix: Mix;
  /** Names that every actor changes, and names that only this one does. */
  readonly shared: readonly string[];
  readonly own: readonly string[];
  /** Mean pause between two operations, ms. */
  readonly pauseMs: number;
}

const chunksUsual = 6;
/** More than one commit carries: such a file goes through an upload session. */
const chunksLarge = 70;

/** Does one operation after the other until it is told to stop. */
export class Actor {
  readonly #options: ActorOptions;
  readonly #operations: FileOperations;
  #stopped = false;
  /** True once the last operation has ended. */
  idle = false;

  constructor(options: ActorOptions) {
    this.#options = options;
    this.#operations = new FileOperations(options, options.client, options.random);
  }

  get ledger(): Ledger {
    return this.#options.ledger;
  }

  stop(): void {
    this.#stopped = true;
  }

  async run(): Promise<void> {
    const { world, random, pauseMs } = this.#options;
    while (!this.#stopped && !world.violation) {
      await world.timeline.pause(-Math.log(1 - random.fraction()) * pauseMs);
      if (!this.#stopped) await this.#step();
    }
    this.idle = true;
  }

  async #step(): Promise<void> {
    const { random, own, known } = this.#options;
    const operation = this.#draw();
    switch (operation) {
      case "put":
        return void (await this.#put(chunksUsual));
      case "largePut":
        return void (await this.#put(chunksLarge));
      case "read":
        return void (await this.#operations.read(this.#name()));
      case "range":
        return this.#operations.readRange(this.#name(), known);
      case "trash":
      case "remove":
        return this.#operations.remove(this.#name(), operation);
      case "move":
        return this.#operations.move(own[random.integer(own.length)] ?? "", own[random.integer(own.length)] ?? "");
      case "list":
        return void (await this.#operations.list());
    }
  }

  async #put(chunksMax: number): Promise<void> {
    const { contents, known, random, world } = this.#options;
    const content: Content = contents.draw(chunksMax);
    known.set(content.digest, content.bytes);
    const stop = new AbortController();
    if (random.fraction() < 0.03) world.timeline.after(random.fraction() * 50, () => stop.abort());
    await this.#operations.put(this.#name(), content, stop.signal);
  }

  #draw(): keyof Mix {
    const { mix, random } = this.#options;
    const entries = Object.entries(mix) as [keyof Mix, number][];
    let left = random.fraction() * entries.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [name, weight] of entries) {
      left -= weight;
      if (left < 0) return name;
    }
    return "read";
  }

  #name(): string {
    const { random, shared, own } = this.#options;
    const names = random.fraction() < 0.5 ? shared : own;
    return names[random.integer(names.length)] ?? "";
  }
}
